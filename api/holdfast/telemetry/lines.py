"""Log lines: a constant sentence and fields, in JSON or as text."""

import logging
import os
import sys
from contextlib import suppress
from inspect import currentframe
from sysconfig import get_path
from typing import Any, Literal

import orjson
from structlog.contextvars import merge_contextvars
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import JSONRenderer, TimeStamper, format_exc_info
from structlog.stdlib import ProcessorFormatter, add_log_level, add_logger_name
from structlog.typing import EventDict, Processor

from holdfast.telemetry.failures import describe, place

Form = Literal["text", "json"]
Errors = Literal["types", "full"]

OURS = "holdfast"
STANDARD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"})
INSTALLED = (get_path("stdlib") + os.sep, get_path("platstdlib") + os.sep, "<")
LEFT_OUT = "a library's line, left out because values were written into it"


def formatter(form: Form, errors: Errors) -> logging.Formatter:
    """Formats every record alike, whoever wrote it, with what is bound to the run or the request."""
    spare: list[Processor] = [fill, format_exc_info] if errors == "full" else [leave_out_values]
    rendering = json_lines() if form == "json" else text_lines()
    return ProcessorFormatter(
        foreign_pre_chain=[merge_contextvars, add_log_level, add_logger_name, *spare],
        processors=[ProcessorFormatter.remove_processors_meta, *rendering],
        use_get_message=False,
        pass_foreign_args=True,
    )


def json_lines() -> list[Processor]:
    return [TimeStamper("iso", key="at"), arrange, JSONRenderer(serializer=to_json)]


def text_lines() -> list[Processor]:
    colors = sys.stderr.isatty()
    # The traceback is a plain one: the other shows the values of variables.
    console = ConsoleRenderer(colors=colors, sort_keys=False, exception_formatter=plain_traceback)
    return [TimeStamper("%H:%M:%S", utc=False), console]


def to_json(line: EventDict, **_: Any) -> str:
    return orjson.dumps(line, str, orjson.OPT_NON_STR_KEYS).decode()


def arrange(_logger: Any, _method: str, line: EventDict) -> EventDict:
    first = {name: line.pop(name) for name in ("at", "level", "logger")}
    return {**first, "message": line.pop("event"), **line}


def fill(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Fills in the values of a line, where they fit, and adds its fields."""
    values = line.pop("positional_args")
    with suppress(TypeError, ValueError, KeyError):
        line["event"] = line["event"] % values if values else line["event"]
    return {**line, **fields(line["_record"])}


def fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in STANDARD}


def leave_out_values(logger: Any, method: str, line: EventDict) -> EventDict:
    """Keeps from a line what its author wrote into the code, and of an exception its type and place.

    Our own lines hold vetted fields, and those of the project's code are the project's.
    """
    record: logging.LogRecord = line["_record"]
    if record.name.partition(".")[0] == OURS or not is_installed(record.pathname):
        line = fill(logger, method, line)
    else:
        del line["positional_args"]
        line.update(event=sentence(record), where=place(record.pathname, record.lineno))
    error = line.pop("exc_info", None)
    line.pop("stack_info", None)
    if isinstance(error, tuple) and error[1] is not None:
        line.update(describe(error[1]))
    return line


def is_installed(file: str) -> bool:
    """Whether code belongs to a library or to Python, rather than to the project."""
    return f"-packages{os.sep}" in file or file.startswith(INSTALLED)


def sentence(record: logging.LogRecord) -> str:
    """A library's line as its code holds it, without values; one that was put together is left out."""
    frame = currentframe()
    while frame and frame.f_code.co_filename != record.pathname:
        frame = frame.f_back
    constants = frame.f_code.co_consts if frame else ()
    written = record.msg if isinstance(record.msg, str) and record.msg in constants else LEFT_OUT
    return written.strip()
