"""Running a graph for a claim of the queue."""

from holdfast.execute.attempt import Attempt, Limits

__all__ = ["Attempt", "Limits"]
