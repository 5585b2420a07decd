"""What a log line holds, whoever wrote it: what is in the code, and no value."""

import asyncio
import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from sysconfig import get_path
from typing import Any

import pytest
from structlog.contextvars import bind_contextvars

from holdfast.telemetry.lines import LEFT_OUT, Form
from tests.logs.conftest import Lines, handler

SECRET = "s3cr3t"
ours = logging.getLogger("holdfast.core.runs")
theirs = logging.getLogger("their.agent")
library = logging.getLogger("a_library")


def code_at(file: str, source: str) -> Callable[..., None]:
    """A function `log(value)` whose code lies in that file."""
    names: dict[str, Any] = {"library": library}
    code = compile(f"def log(value):\n    {source}\n", file, "exec")
    exec(code, names)  # noqa: S102 - the only way to have it lie there
    found: Callable[..., None] = names["log"]
    return found


def installed(source: str) -> Callable[..., None]:
    return code_at(str(Path(get_path("purelib")) / "some_library" / "deep.py"), source)


def failed() -> Exception:
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        return error


def test_a_line_of_ours_has_its_fields_and_what_is_bound(lines: Lines) -> None:
    bind_contextvars(run_id="r1", thread_id="t1", request_id="q1")
    ours.warning("a sentence", extra={"seconds": 1.5, "names": ("a", "b")})
    line = lines.one()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line.pop("at"))
    assert line == {
        "level": "warning",
        "logger": "holdfast.core.runs",
        "message": "a sentence",
        "run_id": "r1",
        "thread_id": "t1",
        "request_id": "q1",
        "seconds": 1.5,
        "names": ["a", "b"],
    }


def test_the_same_line_as_text(root: logging.Logger) -> None:
    lines = Lines()
    root.addHandler(handler(lines, "text", "types"))
    bind_contextvars(run_id="r1")
    ours.warning("a sentence", extra={"seconds": 1.5})
    told = lines.text()
    assert re.match(r"\d\d:\d\d:\d\d \[warning", told), told
    assert all(part in told for part in ("a sentence", "[holdfast.core.runs]", "run_id=r1", "seconds=1.5"))
    assert told.count("\n") == 1
    assert "\x1b" not in told


def test_an_exception_is_told_by_its_type_and_place(lines: Lines) -> None:
    ours.warning("run failed", exc_info=failed())
    line = lines.one()
    assert line["error"] == "ValueError"
    assert line["where"] == [f"tests/logs/test_lines.py:{failed.__code__.co_firstlineno + 2} failed"]
    assert "cause" not in line
    assert SECRET not in str(line)


def test_what_led_to_an_exception_is_told_the_same_way(lines: Lines) -> None:
    def chained() -> None:
        try:
            raise failed()
        except ValueError as error:
            raise KeyError(SECRET) from error

    try:
        chained()
    except KeyError:
        ours.exception("failed")
    line = lines.one()
    assert (line["error"], [cause.split()[0] for cause in line["cause"]]) == ("KeyError", ["ValueError"])
    assert [place.split()[-1] for place in line["where"]] == [
        "chained",
        "test_what_led_to_an_exception_is_told_the_same_way",
    ]
    assert SECRET not in str(line)


def test_of_a_group_the_first_is_told_and_a_circle_ends(lines: Lines) -> None:
    ours.warning("failed", exc_info=ExceptionGroup(SECRET, [failed(), KeyError(SECRET)]))
    assert lines.one()["cause"] == [
        f"ValueError tests/logs/test_lines.py:{failed.__code__.co_firstlineno + 2} failed"
    ]
    one, other = ValueError(SECRET), KeyError(SECRET)
    one.__cause__, other.__cause__ = other, one
    ours.warning("failed", exc_info=one)
    assert lines.one()["cause"] == ["KeyError"]


def test_only_the_innermost_places_are_told(lines: Lines) -> None:
    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        raise ValueError(SECRET)

    try:
        deep(50)
    except ValueError:
        ours.exception("failed")
    assert [place.split()[-1] for place in lines.one()["where"]] == 5 * ["deep"]


@pytest.mark.parametrize("form", ["json", "text"])
def test_in_full_everything_is_told(form: Form, root: logging.Logger) -> None:
    lines = Lines()
    root.addHandler(handler(lines, form, "full"))
    ours.warning("run failed", exc_info=failed())
    assert f"ValueError: {SECRET}" in lines.text()
    installed("library.warning('%s was used', value)")(SECRET)
    assert f"{SECRET} was used" in lines.text()


def test_a_line_of_the_projects_code_is_the_projects(lines: Lines) -> None:
    code_at(str(Path(__file__).parent / "agent.py"), "library.warning('order %s', value)")("7")
    assert lines.one()["message"] == "order 7"
    theirs.info("%s of %s", "one", "two", extra={"extra": "kept"})
    assert {"message": "one of two", "extra": "kept"}.items() <= lines.one().items()


def test_a_line_whose_values_do_not_fit_stays_as_it_was_written() -> None:
    alone, lines = logging.Logger("their.agent"), Lines()  # pytest's own handlers would raise
    alone.addHandler(handler(lines, "json", "types"))
    alone.info("%d orders", "seven")
    assert lines.one()["message"] == "%d orders"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("library.warning('a constant ' 'sentence')", "a constant sentence"),
        ("library.error('Error in %s: %r', 'handler', value, extra={'given': value})", "Error in %s: %r"),
        ("library.warning(f'Retrying after {value}')", LEFT_OUT),
        ("library.warning('Retrying after ' + value)", LEFT_OUT),
        ("library.warning('Retrying after {}'.format(value))", LEFT_OUT),
        ("library.warning(ValueError(value))", LEFT_OUT),
    ],
)
def test_a_librarys_line_is_what_its_author_wrote(lines: Lines, source: str, message: str) -> None:
    installed(source)(SECRET)
    line = lines.one()
    assert line["message"] == message
    assert line["where"] == "some_library/deep.py:2"
    assert SECRET not in str(line)


def test_a_library_that_logs_an_exception_tells_its_type(lines: Lines) -> None:
    try:
        raise failed()
    except ValueError:
        installed("library.exception('went wrong: %s', value)")(SECRET)
    line = lines.one()
    assert (line["message"], line["error"]) == ("went wrong: %s", "ValueError")
    assert line["where"][0].startswith("tests/logs/test_lines.py:")
    assert SECRET not in str(line)


@pytest.mark.parametrize("file", ["<string>", asyncio.__file__])
def test_code_of_unknown_origin_and_of_python_itself_counts_as_a_library(lines: Lines, file: str) -> None:
    code_at(file, "library.warning(f'{value}')")(SECRET)
    assert lines.one()["message"] == LEFT_OUT


def test_nothing_of_where_it_is_installed_is_told(lines: Lines) -> None:
    ours.warning("failed", exc_info=failed())
    installed("library.warning('a sentence')")(SECRET)
    told = lines.text()
    assert not [root for root in sys.path if len(root) > 1 and root in told]
