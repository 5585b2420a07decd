"""What a process tells of itself: log lines, metrics and traces, without anything that a caller, a model or a
graph has said."""

from holdfast.telemetry.lines import Errors, Form
from holdfast.telemetry.setup import access, configure_logging, guarded, log_loop_error, log_requests

__all__ = [
    "Errors",
    "Form",
    "access",
    "configure_logging",
    "guarded",
    "log_loop_error",
    "log_requests",
]
