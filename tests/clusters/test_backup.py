"""A copy of the append-only file, taken as docs/deploy.md says while work goes on, is a backup."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.clusters.nodes import QUIET, Node, answering
from tests.faults.conftest import works
from tests.servers import Live, live, said
from tests.waiting import wait_until

KEPT = ("--appendonly", "yes", "--aof-load-truncated", "yes")


@asynccontextmanager
async def serving(folder: Path, prefix: str) -> AsyncIterator[tuple[Node, Live]]:
    node = Node(folder, (*QUIET, *KEPT))
    node.start()
    try:
        await wait_until(answering([node]), "the server answers")
        async with live(f"redis://127.0.0.1:{node.port}", prefix=prefix) as server:
            yield node, server
    finally:
        node.kill()


async def test_a_copy_of_the_append_only_file_is_a_backup() -> None:
    prefix = f"t{uuid.uuid4().hex[:8]}"
    with TemporaryDirectory(prefix="hf-", dir="/tmp") as folder:
        before, after = Path(folder, "before"), Path(folder, "after")
        async with serving(before, prefix) as (node, server):
            sdk = server.sdk()
            thread_id = (await sdk.threads.create())["thread_id"]
            await sdk.runs.wait(thread_id, "echo", input=said("kept"))
            writing = asyncio.gather(*(works(server) for _ in range(5)))
            await node.ask("CONFIG", "SET", "auto-aof-rewrite-percentage", 0)
            assert await node.says("persistence", "aof_rewrite_in_progress:0")
            await asyncio.to_thread(shutil.copytree, before / "appendonlydir", after / "appendonlydir")
            await writing
        async with serving(after, prefix) as (_, server):
            state = await server.sdk().threads.get_state(thread_id)
            assert "kept" in str(state["values"])
            await works(server)
