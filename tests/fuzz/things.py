"""What is there on a server, so that requests can name it: else all of them would end at a 404."""

from collections.abc import Iterator
from typing import Any

import requests

from tests.servers import said

Json = Any
GRAPHS = ("echo", "ask", "approve", "fail", "modes", "nested", "pair", "whoami")
INPUTS: dict[str, Json] = {"pair": {"questions": ["a", "b"]}}
FEWEST = 8


class Things:
    """Threads with a run and a state each, kept at a number however many are deleted."""

    def __init__(self, session: requests.Session, url: str) -> None:
        self._session, self._url = session, url
        self._threads: list[dict[str, str]] = []
        self._graphs = self._cycle()
        self.assistants = [
            one["assistant_id"] for one in self._post("/assistants/search", {"limit": 100}).json()
        ]

    def pick(self, number: int) -> dict[str, str]:
        """One of the threads as values for the parameters of a path."""
        while len(self._threads) < FEWEST:
            self._threads.append(self._make(next(self._graphs)))
        return self._threads[number % len(self._threads)]

    def forget(self, thread_id: str) -> None:
        self._threads = [one for one in self._threads if one["thread_id"] != thread_id]

    def _cycle(self) -> Iterator[str]:
        while True:
            yield from GRAPHS

    def _make(self, graph: str) -> dict[str, str]:
        thread_id = self._post("/threads", {"metadata": {"graph_id": graph}}).json()["thread_id"]
        asked = {"assistant_id": graph, "input": {**said("hi"), **INPUTS.get(graph, {})}}
        run = self._post(f"/threads/{thread_id}/runs/wait", {**asked, "stream_resumable": True})
        state = self._session.get(f"{self._url}/threads/{thread_id}/state").json()
        return {
            "thread_id": thread_id,
            "run_id": run.headers["content-location"].split("/")[4],
            "checkpoint_id": state["checkpoint"]["checkpoint_id"],
        }

    def _post(self, path: str, body: Json) -> requests.Response:
        response = self._session.post(self._url + path, json=body)
        assert response.status_code == 200, response.text
        return response
