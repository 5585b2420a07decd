"""A client for approvals, for programs that decide or watch them: a bot, an inbox, a script.

    async with ApprovalsClient("http://127.0.0.1:8123", api_key=key) as approvals:
        for one in await approvals.list(role="chief"):
            await approvals.approve(one)

What a server refuses is an `ApprovalsError`; that it cannot be reached is an `httpx.TransportError`.
"""

import asyncio
import builtins
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from holdfast.wire.approvals import ApprovalDetail, ApprovalSearch, ApprovalShown, ApprovalStatus

T = TypeVar("T")

Decision = Mapping[str, Any]

GAP = "gap"  # events were missed: list the approvals again

TIMEOUT_S = 30.0
SILENCE_S = 20.0  # a server that is there sends something on a stream every five seconds
AGAIN_S = (0.1, 5.0)  # first and longest wait before a stream is opened again
AWAY = (429, 502, 503, 504)  # what is answered while a server stops or starts


class ApprovalsError(Exception):
    """A server refuses: `status` and `code` say why, `detail` is its sentence.

    `approval` is the request as it stands by then, where the answer was about one that the caller may see.
    """

    def __init__(self, status: int, code: str, detail: str, approval: ApprovalShown | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.approval = approval


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the approvals that were asked for; `total` is how many there are."""

    approvals: list[ApprovalShown]
    total: int

    def __iter__(self) -> Iterator[ApprovalShown]:
        return iter(self.approvals)

    def __len__(self) -> int:
        return len(self.approvals)


@dataclass(frozen=True, slots=True)
class Decided:
    """A request after an answer; unless that is `on_disk`, it was taken but may still go with Redis."""

    approval: ApprovalShown
    on_disk: bool


@dataclass(frozen=True, slots=True)
class ApprovalEvent:
    """Something that happened to an approval: `type` is what, as in its history; `GAP` for what was missed.

    `approval` is how it stands now; None for a `GAP`, and for one that is not to be seen any more:
    it is for others to decide now, or went with its thread.
    """

    type: str
    id: str | None
    approval_id: str = ""
    approval: ApprovalShown | None = None


class ApprovalsClient:
    """Approvals of one server, as one caller. Use it as a context manager, or `close` it."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        own = {"Authorization": f"Bearer {token}"} if token else {}
        own |= {"x-api-key": api_key} if api_key else {}
        self._http = httpx.AsyncClient(
            base_url=url, headers={**own, **(headers or {})}, timeout=timeout_s, transport=transport
        )
        self._silence = httpx.Timeout(timeout_s, read=SILENCE_S)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    # looked at

    async def list(
        self,
        *,
        status: ApprovalStatus | Literal["all"] = "open",
        role: str | None = None,
        assignee: str | None = None,
        graph_id: str | None = None,
        action: str | None = None,
        thread_id: str | None = None,
        min_age_s: float = 0,
        sort_by: Literal["due", "created_at"] = "due",
        limit: int = 20,
        offset: int = 0,
    ) -> Page:
        """Those that wait, next due first; with another `status`, those that wait no more, newest first."""
        search = ApprovalSearch(
            status=status,
            role=role,
            assignee=assignee,
            graph_id=graph_id,
            action=action,
            thread_id=thread_id,
            min_age_s=min_age_s,
            sort_by=sort_by,
            limit=limit,
            offset=offset,
        )
        response = await self._call("GET", "/approvals", params=search.model_dump(exclude_none=True))
        found = read(builtins.list[ApprovalShown], response)
        return Page(found, int(response.headers.get("X-Pagination-Total", len(found))))

    async def get(self, approval_id: str) -> ApprovalDetail:
        """A request with its figures and its history. That it was looked at becomes part of that."""
        return read(ApprovalDetail, await self._call("GET", path(approval_id)))

    async def stream(self, last_event_id: str | None = None) -> AsyncGenerator[ApprovalEvent, None]:
        """What happens to approvals, from now on or after the event with an id, until it is closed.

        It begins with a `GAP`, unless it was told where: list the approvals then, and at each later `GAP`. A
        stream that is cut is opened again where it was. Raises what comes of the first attempt to open it,
        and later an `ApprovalsError` that no waiting mends.
        """
        seen, opened, wait_s = last_event_id, False, AGAIN_S[0]
        clock = asyncio.get_running_loop()
        while True:
            started = clock.time()
            try:
                async with self._open(seen) as response:
                    opened = True
                    if seen is None:
                        yield ApprovalEvent(GAP, None)
                    async for event in events(response):
                        seen = event.id or seen
                        yield event
            except (httpx.TransportError, ApprovalsError) as error:
                if not opened or not passes(error):
                    raise
            wait_s = min(2 * wait_s, AGAIN_S[1]) if clock.time() - started < AGAIN_S[1] else AGAIN_S[0]
            await asyncio.sleep(wait_s)

    # answered

    async def claim(self, approval: str | ApprovalShown, seconds: int = 300) -> ApprovalShown:
        """Takes a request in hand: for a while nobody else decides it."""
        return await self._act(approval, "claim", {"seconds": seconds})

    async def release(self, approval: str | ApprovalShown) -> ApprovalShown:
        """Lets go of a claim."""
        return await self._act(approval, "release", None)

    async def decide(
        self, approval: str | ApprovalShown, decisions: Sequence[Decision], *, revision: str | None = None
    ) -> Decided:
        """Answers a request with a decision for each of its actions, in their order.

        With `revision`, or an approval in the place of its id, only as it was then: 409 if something has
        happened to it since. Of several deciders this is a vote: the request may go on waiting.
        """
        if isinstance(approval, ApprovalShown):
            revision = revision or approval.revision
        body: dict[str, Any] = {"decisions": [dict(one) for one in decisions]}
        body |= {"revision": revision} if revision else {}
        response = await self._call("POST", path(approval, "decisions"), json=body)
        return Decided(read(ApprovalShown, response), response.status_code != httpx.codes.ACCEPTED)

    async def approve(self, approval: str | ApprovalShown) -> Decided:
        """Says yes to all of its actions; an id alone is taken for a request with one."""
        return await self.decide(approval, [{"type": "approve"}] * count_actions(approval))

    async def reject(self, approval: str | ApprovalShown, message: str = "") -> Decided:
        """Says no to all of its actions; an id alone is taken for a request with one."""
        no = {"type": "reject", "message": message} if message else {"type": "reject"}
        return await self.decide(approval, [no] * count_actions(approval))

    async def edit(self, approval: ApprovalShown, args: Mapping[str, Any]) -> Decided:
        """Says yes to its one action with other arguments. Raises `ValueError` where it has several."""
        if len(approval.actions) != 1:
            raise ValueError("This request has several actions: `decide` takes a decision for each of them.")
        action = {"name": approval.actions[0], "args": dict(args)}
        return await self.decide(approval, [{"type": "edit", "edited_action": action}])

    # asked

    async def _act(self, approval: str | ApprovalShown, what: str, body: Any) -> ApprovalShown:
        return read(ApprovalShown, await self._call("POST", path(approval, what), json=body))

    async def _call(self, method: str, address: str, **what: Any) -> httpx.Response:
        response = await self._http.request(method, address, **what)
        check(response)
        return response

    @asynccontextmanager
    async def _open(self, seen: str | None) -> AsyncIterator[httpx.Response]:
        headers = {"Last-Event-ID": seen} if seen else {}
        async with self._http.stream(
            "GET", "/approvals/stream", headers=headers, timeout=self._silence
        ) as response:
            if response.is_error:
                await response.aread()
            check(response)
            yield response


def path(approval: str | ApprovalShown, *parts: str) -> str:
    approval_id = approval if isinstance(approval, str) else approval.approval_id
    return "/".join(("/approvals", quote(approval_id, safe=":"), *parts))


def count_actions(approval: str | ApprovalShown) -> int:
    return 1 if isinstance(approval, str) else len(approval.actions)


# answers read


class Refusal(BaseModel):
    detail: Any = None
    code: str = ""
    approval: ApprovalShown | None = None


class Happened(BaseModel):
    approval_id: str = ""
    approval: ApprovalShown | None = None


def check(response: httpx.Response) -> None:
    """Raises `ApprovalsError` for anything but a success."""
    if response.is_success:
        return
    try:
        told = Refusal.model_validate_json(response.content)
    except ValidationError:
        told = Refusal()
    detail = (
        told.detail if isinstance(told.detail, str) else f"{response.url} answers {response.status_code}."
    )
    raise ApprovalsError(response.status_code, told.code, detail, told.approval)


def read(shape: type[T], response: httpx.Response) -> T:
    try:
        return TypeAdapter(shape).validate_json(response.content)
    except ValidationError as error:
        raise unreadable(response.status_code) from error


def unreadable(status: int) -> ApprovalsError:
    return ApprovalsError(status, "unreadable", "What answers is no Holdfast, or one of another version.")


def passes(error: httpx.TransportError | ApprovalsError) -> bool:
    """Whether it is worth trying again: a server stops, starts, or cannot be reached."""
    return not isinstance(error, ApprovalsError) or error.status in AWAY


# streams read


class Frame(NamedTuple):
    name: str
    data: str
    id: str | None


async def events(response: httpx.Response) -> AsyncIterator[ApprovalEvent]:
    async for frame in frames(response.aiter_bytes()):
        yield read_event(frame)


def read_event(frame: Frame) -> ApprovalEvent:
    try:
        told = Happened.model_validate_json(frame.data)
    except ValidationError as error:
        raise unreadable(httpx.codes.OK) from error
    return ApprovalEvent(frame.name, frame.id, told.approval_id, told.approval)


async def frames(chunks: AsyncIterable[bytes]) -> AsyncIterator[Frame]:
    """The events of an SSE body. What a cut has left incomplete is none."""
    fields: dict[str, str] = {}
    async for line in lines(chunks):
        name, _, value = line.partition(":")
        if line and name:
            value = value.removeprefix(" ")
            fields[name] = f"{fields[name]}\n{value}" if name == "data" and name in fields else value
        elif not line:
            if "data" in fields:
                yield Frame(fields.get("event", "message"), fields["data"], fields.get("id"))
            fields = {}


async def lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """Split at line feeds only: `httpx.Response.aiter_lines` also splits at what JSON may hold, as U+2028."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode()
