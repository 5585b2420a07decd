"""A worker that dies in the middle of a tick: the tick has one run all the same."""

from pathlib import Path

import pytest

from holdfast.redis import crons, lua, timers
from holdfast.redis.client import Script
from tests.api.ticking import YEARLY, make_due
from tests.faults.conftest import Valkey, noted
from tests.faults.proxy import Proxy
from tests.servers import SERVED, Live, holdfast, live
from tests.waiting import wait_until

STEPS = ["step 0", "step 1", "step 2"]


async def let_go(api: Live, cron_id: str) -> None:
    """The time is over for which the dead worker had the timer."""
    keys = api.platform.keys
    await timers.set_timer(api.platform.client, keys, keys.lane(cron_id), crons.KIND, cron_id, 0)


@pytest.mark.parametrize(
    ("dies_at", "on_run_completed"),
    [(timers.TAKE, "delete"), (lua.SUBMIT, "keep"), (crons.CHANGE, "keep"), (crons.CHANGE, "delete")],
    ids=["taken", "submitting", "advancing", "advancing, the run is gone"],
)
async def test_a_worker_that_dies_in_a_tick_neither_loses_nor_doubles_it(
    valkey: Valkey, proxy: Proxy, tmp_path: Path, dies_at: Script, on_run_completed: str
) -> None:
    notes = tmp_path / "notes"
    async with live(f"unix://{valkey.socket}", worker=False) as api, api.http("ann") as http:
        asked = {"assistant_id": "steps", "schedule": YEARLY, "input": {"delay": 0}}
        cron = (await http.post("/runs/crons", json={**asked, "on_run_completed": on_run_completed})).json()
        cron_id = cron["cron_id"]
        following_ms = await make_due(api, cron)
        command = ("worker", "--config", str(SERVED))
        environment = {
            "HOLDFAST_PREFIX": api.platform.keys.prefix,
            "HOLDFAST_LEASE_S": "1",
            "SERVED_NOTES": str(notes),
        }
        proxy.swallows_from = dies_at.sha.encode()
        async with holdfast(*command, REDIS_URL=proxy.url, **environment) as process:

            async def swallowed() -> bool:
                return proxy.black_hole

            await wait_until(swallowed, f"the worker came to {dies_at.name}", 30)
            process.kill()

        async def due_ms() -> int | None:
            found = await crons.load(api.platform.client, api.platform.keys, cron_id)
            return found.due_ms if found else None

        assert await due_ms() != following_ms, "the next tick is not set yet"
        async with holdfast(*command, REDIS_URL=f"unix://{valkey.socket}", **environment):
            if dies_at is crons.CHANGE:

                async def ran() -> bool:
                    return noted(notes) == STEPS

                await wait_until(ran, "the run that was started is done", 30)
            await let_go(api, cron_id)

            async def advanced() -> bool:
                return await due_ms() == following_ms and noted(notes)[-1:] == STEPS[-1:]

            await wait_until(advanced, "the next tick is set", 30)
        assert noted(notes) == STEPS
        threads = (await http.post("/threads/search", json={})).json()
        assert len(threads) == (1 if on_run_completed == "keep" else 0)
        await http.delete(f"/runs/crons/{cron_id}")


async def test_a_cron_is_made_changed_and_deleted_though_every_reply_is_lost_once(
    holdfast_behind: Live, proxy: Proxy
) -> None:
    async with holdfast_behind.http("ann") as http:
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        asked = {"assistant_id": "echo", "schedule": YEARLY, "metadata": {"a": 1}}
        for path in ("/runs/crons", f"/threads/{thread_id}/runs/crons"):
            proxy.losing, proxy.lost = True, set()
            made = await http.post(path, json=asked)
            assert made.status_code == 200
            cron = f"/runs/crons/{made.json()['cron_id']}"
            changed = await http.patch(cron, json={"schedule": "0 0 1 6 *", "metadata": {"b": 2}})
            assert changed.status_code == 200
            assert {crons.CREATE.sha.encode(), crons.CHANGE.sha.encode()} <= proxy.lost
            proxy.losing = False
            [found] = (await http.post("/runs/crons/search", json={})).json()
            assert found["metadata"] == {"a": 1, "b": 2}
            assert found == changed.json()
            proxy.losing = True
            assert (await http.delete(cron)).status_code == 204
            assert crons.DELETE.sha.encode() in proxy.lost
            proxy.losing = False
            assert (await http.post("/runs/crons/count", json={})).json() == 0
        assert (await http.delete(f"/threads/{thread_id}")).status_code == 204
