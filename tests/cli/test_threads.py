"""`holdfast threads`, command by command, as an operator sees it."""

import io
import stat
import uuid
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.console import Console

from holdfast.cli import thread_files, thread_views
from holdfast.cli.chat_screen import Screen, piped
from holdfast.cli.operators import columns
from holdfast.errors import Invalid, StartError, ThreadExists, ThreadNotFound
from tests.servers import Live, said

Json = Any

APPROVE = {"type": "approve"}


class Shown:
    """A screen that is not a terminal, and what it has shown."""

    def __init__(self) -> None:
        self._file = io.StringIO()
        console = Console(file=self._file, highlight=False, markup=False, emoji=False, width=80)
        self.screen = Screen(console, piped)

    @property
    def lines(self) -> list[str]:
        return self._file.getvalue().splitlines()

    @property
    def text(self) -> str:
        return self._file.getvalue()


@pytest.fixture
def shown() -> Shown:
    return Shown()


async def thread_of(server: Live, subject: str, *texts: str) -> str:
    sdk = server.sdk(subject)
    thread_id = (await sdk.threads.create())["thread_id"]
    for text in texts:
        await sdk.runs.wait(thread_id, "echo", input=said(text))
    return thread_id


async def listed(
    server: Live, owner: str = "", status: str | None = None, limit: int = 20
) -> list[list[str]]:
    shown = Shown()
    await thread_views.list_threads("default", owner, status, limit, server.platform, shown.screen)
    head, *rows = (line.split("  ") for line in shown.lines)
    assert [cell.strip() for cell in head if cell] == list(thread_views.HEADS)
    return [[cell.strip() for cell in row if cell] for row in rows]


async def test_ls_lists_the_newest_first_and_picks(server: Live) -> None:
    ann = await thread_of(server, "ann", "hi", "again")
    bob = await thread_of(server, "bob")
    failed = await thread_of(server, "ann")
    await server.sdk("ann").runs.wait(failed, "fail", input={}, raise_error=False)
    rows = await listed(server)
    assert [row[0] for row in rows] == [failed, bob, ann]
    assert rows[2][1:5] == ["idle", "ann", "echo", "2"]
    assert rows[1][1:4] == ["idle", "bob", "0"]
    assert [row[0] for row in await listed(server, owner="ann")] == [failed, ann]
    assert [row[0] for row in await listed(server, status="error")] == [failed]
    assert [row[0] for row in await listed(server, owner="ann", status="idle")] == [ann]
    assert [row[0] for row in await listed(server, limit=2)] == [failed, bob]
    assert await listed(server, owner="nobody") == []


async def test_ls_finds_an_old_thread_of_a_status(server: Live) -> None:
    failed = await thread_of(server, "ann")
    await server.sdk("ann").runs.wait(failed, "fail", input={}, raise_error=False)
    for _ in range(5):
        await thread_of(server, "ann")
    assert [row[0] for row in await listed(server, status="error", limit=1)] == [failed]


async def test_show_tells_what_there_is(server: Live, shown: Shown) -> None:
    sdk = server.sdk("ann")
    thread_id = await thread_of(server, "ann", "hi\x1b[31m there")
    await sdk.threads.update(thread_id, metadata={"topic": "tea"})
    asked: Json = {"questions": ["a", "b"]}
    await sdk.runs.wait(thread_id, "approve", input=asked)
    state: Json = await sdk.threads.get_state(thread_id)
    answer: Json = {"resume": {state["interrupts"][0]["id"]: APPROVE}}
    await sdk.runs.wait(thread_id, "approve", command=answer)
    await thread_views.show_thread(thread_id, 10, server.platform, shown.screen)
    assert shown.lines[:4] == [
        f"thread {thread_id}",
        "  status    interrupted",
        "  owner     ann, tenant default",
        "  graph     approve",
    ]
    assert "  expires   never" in shown.lines
    assert '"topic":"tea"' in shown.text
    assert f"  decided   {thread_id}-a by ann at " in shown.text
    assert "runs (3)" in shown.lines
    assert "waiting (1)" in shown.lines
    assert f"  {thread_id}-b  Launch" in shown.lines
    assert shown.lines[-3:] == ["messages (2)", "  human: hi[31m there", "  ai: echo: hi[31m there"]


async def test_show_of_a_thread_that_has_done_nothing(server: Live, shown: Shown) -> None:
    thread_id = await thread_of(server, "ann")
    await thread_views.show_thread(thread_id, 10, server.platform, shown.screen)
    assert {"runs (0)", "waiting (0)", "messages (0)"} <= set(shown.lines)


async def test_what_is_no_thread_is_said(server: Live, shown: Shown) -> None:
    for name in (str(uuid.uuid4()), "nonsense"):
        with pytest.raises(ThreadNotFound, match=f"There is no thread {name} here: `holdfast threads ls`"):
            await thread_views.show_thread(name, 10, server.platform, shown.screen)


@pytest.mark.parametrize(("lines", "first"), [(0, None), (1, "end"), (3, None), (1000, "metadata")])
async def test_tail_shows_the_last_events(server: Live, shown: Shown, lines: int, first: str | None) -> None:
    thread_id = await thread_of(server, "ann", "hi")
    await thread_views.tail_thread(thread_id, lines, True, server.platform, shown.screen)
    logged = await server.platform.client.call("XLEN", server.platform.keys.events(thread_id))
    assert len(shown.lines) == min(lines, logged)
    if first:
        assert shown.lines[0].split()[3] == first
    if lines:
        place, at, run, mode, data = shown.lines[-1].split(maxsplit=4)
        assert (place, mode, orjson.loads(data)["status"]) == (f"1-{logged}", "end", "success")
        assert (len(at), len(run)) == (len("12:00:00.000"), 8)


async def test_size_says_what_weighs_and_why(server: Live, shown: Shown) -> None:
    thread_id = await thread_of(server, "ann", "x" * 5000, "hi")
    await thread_views.show_size(thread_id, server.platform, shown.screen)
    assert shown.lines[0].endswith(" bytes in Redis")
    assert any(line.startswith("  checkpoints ") for line in shown.lines)
    [messages] = [line.split() for line in shown.lines if line.startswith("  messages ")]
    assert messages[2:4] == ["4", "versions"]
    assert shown.lines[-2].startswith("6 checkpoints are ")


async def test_export_and_import_are_each_others_inverse(
    server: Live, shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    thread_id, platform = await thread_of(server, "ann", "hi"), server.platform
    sdk = server.sdk("ann")
    before = await sdk.threads.get_history(thread_id)
    await thread_files.export_thread(thread_id, None, platform, shown.screen)
    file = tmp_path / f"{thread_id}.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(StartError, match="exists already: name another file with --output"):
        await thread_files.export_thread(thread_id, None, platform, shown.screen)
    with pytest.raises(ThreadExists, match="--id, or erase what has it with --replace"):
        await thread_files.import_thread(file, None, False, platform, shown.screen)
    await sdk.runs.wait(thread_id, "echo", input=said("meanwhile"))
    await thread_files.import_thread(file, None, True, platform, shown.screen)
    assert await sdk.threads.get_history(thread_id) == before
    other = str(uuid.uuid4())
    await thread_files.import_thread(file, other.upper(), False, platform, shown.screen)
    assert shown.lines[-1] == f"thread {other} of ann, tenant default: idle"
    assert len(await sdk.threads.get_history(other)) == len(before)


async def test_what_cannot_be_exported_or_imported_is_said(
    server: Live, shown: Shown, tmp_path: Path
) -> None:
    platform, thread_id = server.platform, await thread_of(server, "ann", "hi")
    before: Any = await server.sdk("ann").threads.get(thread_id)
    broken = tmp_path / "broken.json"
    refused: list[tuple[str, str, type[Exception]]] = [
        ("", "cannot be read (No such file or directory)", StartError),
        ("{", "is no exported thread: unexpected end of data", StartError),
        (f'{{"thread_id": "{thread_id}"}}', "This is no exported thread: format", Invalid),
    ]
    for text, sentence, error in refused:
        if text:
            broken.write_text(text)
        with pytest.raises(error) as raised:
            await thread_files.import_thread(broken, thread_id, True, platform, shown.screen)
        assert sentence in str(raised.value)
    with pytest.raises(StartError, match="--id x is no UUID"):
        await thread_files.import_thread(broken, "x", False, platform, shown.screen)
    with pytest.raises(StartError, match=r"cannot be written \(No such file or directory\)"):
        await thread_files.export_thread(thread_id, tmp_path / "no" / "file", platform, shown.screen)
    assert await server.sdk("ann").threads.get(thread_id) == before, "nothing is erased for a broken file"


async def test_erase_asks_and_tells(server: Live, shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    thread_id, platform = await thread_of(server, "ann", "hi"), server.platform
    with pytest.raises(StartError, match="nobody is here to confirm it: add --yes"):
        await thread_views.erase_thread(thread_id, False, platform, shown.screen)
    assert (await server.sdk("ann").threads.get(thread_id))["status"] == "idle"
    await thread_views.erase_thread(thread_id, True, platform, shown.screen)
    assert shown.lines[0] == "erased"
    assert "  threads      1" in shown.lines
    with pytest.raises(ThreadNotFound):
        await thread_views.show_thread(thread_id, 10, platform, shown.screen)


def test_columns_stand_under_each_other_whatever_is_in_them() -> None:
    rows = [("ID", "OWNER", "N"), ("1", "陈晓雨\n\x1b[2J", 5), ("2", "ann", "x")]
    assert columns(rows) == ["ID  OWNER       N", "1   陈晓雨 [2J  5", "2   ann         x"]
