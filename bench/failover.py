"""How long a run takes whose worker is killed: until another one has brought it to its end."""

import os
import signal
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from bench import servers
from bench.graphs import SLEEP_S
from bench.measures import APART, FULL, Bar, Length, Row

GIVE_UP_S = 60.0
POLL_S = 0.02


def failover_row(folder: Path, length: Length) -> Row:
    """Two workers, and the one that has the run is killed in the middle of a step."""
    times = [failover(folder / str(number)) for number in range(5 if length is FULL else 1)]
    limit = 6 + SLEEP_S
    return Row(
        f"a killed worker's run ended by another, a step of {SLEEP_S:g} s included",
        "s",
        bars=(Bar(limit, "<= 6 s and the step", of=APART),),
        figures={APART: statistics.median(times)},
    )


def failover(folder: Path) -> float:
    """Seconds from the kill to the end of the run."""
    with (
        servers.holdfast_apart(folder, workers=2) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=GIVE_UP_S) as http,
    ):
        thread = f"/threads/{post(http, '/threads')['thread_id']}"
        run = post(http, f"{thread}/runs", assistant_id="asleep", input={"text": ""})
        worker = int(poll(lambda: get(http, f"{thread}/state")["values"].get("text")))
        os.kill(worker, signal.SIGKILL)
        killed = time.perf_counter()
        poll(lambda: get(http, f"{thread}/runs/{run['run_id']}")["status"] == "success")
        return time.perf_counter() - killed


def poll(found: Callable[[], Any]) -> Any:
    deadline = time.perf_counter() + GIVE_UP_S
    while time.perf_counter() < deadline:
        if value := found():
            return value
        time.sleep(POLL_S)
    raise TimeoutError(f"not within {GIVE_UP_S:g} s")


def get(http: httpx.Client, path: str) -> Any:
    return http.get(path).raise_for_status().json()


def post(http: httpx.Client, path: str, **body: Any) -> Any:
    return http.post(path, json=body).raise_for_status().json()
