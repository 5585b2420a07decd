"""A client that takes nothing holds up no connection for good."""

import asyncio
import socket

from fastapi import FastAPI, Response

from holdfast.cli.server import Server
from tests.waiting import wait_until

LARGE = b"x" * 20_000_000


async def test_a_closed_connection_whose_client_does_not_read_is_let_go() -> None:
    app = FastAPI()
    app.state.stopping, app.state.closing = False, asyncio.Event()
    app.get("/large")(lambda: Response(LARGE))
    with socket.create_server(("127.0.0.1", 0)) as bound:
        running = Server(app, grace_s=1, send_timeout_s=1)
        serving = asyncio.create_task(running.serve(sockets=[bound]))
        connections = running.server_state.connections
        readers = [await asyncio.open_connection(*bound.getsockname(), limit=1024) for _ in range(2)]
        for _, writer in readers:
            writer.write(b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")

        (slow, slow_writer), (_, deaf_writer) = readers
        deaf = deaf_writer.get_extra_info("sockname")

        async def deaf_one_gone() -> bool:
            await slow.readexactly(100_000)
            return all(getattr(one, "client", None) != deaf for one in connections)

        async def both_closing() -> bool:
            return [one.transport.is_closing() for one in connections] == [True, True]

        await wait_until(both_closing, "both answers are written")
        await wait_until(deaf_one_gone, "the connection of the client that does not read is gone")
        assert (await slow.read()).endswith(LARGE[-1000:])
        for writer in (slow_writer, deaf_writer):
            writer.transport.abort()
        running.should_exit = True
        await serving
