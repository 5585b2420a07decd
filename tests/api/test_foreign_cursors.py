"""A place in a stream is no right to what is there."""

from typing import Any

from tests.api.wire import Sent, new_thread, read_stream, streamed
from tests.servers import Live, said

Json = Any


async def events(http: Any, thread_id: str, text: str) -> tuple[str, list[Sent]]:
    body = {"assistant_id": "echo", "input": said(text), "stream_mode": ["values"], "stream_resumable": True}
    sent = await streamed(http, f"/threads/{thread_id}/runs/stream", **body)
    return f"/threads/{thread_id}/runs/{sent[0].data['run_id']}/stream", sent


async def test_a_last_event_id_of_another_run_shows_nothing_of_it(server: Live) -> None:
    async with server.http("ann") as ann, server.http("eve") as eve:
        theirs = await new_thread(ann)
        _, first = await events(ann, theirs, "ann's first secret")
        last_path, last = await events(ann, theirs, "ann's last secret")
        own_path, own = await events(eve, await new_thread(eve), "eve's own")
        for sent in (*first, *last):
            assert sent.id
            headers = {"Last-Event-ID": sent.id}
            shown = read_stream((await eve.get(own_path, headers=headers)).text)
            assert "secret" not in str(shown)
            assert [one for one in own if one.id in {found.id for found in shown}] == shown
            assert (await eve.get(last_path, headers=headers)).status_code == 404
        again = read_stream((await ann.get(last_path, headers={"Last-Event-ID": str(first[-1].id)})).text)
    assert again == last, "and on one thread a run shows its own events only"
