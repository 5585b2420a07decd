"""A client's network that cuts streams: now and then in the middle of an event, else between two."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx

END = b"\r\n\r\n"  # of an event
IN_MID_EVENT = 0.2


@dataclass
class Cuts:
    """How many there were."""

    streams: int = 0
    cut: int = 0
    in_mid_event: int = 0


class CuttingTransport(httpx.AsyncBaseTransport):
    """Cuts each stream of events after some `few` to `many` of them; what was let through has arrived."""

    def __init__(self, inner: httpx.AsyncBaseTransport, cuts: Cuts, few: int, many: int) -> None:
        self._inner = inner
        self._cuts = cuts
        self._range = few, many

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            assert isinstance(response.stream, httpx.AsyncByteStream)
            self._cuts.streams += 1
            response.stream = CutStream(response.stream, self._cuts, random.randint(*self._range))
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class CutStream(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, cuts: Cuts, events: int) -> None:
        self._inner = inner
        self._cuts = cuts
        self._left = events
        self._in_mid_event = random.random() < IN_MID_EVENT

    async def __aiter__(self) -> AsyncIterator[bytes]:
        held = b""
        async for chunk in self._inner:
            held += chunk
            while self._left and (end := held.find(END)) >= 0:
                yield held[: end + len(END)]
                held = held[end + len(END) :]
                self._left -= 1
            if not self._left and (held or not self._in_mid_event):
                yield self._cut(held)
                raise httpx.ReadError("the network was cut")
        yield held

    def _cut(self, held: bytes) -> bytes:
        """What still comes through: not a whole event."""
        self._cuts.cut += 1
        self._cuts.in_mid_event += self._in_mid_event
        return held[: random.randint(1, len(held.partition(END)[0]))] if self._in_mid_event else b""

    async def aclose(self) -> None:
        await self._inner.aclose()
