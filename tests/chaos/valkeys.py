"""A Valkey that may be killed and comes back on the same data."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from redis.asyncio import Redis

from holdfast.redis.embedded import answers, binary, die_with_parent
from tests.waiting import wait_until


class Valkey:
    def __init__(self, folder: Path, fsync: str) -> None:
        self._fsync = fsync
        self.url = f"unix://{folder / 'v.sock'}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        options = {
            "port": "0",
            "unixsocket": str(self._folder / "v.sock"),
            "dir": str(self._folder),
            "logfile": str(self._folder / "valkey.log"),
            "save": "",
            "appendonly": "yes",
            "appendfsync": self._fsync,
        }
        command = [
            str(binary()),
            *(part for name, value in options.items() for part in (f"--{name}", value)),
        ]
        self._process = self._run(command)

        async def ready() -> bool:
            return await asyncio.to_thread(answers, self._folder / "v.sock")

        await wait_until(ready, "Valkey has loaded its data", 60)

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, preexec_fn=die_with_parent(), start_new_session=True)

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()

    async def restart(self) -> None:
        self.kill()
        await self.start()

    async def cut(self) -> None:
        """Cuts every connection."""
        redis = Redis.from_url(self.url)
        try:
            for kind in ("normal", "pubsub"):
                await redis.client_kill_filter(_type=kind, skipme=True)
        finally:
            await redis.aclose()


@asynccontextmanager
async def valkey(fsync: str) -> AsyncIterator[Valkey]:
    with TemporaryDirectory(prefix="hf-", dir="/tmp") as folder:
        server = Valkey(Path(folder), fsync)
        await server.start()
        try:
            yield server
        finally:
            server.kill()
