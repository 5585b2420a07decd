"""The connection to Redis: redis-py, with all commands of one turn of the event loop sent as one pipeline."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib import resources
from typing import Any, NamedTuple, TypeVar

from hiredis import pack_command
from redis.asyncio import Connection, Redis
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

from holdfast.errors import Unavailable
from holdfast.redis.pools import REPLY_TIMEOUT_S, SOCKET_TIMEOUT_S, open_redis
from holdfast.redis.topology import Topology
from holdfast.telemetry.recorder import SILENT, Recorder

logger = logging.getLogger(__name__)

# Batches on their way at once, each on a connection of its own. Redis works on one at a time: more would only
# be smaller. It also bounds the connections of a process.
AT_ONCE = 4

MOVE_S = 0.02  # the pause of a command whose key is on its way to another server
CANCEL_AGAIN_S = 0.1
INSIST_S = (0.05, 0.4)

# What a healthy server answers while it cannot work: the command had no effect.
REFUSALS = (BusyLoadingError, ClusterDownError, MasterDownError, OutOfMemoryError, ReadOnlyError)
UNNAMED_REFUSALS = ("MISCONF", "NOREPLICAS", "BUSY ")

# What may be answered where a key is no more: by a server of a cluster, or by its silence.
ASTRAY = (AskError, TryAgainError, Unavailable)

# Commands that concern no key.
KEYLESS = frozenset({"ECHO", "INFO", "PING", "TIME"})
PLACES = {"EVALSHA": 3, "EVAL": 3, "XINFO": 2, "MEMORY": 2}  # of the first key, where it is not 1
# What a script answers to a write whose writer has lost the thread.
STALE = "FENCED"

REASONS = (
    (BusyLoadingError, "loading", "it is loading its data"),
    (OutOfMemoryError, "out_of_memory", "its memory is full"),
    (ReadOnlyError, "read_only", "it is read-only"),
)

T = TypeVar("T")
Argument = bytes | str | int | float
Future = asyncio.Future[Any]


class Script(NamedTuple):
    """A Lua script: the files of `redis/scripts` that it is made of, joined in this order."""

    name: str
    source: str
    sha: str

    @classmethod
    def load(cls, *files: str) -> "Script":
        folder = resources.files(__package__) / "scripts"
        source = "\n".join((folder / f"{file}.lua").read_text() for file in files)
        return cls(files[-1], source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


def unavailable(error: Exception) -> Unavailable:
    for kind, reason, why in REASONS:
        if isinstance(error, kind):
            return Unavailable(f"Redis does not work, {why}: try again in a moment.", reason)
    if isinstance(error, ResponseError):
        return Unavailable(
            f"Redis does not work ({str(error).split()[0]}): try again in a moment.", "refusing"
        )
    return Unavailable("Redis does not answer: try again in a moment.", "unreachable")


def refuses(reply: object) -> bool:
    return isinstance(reply, REFUSALS) or (
        isinstance(reply, ResponseError) and str(reply).startswith(UNNAMED_REFUSALS)
    )


async def insist(call: Callable[[], Awaitable[T]]) -> T:
    """Repeats a call until Redis can carry it out, however long that takes.

    For who is cancelled when it is no longer worth waiting: a run with its claim, a stream with its client.
    """
    first_s, longest_s = INSIST_S
    wait_s = first_s
    while True:
        try:
            return await call()
        except Unavailable as error:
            if wait_s == first_s:
                logger.warning("work waits for Redis", extra={"reason": error.reason})
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, longest_s)


class Client:
    """Runs commands and scripts; calls made in the same turn of the event loop share one round trip.

    Every script must be idempotent: redis-py repeats a command whose reply was lost.
    """

    def __init__(
        self, redis: Redis, patience_s: float = REPLY_TIMEOUT_S, recorder: Recorder = SILENT
    ) -> None:
        self.redis = redis
        self._patience_s = patience_s
        self._recorder = recorder
        self._queued: list[tuple[tuple[Argument, ...], Future]] = []
        self._queued_at = 0.0
        self._sending: set[asyncio.Task[None]] = set()
        # Taken from the pool for good: to take one and give it back takes as long as a round trip.
        self._idle: list[Connection] = []

    async def open(self) -> None:
        """Makes all its connections, so that no request waits for one and their number stays what it is."""
        deadline = asyncio.get_running_loop().time() + self._patience_s
        taking = (self._taken(deadline) for _ in range(AT_ONCE))
        taken = await asyncio.gather(*taking, return_exceptions=True)  # what fails is tried again later
        self._idle += [each for each in taken if not isinstance(each, BaseException)]

    async def servers(self) -> "list[Client]":
        """The servers that share the keys: what concerns no key of ours is asked of each."""
        return [self]

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Runs a script and returns its reply (bytes, int, list or None).

        Raises `redis.exceptions.ResponseError` for an error reply, `Unavailable` when Redis does not answer.
        """
        try:
            return await self.call("EVALSHA", script.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await self.call("EVAL", script.source, len(keys), *keys, *args)
        except ResponseError as error:
            if str(error).startswith(STALE):
                self._recorder.write_refused(script.name)
            raise

    def call(self, *command: Argument) -> Future:
        """Queues a command; the future holds its reply."""
        loop = asyncio.get_running_loop()
        if not self._queued:
            self._queued_at = loop.time()
            loop.call_soon(self._flush)
        reply: Future = loop.create_future()
        self._queued.append((command, reply))
        return reply

    def _flush(self) -> None:
        if not self._queued or len(self._sending) >= AT_ONCE:
            return
        batch, self._queued = self._queued, []
        # What had to wait for its turn has less time left, so that nobody waits for longer than he was told.
        task = asyncio.create_task(self._send(batch, self._queued_at + self._patience_s))
        self._sending.add(task)
        task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._flush()

    async def _send(self, batch: list[tuple[tuple[Argument, ...], Future]], deadline: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            replies = await self._exchange([command for command, _ in batch], deadline)
            self._recorder.redis_answered(loop.time() - began, len(batch))
        except (RedisError, OSError) as error:
            replies = [unavailable(error) for _ in batch]
        except Exception as error:  # an argument that redis-py cannot write, a reply that it cannot read
            replies = [error for _ in batch]
        if any(isinstance(reply, ReadOnlyError) for reply in replies):
            # It was demoted: the address may lead to another server by now.
            await self.redis.connection_pool.disconnect(inuse_connections=False)
            await asyncio.gather(*(connection.disconnect() for connection in self._idle))
        for (_, future), reply in zip(batch, replies, strict=True):
            self._deliver(future, unavailable(reply) if refuses(reply) else reply)

    def _deliver(self, future: Future, reply: Any) -> None:
        if isinstance(reply, Unavailable):
            self._recorder.redis_failed(reply.reason)
        if future.done():
            return
        if isinstance(reply, Exception):
            future.set_exception(reply)
        else:
            future.set_result(reply)

    async def _exchange(self, commands: Sequence[tuple[Argument, ...]], deadline: float) -> list[Any]:
        """The replies to commands that go out together; error replies are among them."""
        packed = [pack_command(command) for command in commands]  # type: ignore[arg-type]  # of any length
        names = [str(command[0]) for command in commands]
        loop = asyncio.get_running_loop()
        connection = self._idle.pop() if self._idle else await self._taken(deadline)
        try:
            return await connection.retry.call_with_retry(
                lambda: self._round_trip(connection, packed, names, deadline),
                lambda _: connection.disconnect(nowait=True),
                is_retryable=lambda _: loop.time() < deadline,
            )
        except BaseException:
            await connection.disconnect(nowait=True)  # what nobody has read must not answer somebody else
            raise
        finally:
            self._idle.append(connection)

    async def _taken(self, deadline: float) -> Connection:
        async with asyncio.timeout_at(deadline):
            taken: Connection = await self.redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]
        taken.socket_timeout = None  # redis-py's costs more than `_round_trip`'s
        return taken

    async def _round_trip(
        self, connection: Connection, packed: list[bytes], names: list[str], deadline: float
    ) -> list[Any]:
        loop, replies = asyncio.get_running_loop(), list[Any]()
        try:
            async with asyncio.timeout_at(min(loop.time() + SOCKET_TIMEOUT_S, deadline)) as limit:
                if not connection.is_connected:
                    # Sending would too, but it does not look for another master.
                    await connection.connect()  # type: ignore[no-untyped-call]
                await connection.send_packed_command(packed)
                for name in names:
                    if replies:
                        limit.reschedule(min(loop.time() + SOCKET_TIMEOUT_S, deadline))
                    try:
                        replies.append(await self.redis.parse_response(connection, name))
                    except ResponseError as error:
                        replies.append(error)
        except TimeoutError as error:
            raise RedisTimeoutError from error
        return replies

    async def close(self) -> None:
        while self._sending:
            await asyncio.wait(self._sending)
        await self.redis.aclose()


class Errand(NamedTuple):
    """A command on its way to the server that has its key."""

    command: tuple[Argument, ...]
    reply: Future
    deadline: float


class ClusterClient(Client):
    """The same for a cluster: a command goes to the server that has its key, with all others for that one."""

    def __init__(
        self,
        topology: Topology,
        patience_s: float = REPLY_TIMEOUT_S,
        recorder: Recorder = SILENT,
        **options: Any,
    ) -> None:
        super().__init__(open_redis(topology.homes()[0], **options), patience_s, recorder)
        self._topology = topology
        self._options = options
        self._clients: dict[str, Client] = {}
        self._astray: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        await asyncio.gather(*(server.open() for server in await self.servers()))

    async def servers(self) -> list[Client]:
        await self._topology.refresh()
        return [self._at(home) for home in self._topology.homes()]

    def _at(self, home: str) -> Client:
        if home not in self._clients:
            self._clients[home] = Client(open_redis(home, **self._options), self._patience_s, self._recorder)
        return self._clients[home]

    def call(self, *command: Argument) -> Future:
        loop = asyncio.get_running_loop()
        errand = Errand(command, loop.create_future(), loop.time() + self._patience_s)
        self._send_to(self._topology.home(key_of(command)), errand)
        return errand.reply

    def _send_to(self, home: str, errand: Errand) -> None:
        answer = self._at(home).call(*errand.command)
        answer.add_done_callback(partial(self._answered, home, errand))

    def _answered(self, home: str, errand: Errand, answer: Future) -> None:
        error = asyncio.CancelledError() if answer.cancelled() else answer.exception()
        if isinstance(error, ASTRAY):
            self._start(self._find(home, errand, error))  # also for who no longer waits: others will
        elif errand.reply.done():
            return
        elif error:
            errand.reply.set_exception(error)
        else:
            errand.reply.set_result(answer.result())

    async def _find(self, left: str, errand: Errand, error: Exception) -> None:
        """Sends a command to where its key is by now, as long as there is time, or tells why it cannot."""
        await self._topology.refresh()
        self._let_go()
        home = self._topology.home(key_of(errand.command))
        if errand.reply.done():
            return
        late = asyncio.get_running_loop().time() > errand.deadline
        if late or (isinstance(error, Unavailable) and home == left):
            errand.reply.set_exception(error if isinstance(error, Unavailable) else unavailable(error))
        elif type(error) is AskError:  # the key is on its way: only this once
            home = self._topology.address.at(error.host, error.port)
            self._at(home).call("ASKING")
            self._send_to(home, errand)
        else:
            if home == left:
                await asyncio.sleep(MOVE_S)
            self._send_to(home, errand)

    def _let_go(self) -> None:
        for gone in self._clients.keys() - set(self._topology.homes()):
            self._start(self._clients.pop(gone).close())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._astray.add(task)
        task.add_done_callback(self._astray.discard)

    async def close(self) -> None:
        while self._astray:
            await asyncio.wait(self._astray)
        for client in self._clients.values():
            await client.close()
        await super().close()


def key_of(command: Sequence[Argument]) -> str | bytes:
    """The key that says where a command goes. Any other goes to one server: its clock is everybody's."""
    name = str(command[0])
    found = "" if name in KEYLESS else command[PLACES.get(name, 1)]
    return found if isinstance(found, str | bytes) else str(found)


@asynccontextmanager
async def connect(
    url: str, patience_s: float = REPLY_TIMEOUT_S, *, recorder: Recorder = SILENT, **options: Any
) -> AsyncIterator[Client]:
    topology = Topology(url)
    client = (
        ClusterClient(topology, patience_s, recorder, **options)
        if topology.clustered
        else Client(open_redis(url, **options), patience_s, recorder)
    )
    try:
        yield client
    finally:
        await client.close()


async def cancel(*tasks: asyncio.Task[None], reason: str) -> None:
    """Cancels tasks that talk to Redis, until they have ended.

    Once is not enough: before Python 3.12 `asyncio.wait_for`, which redis-py uses, may swallow a cancel.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel(reason)
        await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)
