"""Sends through one formatter what loggers say, and what Python itself would write to stderr."""

import asyncio
import logging
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from holdfast.errors import StartError
from holdfast.telemetry.failures import place
from holdfast.telemetry.lines import Errors, Form, formatter

logger = logging.getLogger(__name__)
access = logging.getLogger("holdfast.access")

# What uvicorn says of each WebSocket that is turned away with an answer: the access log tells of it.
TURNED_AWAY = "ASGI callable returned without completing handshake."
CHATTY = ("httpx", "httpx2", "mcp", "sse_starlette", "uvicorn.error", "alembic")
SILENT = ("a2a",)  # its lines hold what clients have sent; what fails of ours is logged by us


def configure_logging(form: Form, errors: Errors) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(form, errors))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger("uvicorn.error").addFilter(is_news)


def is_news(record: logging.LogRecord) -> bool:
    return record.msg != TURNED_AWAY


def log_requests(wanted: bool) -> None:
    """Turns the access log on or off."""
    access.setLevel(logging.INFO if wanted else logging.WARNING)


@contextmanager
def guarded(errors: Errors) -> Iterator[None]:
    """Logs what nobody has caught, where Python would print it with all it holds, unless that is wanted.

    What ends the process is logged and leads to exit code 1; a `StartError` has its own way to be told.
    """
    if errors == "full":
        yield
        return
    hooks = threading.excepthook, sys.unraisablehook, warnings.showwarning, logging.raiseExceptions
    threading.excepthook = lambda args: log_uncaught("a thread failed", args.exc_value)
    sys.unraisablehook = lambda args: log_uncaught("an exception could not be raised", args.exc_value)
    warnings.showwarning = log_warning
    logging.raiseExceptions = False  # a line that cannot be formatted would be printed with its arguments
    try:
        yield
    except StartError:
        raise
    except Exception as error:  # the last place where it can be said
        log_uncaught("the process ended unexpectedly", error)
        sys.exit(1)
    finally:
        threading.excepthook, sys.unraisablehook, warnings.showwarning, logging.raiseExceptions = hooks


def log_uncaught(sentence: str, error: BaseException | None) -> None:
    logger.error(sentence, exc_info=error)


def log_loop_error(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """An event loop's exception handler. The loop's own words hold the `repr` of what failed."""
    log_uncaught("something failed in the background", context.get("exception"))


def log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: object = None,
) -> None:
    logger.warning("Python warns", extra={"category": category.__name__, "where": place(filename, lineno)})
