"""The way to a target: resolved once, every address looked at, the connection made to what was looked at."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest

from holdfast.core.webhooks.targets import Ip, Targets
from holdfast.core.webhooks.transport import Transport, Unresolved
from holdfast.errors import TargetRefused
from holdfast.settings import Settings
from tests.certificates import self_signed
from tests.webhooks.receivers import Answer, Receiver, receiving

NAME = "hooks.example"


class Names:
    """A name server of the attacker's: a name leads somewhere else each time it is asked for."""

    def __init__(self, *answers: str) -> None:
        self.answers = [list(map(ip_address, answer.split())) for answer in answers]
        self.asked: list[str] = []

    async def resolve(self, host: str) -> list[Ip]:
        self.asked.append(host)
        return self.answers.pop(0)


@asynccontextmanager
async def transport(receiver: Receiver, names: Names | None = None, *allow: str) -> AsyncIterator[Transport]:
    settings = {"webhook_http": True, "webhook_ports": (receiver.port,), "webhook_allow": allow}
    targets = Targets.of(Settings.model_validate(settings))
    made = Transport(targets, 5, names.resolve if names else None)
    try:
        yield made
    finally:
        await made.close()


async def post(made: Transport, receiver: Receiver, scheme: str = "http", name: str = NAME) -> Answer:
    url = f"{scheme}://{name}:{receiver.port}/hook?a=b"
    return Answer((await made.post(url, {"X-Test": "1"}, b"{}")).status)


async def test_the_connection_goes_to_the_address_that_was_looked_at() -> None:
    names = Names("127.0.0.1", "169.254.169.254")
    async with receiving() as receiver, transport(receiver, names, "127.0.0.0/8") as made:
        assert await post(made, receiver) == Answer(200)
        assert names.asked == [NAME], "asked once: what a second answer says does not count"
        [got] = receiver.got
        assert got.headers["host"] == f"{NAME}:{receiver.port}"
        assert got.path == "/hook?a=b"
        with pytest.raises(TargetRefused, match=r"hooks.example is not public \(169.254.169.254\)"):
            await post(made, receiver)
        assert receiver.connections == 1


@pytest.mark.parametrize(
    "answer", ["8.8.8.8 127.0.0.1", "127.0.0.1 8.8.8.8", "2606:4700::1 ::1", "::ffff:8.8.8.8"]
)
async def test_every_address_of_a_name_must_be_public(answer: str) -> None:
    async with receiving() as receiver, transport(receiver, Names(answer)) as made:
        with pytest.raises(TargetRefused, match="is not public"):
            await post(made, receiver)
        assert receiver.connections == 0


async def test_the_next_address_is_taken_where_nobody_listens() -> None:
    names = Names("127.0.0.3 127.0.0.1")
    async with receiving() as receiver, transport(receiver, names, "127.0.0.0/8") as made:
        assert await post(made, receiver) == Answer(200)


async def test_a_name_that_leads_nowhere() -> None:
    async with receiving() as receiver, transport(receiver) as made:
        with pytest.raises(Unresolved):
            await post(made, receiver, name="nowhere.invalid")


async def test_names_are_looked_up_by_the_system() -> None:
    async with receiving() as receiver, transport(receiver, None, "localhost") as made:
        answers = await asyncio.gather(*(post(made, receiver, name="localhost") for _ in range(20)))
        assert answers == [Answer(200)] * 20


async def test_an_answer_is_not_read_beyond_its_headers() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"5\r\nhello\r\n")
                await writer.drain()
        except ConnectionError:
            ended.set()
        finally:
            writer.close()

    ended = asyncio.Event()
    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    receiver = Receiver(port=server.sockets[0].getsockname()[1])
    async with server, transport(receiver, None, "127.0.0.1") as made:
        assert await post(made, receiver, name="127.0.0.1") == Answer(200)
        await asyncio.wait_for(ended.wait(), 5)


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Of hooks.example, issued by itself, and trusted as SSL_CERT_FILE says."""
    file = self_signed(tmp_path, NAME)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


async def test_a_certificate_is_asked_for_by_name_and_must_be_of_it(certificate: ssl.SSLContext) -> None:
    asked: list[str | None] = []
    certificate.sni_callback = lambda _socket, name, _context: asked.append(name)
    names = Names(*["127.0.0.1"] * 3)
    async with receiving(tls=certificate) as receiver, transport(receiver, names, "127.0.0.1") as made:
        assert await post(made, receiver, "https") == Answer(200)
        assert asked == [NAME]
        with pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
            await post(made, receiver, "https", name="other.example")
        assert await post(made, receiver, "https") == Answer(200)
        assert asked == [NAME, "other.example", NAME], "no connection is used for another name"
