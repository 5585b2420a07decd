"""Idempotency-Key: a client that tries again gets the run it has made."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers import Live, said


@pytest.fixture(autouse=True)
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "notes"
    monkeypatch.setenv("SERVED_NOTES", str(path))
    return path


def body(**more: Any) -> dict[str, Any]:
    return {"assistant_id": "steps", "input": said("hi"), **more}


def lines(notes: Path) -> list[str]:
    return notes.read_text().splitlines()


async def new_thread(http: httpx.AsyncClient) -> str:
    return str((await http.post("/threads", json={})).json()["thread_id"])


async def test_the_same_key_and_body_give_the_same_run(server: Live, notes: Path) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        key = {"Idempotency-Key": "one"}
        made = [await http.post(f"/threads/{thread_id}/runs", json=body(), headers=key) for _ in range(3)]
        assert [reply.status_code for reply in made] == [200] * 3
        assert len({reply.json()["run_id"] for reply in made}) == 1
        run_id = made[0].json()["run_id"]
        joined = (await http.get(f"/threads/{thread_id}/runs/{run_id}/join")).json()
        waited = await http.post(f"/threads/{thread_id}/runs/wait", json=body(), headers=key)
        assert waited.json() == joined
        streamed = await http.post(f"/threads/{thread_id}/runs/stream", json=body(), headers=key)
        assert run_id in streamed.text
        assert streamed.text.count("event: metadata") == 1
        assert len((await http.get(f"/threads/{thread_id}/runs")).json()) == 1
    assert lines(notes) == ["step 0", "step 1", "step 2"]


async def test_racing_requests_under_one_key_make_one_run(server: Live, notes: Path) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        key = {"Idempotency-Key": "race"}
        asked = [
            http.post(f"/threads/{thread_id}/runs/wait", json=body(input={"delay": 0.05}), headers=key)
            for _ in range(10)
        ]
        replies = await asyncio.gather(*asked)
        assert {reply.status_code for reply in replies} == {200}
        assert len({reply.text for reply in replies}) == 1
    assert len(lines(notes)) == 3


async def test_another_body_under_the_key_is_refused(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        key = {"Idempotency-Key": "two"}
        await http.post(f"/threads/{thread_id}/runs", json=body(), headers=key)
        other = await http.post(f"/threads/{thread_id}/runs", json=body(metadata={"a": 1}), headers=key)
        assert other.status_code == 422
        assert "Idempotency-Key" in other.json()["detail"]
        # The same key on another thread, or of another caller, is another key.
        elsewhere = await new_thread(http)
        assert (await http.post(f"/threads/{elsewhere}/runs", json=body(), headers=key)).status_code == 200


async def test_an_answer_sent_again_is_taken_once(server: Live, notes: Path) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        paused = await http.post(f"/threads/{thread_id}/runs/wait", json=body(assistant_id="approve"))
        [waiting] = paused.json()["__interrupt__"]
        answer = body(
            assistant_id="approve", input=None, command={"resume": {waiting["id"]: {"type": "approve"}}}
        )
        key = {"Idempotency-Key": "yes"}
        replies = [
            await http.post(f"/threads/{thread_id}/runs/wait", json=answer, headers=key) for _ in range(2)
        ]
        assert [reply.status_code for reply in replies] == [200, 200]
        assert replies[0].json() == replies[1].json()
        late = await http.post(f"/threads/{thread_id}/runs/wait", json=answer)
        assert late.status_code == 409
    assert len(lines(notes)) == 1


async def test_a_run_on_a_thread_of_its_own_is_made_once(server: Live, notes: Path) -> None:
    async with server.http() as http:
        key = {"Idempotency-Key": str(uuid.uuid4())}
        first = await http.post("/runs/wait", json=body(), headers=key)
        assert first.json()["log"] == ["step 0", "step 1", "step 2"]
        again = await http.post("/runs/wait", json=body(), headers=key)
        assert again.status_code == 409
        kept = {"Idempotency-Key": str(uuid.uuid4())}
        asked = body(on_completion="keep")
        replies = [await http.post("/runs/wait", json=asked, headers=kept) for _ in range(2)]
        assert replies[0].json() == replies[1].json()
    assert len(lines(notes)) == 6


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_has_a_length(server: Live, key: str) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        refused = await http.post(f"/threads/{thread_id}/runs", json=body(), headers={"Idempotency-Key": key})
        assert refused.status_code == 422
        assert "Idempotency-Key" in refused.json()["detail"]
