"""Running a graph for a claim of the queue."""

from holdfast.execute.attempt import Attempt
from holdfast.execute.limits import Limits

__all__ = ["Attempt", "Limits"]
