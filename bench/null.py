"""A server that answers at once and does nothing: what the load client reaches against it is its ceiling.

`python -m bench.null PORT`
"""

import asyncio
import sys
import uuid
from typing import cast

import uvloop

FRAMES = b"".join(
    b'event: %b\r\ndata: {"text":"hello"}\r\nid: 1-%d\r\n\r\n' % (event, number)
    for number, event in enumerate((b"metadata", b"values", b"values"))
)
STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    b"%x\r\n%b\r\n0\r\n\r\n" % (len(FRAMES), FRAMES)
)
JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


class Null(asyncio.Protocol):
    """Counts on one request at a time, with its length in front of its body."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none, by its class

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, ended, body = self._received.partition(b"\r\n\r\n")
        if not ended:
            return
        length = int((head.lower().partition(b"content-length:")[2] or b"0").partition(b"\r\n")[0])
        if len(body) < length:
            return
        path = head.split(b" ", 2)[1]
        self._received = b""
        self._transport.write(STREAM if path.endswith(b"/stream") else self._thread())

    def _thread(self) -> bytes:
        body = b'{"thread_id":"%b","text":""}' % str(uuid.uuid4()).encode()
        return JSON % (len(body), body)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Null, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
