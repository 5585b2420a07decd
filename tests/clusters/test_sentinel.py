"""A master that dies, and its replica that Sentinels put in its place."""

import asyncio
import uuid
from pathlib import Path

import pytest

from tests.clusters.nodes import watched
from tests.clusters.outages import ended_at_last
from tests.faults.conftest import begin, reached, works
from tests.servers import live

RUNS = 6
STEP_S = 0.5


async def test_work_goes_on_at_the_replica(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVED_NOTES", str(tmp_path / "notes"))
    async with (
        watched() as service,
        live(service.url, lease_s=4, prefix=f"t{uuid.uuid4().hex[:8]}") as server,
    ):
        runs = await asyncio.gather(*(begin(server, delay=STEP_S) for _ in range(RUNS)))
        await reached(tmp_path / "notes", RUNS)
        service.master.kill()
        await asyncio.gather(*(ended_at_last(server, run) for run in runs))
        assert await service.replica.says("replication", "role:master")
        await works(server)
