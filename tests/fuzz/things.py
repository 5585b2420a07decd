"""What is there on a server, so that requests can name it: else all of them would end at a 404."""

from collections.abc import Collection, Iterator, Mapping, Set
from typing import Any

import requests

from tests.servers import said
from tests.tenancy.belongings import YEARLY

Json = Any
GRAPHS = ("echo", "ask", "approve", "fail", "modes", "nested", "pair", "whoami")
INPUTS: dict[str, Json] = {"pair": {"questions": ["a", "b"]}}
FEWEST = 8
NAMES = frozenset(("thread_id", "run_id", "checkpoint_id", "cron_id", "approval_id", "assistant_id"))


class Things:
    """Threads with a run, a state, a cron and an assistant each, as many however many are deleted."""

    def __init__(self, session: requests.Session, url: str) -> None:
        self._session, self._url = session, url
        self._threads: list[dict[str, str]] = []
        self._graphs = self._cycle()
        self.assistants = [
            one["assistant_id"] for one in self._post("/assistants/search", {"limit": 100}).json()
        ]

    def pick(self, number: int, names: Collection[str]) -> dict[str, str]:
        """One of the threads as values for those parameters of a path that name something."""
        wanted = NAMES.intersection(names)
        while len(self._threads) < FEWEST or not self._having(wanted):
            self._threads.append(self._make(next(self._graphs)))
        found = self._having(wanted)
        return found[number % len(found)]

    def _having(self, names: Set[str]) -> list[dict[str, str]]:
        return [one for one in self._threads if names <= one.keys()]

    def forget(self, named: Mapping[str, str]) -> None:
        """What had these ids is gone: its thread is used no more."""
        self._threads = [one for one in self._threads if not named.items() <= one.items()]

    def _cycle(self) -> Iterator[str]:
        while True:
            yield from GRAPHS

    def _make(self, graph: str) -> dict[str, str]:
        thread_id = self._post("/threads", {"metadata": {"graph_id": graph}}).json()["thread_id"]
        asked = {"assistant_id": graph, "input": {**said("hi"), **INPUTS.get(graph, {})}}
        run = self._post(f"/threads/{thread_id}/runs/wait", {**asked, "stream_resumable": True})
        state = self._get(f"/threads/{thread_id}/state")
        waiting = self._get("/approvals", thread_id=thread_id)
        cron = self._post(f"/threads/{thread_id}/runs/crons", YEARLY).json()
        assistant = self._post("/assistants", {"graph_id": graph, "name": graph}).json()
        return {
            "thread_id": thread_id,
            "assistant_id": assistant["assistant_id"],
            "run_id": run.headers["content-location"].split("/")[4],
            "checkpoint_id": state["checkpoint"]["checkpoint_id"],
            "cron_id": cron["cron_id"],
            **({"approval_id": waiting[0]["approval_id"]} if waiting else {}),
        }

    def _get(self, path: str, **query: str) -> Json:
        return self._session.get(self._url + path, params=query).json()

    def _post(self, path: str, body: Json) -> requests.Response:
        response = self._session.post(self._url + path, json=body)
        assert response.status_code == 200, response.text
        return response
