"""API processes behind the project's own nginx, each of which may end and comes back."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.chaos.sites import Site
from tests.chaos.zygote import Child
from tests.nginx import Nginx, running_nginx
from tests.servers import free_port, wait_ready


class Replicas:
    def __init__(self, place: Site, nginx: Nginx, ports: list[int]) -> None:
        self.nginx = nginx
        self.ended: Counter[str] = Counter()
        self._place = place
        self._ports = ports
        self._children: list[Child] = []

    async def start(self) -> None:
        self._children = list(await asyncio.gather(*map(self._serve, self._ports)))

    async def replace(self, number: int) -> None:
        """Ends one by this signal, and waits until it is back: the others have its callers meanwhile."""
        at = random.randrange(len(self._ports))
        self._children[at].send(number)
        await self._children[at].wait(15)
        self.ended[signal.Signals(number).name] += 1
        self._children[at] = await self._serve(self._ports[at])

    async def _serve(self, port: int) -> Child:
        child = await self._place.serve(port)
        await wait_ready(f"http://127.0.0.1:{port}")
        return child


@asynccontextmanager
async def replicas(place: Site, folder: Path, count: int = 2, **directives: str) -> AsyncIterator[Replicas]:
    """`directives` replace those of deploy/nginx.conf."""
    ports = [free_port() for _ in range(count)]
    with running_nginx(folder, ports, **directives) as nginx:
        made = Replicas(place, nginx, ports)
        await made.start()
        yield made
