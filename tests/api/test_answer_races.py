"""One plain question and two answers at once, from two clients at two replicas: one is taken."""

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.api.protocols import Json, answer
from tests.api.wire import new_thread
from tests.servers import Live

ROUNDS = 50
ANSWERS = ["one", "other"]


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "notes"
    monkeypatch.setenv("SERVED_NOTES", str(path))
    return path


def effects(notes: Path, thread_id: str) -> list[str]:
    """The answers with which the node after the question ran."""
    lines = [line.split() for line in notes.read_text().splitlines()]
    return [given for _, of_thread, given in lines if of_thread == thread_id]


async def asked(http: httpx.AsyncClient) -> tuple[str, str]:
    """A thread on which a question waits, and the question's id."""
    thread_id = await new_thread(http)
    path = f"/threads/{thread_id}/runs/wait"
    values = (await http.post(path, json={"assistant_id": "ask", "input": {}})).json()
    [interrupt] = values["__interrupt__"]
    return thread_id, interrupt["id"]


async def at_rest(http: httpx.AsyncClient, thread_id: str) -> list[Json]:
    """The runs of the thread, oldest first, when all have ended."""
    runs = (await http.get(f"/threads/{thread_id}/runs")).json()[::-1]
    for run in runs:
        await http.get(f"/threads/{thread_id}/runs/{run['run_id']}/join")
    return list(runs)


async def test_of_two_answers_one_is_taken_and_the_other_told(twins: tuple[Live, Live], notes: Path) -> None:
    one, other = twins
    async with one.http() as here, other.http() as there:
        for _ in range(ROUNDS):
            thread_id, question = await asked(here)
            replies = await asyncio.gather(
                *(
                    answer(http, thread_id, question, given)
                    for http, given in zip((here, there), ANSWERS, strict=True)
                )
            )
            runs = await at_rest(here, thread_id)
            taken = [
                given for reply, given in zip(replies, ANSWERS, strict=True) if reply["type"] == "success"
            ]
            [refused] = [reply for reply in replies if reply["type"] == "error"]
            assert refused["error"] == "no_such_interrupt"
            assert effects(notes, thread_id) == taken
            assert len(runs) == 2  # the one that asked, and one that brought the answer


async def test_of_answers_on_both_wires_one_executes(twins: tuple[Live, Live], notes: Path) -> None:
    one, other = twins
    async with one.http() as here, other.http() as there:
        for bare in [True, False] * (ROUNDS // 2):
            thread_id, question = await asked(here)
            command = {"resume": "other" if bare else {question: "other"}}
            reply, classic = await asyncio.gather(
                answer(here, thread_id, question, "one"),
                there.post(
                    f"/threads/{thread_id}/runs/wait", json={"assistant_id": "ask", "command": command}
                ),
            )
            await at_rest(here, thread_id)
            first = reply["type"] == "success"
            assert first or reply["error"] == "no_such_interrupt"
            assert effects(notes, thread_id) == ["one" if first else "other"]
            # It found nothing to answer, and ended with the thread as it was.
            assert classic.json()["answer"] == ("one" if first else "other")


async def test_a_strict_resume_is_refused_when_another_is_in_line(server: Live) -> None:
    body = {"assistant_id": "ask", "strict_resume": True}
    async with server.http() as http:
        thread_id, question = await asked(http)
        replies = await asyncio.gather(
            *(
                http.post(
                    f"/threads/{thread_id}/runs", json={**body, "command": {"resume": {question: given}}}
                )
                for given in ANSWERS
            )
        )
        await at_rest(http, thread_id)
    assert sorted(reply.status_code for reply in replies) == [200, 409]
    [refused] = [reply.json() for reply in replies if reply.status_code == 409]
    assert refused["code"] == "no_such_interrupt"
