"""`holdfast chat` against a real server, its terminal played by the test."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from langgraph_sdk import get_sync_client

from holdfast.cli import chat, main
from holdfast.cli.chat_memory import memory_file, recall, remember
from holdfast.errors import StartError
from tests.cli.conftest import talk
from tests.servers import Live, free_port, said


async def last_thread(server: Live) -> str:
    [thread, *_] = await server.sdk().threads.search(limit=1)
    return thread["thread_id"]


async def answers(server: Live, thread_id: str) -> Any:
    state: Any = await server.sdk().threads.get_state(thread_id)
    return state["values"]["answers"]


async def asked(server: Live, assistant: str, subject: str | None = None, **values: Any) -> str:
    """A thread on which the graph waits for answers."""
    sdk = server.sdk(subject)
    thread = await sdk.threads.create()
    await sdk.runs.wait(thread["thread_id"], assistant, input={**said("go"), **values})
    return thread["thread_id"]


async def test_a_line_is_answered_in_either_language(server: Live) -> None:
    shown = await talk(server.url, "echo", "你好,世界", "and hello")
    assert "\necho: 你好,世界\necho: and hello\n" in shown


async def test_an_answer_is_shown_once_though_it_came_in_pieces_and_lies_in_the_state(server: Live) -> None:
    assert (await talk(server.url, "modes", "go")).count("one two three\n") == 1


async def test_the_servers_first_assistant_is_the_default(server: Live) -> None:
    await server.sdk().assistants.create("whoami", name="newer")
    assert "echo: hi" in await talk(server.url, None, "hi")


async def test_the_name_of_a_graph_is_not_that_of_another_assistant(server: Live) -> None:
    made = await server.sdk().assistants.create("fail", name="echo")
    assert "echo: hi" in await talk(server.url, "echo", "hi")
    assert "! boom" in await talk(server.url, made["assistant_id"], "hi")


async def test_an_assistant_is_found_by_its_id(server: Live) -> None:
    [found] = await server.sdk().assistants.search(graph_id="whoami")
    assert "whoami at" in await talk(server.url, found["assistant_id"])


async def test_a_run_that_fails_says_why_and_the_conversation_goes_on(server: Live) -> None:
    assert (await talk(server.url, "fail", "one", "two")).count("! boom\n") == 2


async def test_the_last_thread_goes_on_with_its_history(server: Live) -> None:
    await talk(server.url, "echo", "first")
    thread_id = await last_thread(server)
    shown = await talk(server.url, "echo", "second")
    assert f"thread {thread_id} goes on\n> first\necho: first\n" in shown
    assert shown.endswith("echo: second\n")
    assert await last_thread(server) == thread_id
    assert "first" not in await talk(server.url, "echo", "third", new=True)
    assert "> third" in await talk(server.url, "echo")


async def test_of_a_long_history_the_end_is_shown(server: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    await talk(server.url, "echo", "one", "two", "three")
    monkeypatch.setattr(chat, "HISTORY", 3)
    shown = await talk(server.url, "echo")
    assert "(3 earlier messages)\necho: two\n> three\necho: three\n" in shown


async def test_a_remembered_thread_that_is_gone_is_no_obstacle(server: Live) -> None:
    await talk(server.url, "echo", "first")
    await server.sdk().threads.delete(await last_thread(server))
    assert (await talk(server.url, "echo", "again")).endswith("echo: again\n")


async def test_a_run_that_is_going_on_is_followed(server: Live) -> None:
    sdk = server.sdk()
    thread = await sdk.threads.create()
    run = await sdk.runs.create(thread["thread_id"], "steps", input={**said("go"), "delay": 0.1})
    await talk(server.url, "steps", thread=thread["thread_id"])
    assert (await sdk.runs.get(thread["thread_id"], run["run_id"]))["status"] == "success"


# approvals


async def test_an_approval_is_asked_with_its_figures_and_approved(server: Live) -> None:
    shown = await talk(server.url, "approve", "launch it", "approve")
    assert "\nLaunch\n" in shown
    assert "approve, edit or reject?" in shown
    [answer] = (await answers(server, await last_thread(server))).values()
    assert answer["decision"] == {"decisions": [{"type": "approve"}]}
    assert answer["by"] == ["demo"]


async def test_several_approvals_are_asked_one_after_the_other(server: Live) -> None:
    thread_id = await asked(server, "approve", questions=["one", "two", "three"])
    shown = await talk(server.url, "approve", "reject", "太贵了", "edit count=2", "no", "", thread=thread_id)
    assert shown.count("\nLaunch\n") == 3
    decisions = [one["decision"]["decisions"][0] for one in (await answers(server, thread_id)).values()]
    assert decisions == [
        {"type": "reject", "message": "太贵了"},
        {"type": "edit", "edited_action": {"name": "launch", "args": {"count": "2"}}},
        {"type": "reject"},
    ]


async def test_an_edit_is_asked_field_by_field_and_a_refused_one_again(server: Live) -> None:
    thread_id = await asked(server, "approve")
    shown = await talk(server.url, "approve", "edit", "", "edit", "9", "edit", "1", thread=thread_id)
    assert "count is 3, at most 3; an empty line keeps it." in shown
    assert "Nothing was changed." in shown
    assert "! The edit is refused: count must be at most 3" in shown
    [answer] = (await answers(server, thread_id)).values()
    assert answer["decision"]["decisions"][0]["edited_action"]["args"] == {"count": "1"}


async def test_what_is_left_waiting_is_asked_again_on_an_empty_line_and_on_reconnect(server: Live) -> None:
    shown = await talk(server.url, "approve", "launch it", "", "", "")
    assert shown.count("\nLaunch\n") == 2
    assert (await talk(server.url, "approve", "yes")).count("\nLaunch\n") == 1
    assert len(await answers(server, await last_thread(server))) == 1


async def test_talk_is_no_answer(server: Live) -> None:
    shown = await talk(server.url, "approve", "launch it", "no, the other one", "approve it now", "approve")
    assert shown.count("\nLaunch\n") == 3
    [answer] = (await answers(server, await last_thread(server))).values()
    assert answer["decision"] == {"decisions": [{"type": "approve"}]}


async def test_an_approval_decided_elsewhere_is_told_and_left_alone(server: Live) -> None:
    thread_id = await asked(server, "approve")

    def meanwhile() -> str:
        with get_sync_client(url=server.url) as sdk:
            sdk.runs.wait(thread_id, "approve", command={"resume": {"type": "reject"}})
        return "approve"

    shown = await talk(server.url, "approve", meanwhile, thread=thread_id)
    assert "! This request was decided by demo at" in shown
    assert shown.count("\nLaunch\n") == 1
    [answer] = (await answers(server, thread_id)).values()
    assert answer["decision"] == {"decisions": [{"type": "reject"}]}


async def test_an_approval_of_somebody_else_is_refused_and_goes_on_waiting(server: Live) -> None:
    thread_id = await asked(server, "approve", "ann")
    shown = await talk(server.url, "approve", "approve", thread=thread_id)
    assert "! This request is for owner or chief to decide." in shown
    assert shown.count("\nLaunch\n") == 1


@pytest.mark.parametrize(("line", "value"), [("sure", "sure"), ('{"a": [1]}', {"a": [1]}), ("7", 7)])
async def test_any_other_interrupt_takes_text_or_json(server: Live, line: str, value: object) -> None:
    shown = await talk(server.url, "ask", "hi", line, new=True)
    assert "quoted: the run" in shown
    assert '"question": "go on?"' in shown
    state: Any = await server.sdk().threads.get_state(await last_thread(server))
    assert state["values"]["answer"] == value


# what stops it


async def refused(server: Live, **options: Any) -> str:
    with pytest.raises(StartError) as refusal:
        await talk(options.pop("url", server.url), options.pop("assistant", None), **options)
    return refusal.value.detail


async def test_what_cannot_begin_says_so_in_a_sentence(server: Live) -> None:
    assert "this server: it has approve, ask, " in await refused(server, assistant="sales")
    assert "pass a valid token with --token or CHAT_TOKEN" in await refused(server, token="wrong")
    assert "the token cannot be used" in await refused(server, token="密")
    assert "cannot be continued: Invalid thread ID" in await refused(server, thread="x")
    gone = "00000000-0000-7000-8000-000000000000"
    assert f"cannot be continued: Thread with ID {gone} not found" in await refused(server, thread=gone)
    assert "is not an address" in await refused(server, url="localhost")
    assert "answers 404: Not Found" in await refused(server, url=f"{server.url}/elsewhere")


async def test_what_is_no_agent_server_is_told_apart(server: Live) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        assert "is no agent server" in await refused(server, url=f"http://127.0.0.1:{port}")


async def test_a_token_says_who_is_talking(server: Live) -> None:
    token = server.headers("ann")["Authorization"].removeprefix("Bearer ")
    await talk(server.url, "whoami", "hi", token=token)
    [thread] = await server.sdk("ann").threads.search()
    values: Any = thread["values"]
    assert values["user"]["langgraph_auth_user"]["identity"] == "ann"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--url", f"http://127.0.0.1:{free_port()}"], "start one with `holdfast dev`"),
        (["--thread", "x", "--new"], "choose one of them"),
    ],
)
def test_the_command_ends_with_2(
    arguments: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["holdfast", "chat", *arguments])
    with pytest.raises(SystemExit) as exit:
        main()
    assert exit.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("holdfast: ")
    assert sentence in line


# memory


def test_each_server_has_a_thread_of_its_own(state_home: Path) -> None:
    remember("http://one", "a")
    remember("http://two", "b")
    remember("http://one", "c")
    assert (recall("http://one"), recall("http://two"), recall("http://three")) == ("c", "b", None)
    assert [path.name for path in (state_home / "holdfast").iterdir()] == ["chat.json"]


def test_a_broken_memory_is_an_empty_one(state_home: Path) -> None:
    remember("http://one", "a")
    for broken in (b"{", b"[]", orjson.dumps({"http://one": 1})):
        memory_file().write_bytes(broken)
        assert recall("http://one") is None
    remember("http://one", "b")
    assert recall("http://one") == "b"


def test_a_relative_state_folder_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert memory_file() == tmp_path / ".local" / "state" / "holdfast" / "chat.json"


async def test_a_memory_that_cannot_be_written_is_told(server: Live, state_home: Path) -> None:
    await asyncio.to_thread(state_home.write_text, "a file where the folder should be")
    shown = await talk(server.url, "echo", "hi")
    assert "is not remembered" in shown
    assert shown.endswith("echo: hi\n")
