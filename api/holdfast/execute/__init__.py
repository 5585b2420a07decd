"""Running a graph for a claim of the queue."""

from holdfast.execute.attempt import Attempt
from holdfast.execute.compatibility import absent
from holdfast.execute.limits import Limits
from holdfast.execute.opening import ClaimedGraph
from holdfast.execute.requests import Asking
from holdfast.execute.watching import Watch, due_at

__all__ = ["Asking", "Attempt", "ClaimedGraph", "Limits", "Watch", "absent", "due_at"]
