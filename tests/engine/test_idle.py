"""What a worker that has nothing to do asks of Redis."""

import asyncio
import time

from tests.servers import Live, live, valkey

MEASURED_S = 4.0
MOST_A_SECOND = 10


async def asked(server: Live) -> int:
    return int((await server.platform.client.redis.info("stats"))["total_commands_processed"])


async def test_an_idle_worker_asks_redis_next_to_nothing() -> None:
    with valkey() as url:
        async with live(url, lease_s=4) as server, server.http() as http:
            body = {"assistant_id": "echo", "schedule": "0 0 1 1 *"}
            for _ in range(50):
                assert (await http.post("/runs/crons", json=body)).status_code == 200
            before, begun = await asked(server), time.monotonic()
            await asyncio.sleep(MEASURED_S)  # a rate has to be measured over a time
            rate = (await asked(server) - before - 1) / (time.monotonic() - begun)
    assert rate <= MOST_A_SECOND
