"""What nobody catches, and Python would print by itself."""

import asyncio
import gc
import logging
import threading
import warnings

import pytest

from holdfast.errors import StartError
from holdfast.telemetry import guarded, log_loop_error
from tests.logs.conftest import Lines

SECRET = "s3cr3t"


def fail() -> None:
    raise ValueError(SECRET)


def logged(lines: Lines, capfd: pytest.CaptureFixture[str]) -> dict[str, object]:
    """The one line; nothing else was written, to whatever stream."""
    told = lines.text()
    out, err = capfd.readouterr()
    assert SECRET not in told + out + err
    lines.stream.write(told)
    return lines.one()


def test_a_thread(lines: Lines, capfd: pytest.CaptureFixture[str]) -> None:
    with guarded("types"):
        thread = threading.Thread(target=fail, name=SECRET)
        thread.start()
        thread.join()
    line = logged(lines, capfd)
    assert (line["message"], line["error"]) == ("a thread failed", "ValueError")


def test_a_finalizer(lines: Lines, capfd: pytest.CaptureFixture[str]) -> None:
    class Finalized:
        def __del__(self) -> None:
            fail()

    gc.collect()  # what other tests have left
    lines.text(), capfd.readouterr()
    with guarded("types"):
        Finalized()
        gc.collect()
    assert logged(lines, capfd)["message"] == "an exception could not be raised"


def test_a_warning(lines: Lines, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(), guarded("types"):
        warnings.simplefilter("always")
        warnings.warn(SECRET, UserWarning, stacklevel=1)
    line = logged(lines, capfd)
    assert (line["message"], line["category"]) == ("Python warns", "UserWarning")


async def test_a_task_that_nobody_awaits(lines: Lines, capfd: pytest.CaptureFixture[str]) -> None:
    async def fail_later() -> None:
        fail()

    loop = asyncio.get_running_loop()
    gc.collect()  # tasks that other tests have left
    lines.text(), capfd.readouterr()
    loop.set_exception_handler(log_loop_error)
    try:
        task = loop.create_task(fail_later(), name=SECRET)
        await asyncio.wait([task])
        del task
        gc.collect()
        loop.call_soon(fail)
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(None)
    told = lines.read()
    assert SECRET not in str(told) + "".join(capfd.readouterr())
    own = [line["message"] for line in told if line.get("error") == "ValueError"]
    assert own == 2 * ["something failed in the background"]


def test_a_line_that_cannot_be_written(root: logging.Logger, capfd: pytest.CaptureFixture[str]) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                fail()
            except ValueError:
                self.handleError(record)

    root.addHandler(Broken())
    with guarded("types"):
        logging.getLogger("their.agent").warning("a line with %s", SECRET)
    assert SECRET not in capfd.readouterr().err


def test_the_end_of_the_process(lines: Lines, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, guarded("types"):
        fail()
    assert end.value.code == 1
    assert logged(lines, capfd)["message"] == "the process ended unexpectedly"


def test_a_start_that_is_refused_has_its_own_way_to_be_told(lines: Lines) -> None:
    with pytest.raises(StartError), guarded("types"):
        raise StartError("REDIS_URL is not set.")
    assert lines.text() == ""


def test_everything_is_as_before_afterwards_and_untouched_in_full(lines: Lines) -> None:
    before = threading.excepthook, warnings.showwarning, logging.raiseExceptions
    with guarded("types"):
        assert threading.excepthook is not before[0]
    with guarded("full"):
        assert before == (threading.excepthook, warnings.showwarning, logging.raiseExceptions)
    with pytest.raises(ValueError, match=SECRET), guarded("full"):
        fail()
    assert before == (threading.excepthook, warnings.showwarning, logging.raiseExceptions)
