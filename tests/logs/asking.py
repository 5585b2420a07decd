"""Requests of every kind, with a mark in every place where somebody could put a secret."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import Any

import httpx
import orjson

from tests.logs.served.noisy_graphs import WAYS
from tests.waiting import wait_until

MARK = "CANARY"


@dataclass
class Scene:
    """Who asks, and what was told to those whom it does not concern."""

    http: httpx.AsyncClient
    tokens: set[str] = field(default_factory=set)
    told_to_others: list[str] = field(default_factory=list)
    owner: str = ""
    other: str = ""
    numbers: Any = field(default_factory=count)

    def mark(self, where: str) -> str:
        return f"{MARK}-{where}-{next(self.numbers)}@example.com"

    def headers(self, token: str | None = None) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.owner if token is None else token}",
            "X-Api-Key": self.mark("key"),
            "Cookie": f"session={self.mark('cookie')}",
            "User-Agent": self.mark("agent"),
            "Referer": f"https://example.com/?{self.mark('referer')}",
            "X-Request-ID": f"{self.mark('id')} not safe",
            "X-Forwarded-For": self.mark("address"),
            "Last-Event-ID": self.mark("event"),
            "Traceparent": self.mark("trace"),
        }

    async def send(self, method: str, path: str, token: str | None = None, **more: Any) -> httpx.Response:
        query = {"q": self.mark("query"), **more.pop("params", {})}
        headers = {**self.headers(token), **more.pop("headers", {})}
        return await self.http.request(method, path, params=query, headers=headers, **more)

    def said(self, **more: Any) -> dict[str, Any]:
        """A graph's input: a person's message, with a file."""
        blocks = [
            {"type": "text", "text": self.mark("message")},
            {"type": "file", "filename": self.mark("file"), "mime_type": "text/plain", "base64": "AA=="},
        ]
        return {
            "messages": [{"role": "user", "content": blocks, "name": MARK}],
            "secret": self.mark("input"),
            **more,
        }

    def run(self, graph: str = "echo", **given: Any) -> dict[str, Any]:
        return {
            "assistant_id": graph,
            "input": self.said(**given),
            "metadata": {"note": self.mark("metadata")},
            "config": {"configurable": {"card": self.mark("configurable")}, "tags": [self.mark("tag")]},
            "if_not_exists": "create",
        }


@asynccontextmanager
async def left_open(url: str, before: Scene | None = None, timeout: float = 60) -> AsyncIterator[Scene]:
    """A scene with two callers, the same as before where there was one."""
    async with httpx.AsyncClient(base_url=url, timeout=timeout) as http:
        scene = before or Scene(http)
        scene.http = http
        if not before:
            scene.owner, scene.other = [await token(scene, name) for name in ("owner", "other")]
        yield scene


async def token(scene: Scene, name: str) -> str:
    subject = scene.mark(name)
    body = {"subject": subject, "roles": []}
    made: str = (await scene.http.post("/dev/token", json=body)).json()["token"]
    scene.tokens.add(made)
    return made


def new_thread() -> str:
    return f"/threads/{uuid.uuid4()}"


# the requests


async def talks(scene: Scene) -> int:
    return (await scene.send("POST", f"{new_thread()}/runs/wait", json=scene.run())).status_code


async def streams(scene: Scene) -> int:
    modes = ["values", "updates", "messages", "messages-tuple", "custom", "debug", "tasks", "checkpoints"]
    body = {**scene.run(), "stream_mode": modes, "stream_resumable": True}
    return (await scene.send("POST", f"{new_thread()}/runs/stream", json=body)).status_code


async def talks_once(scene: Scene) -> int:
    headers = {"Idempotency-Key": scene.mark("idempotency")}
    return (await scene.send("POST", "/runs/wait", json=scene.run(), headers=headers)).status_code


async def talks_by_protocol(scene: Scene) -> int:
    command = {"id": 1, "method": "run.start", "params": scene.run()}
    await scene.send("POST", f"{new_thread()}/commands", json=command)
    wrong = {"id": scene.mark("command"), "method": scene.mark("method")}
    return (await scene.send("POST", f"{new_thread()}/commands", json=wrong)).status_code


async def chats(scene: Scene) -> int:
    body = {"message": scene.mark("chat"), "session_id": scene.mark("session")}
    return (await scene.send("POST", "/chat", json=body)).status_code


async def asks_a_model_that_fails(scene: Scene) -> int:
    return (await scene.send("POST", "/runs/wait", json=scene.run("support"))).status_code


def fails(way: str) -> Callable[[Scene], Awaitable[int]]:
    async def fails_so(scene: Scene) -> int:
        return (await scene.send("POST", "/runs/wait", json=scene.run("failing", way=way))).status_code

    return fails_so


async def goes_nowhere(scene: Scene) -> int:
    body = {**scene.run(), "input": None, "command": {"goto": scene.mark("node"), "update": scene.said()}}
    return (await scene.send("POST", f"{new_thread()}/runs/wait", json=body)).status_code


async def cannot_be_built(scene: Scene) -> int:
    return (await scene.send("POST", "/runs/wait", json=scene.run("unbuildable"))).status_code


async def is_not_expected(scene: Scene) -> int:
    found = (await scene.send("POST", "/assistants/search", json={"graph_id": "unbuildable"})).json()
    path = f"/assistants/{found[0]['assistant_id']}/graph"
    answer = await scene.send("GET", path, scene.other)
    scene.told_to_others.append(answer.text)
    return answer.status_code


async def is_asked_and_answers(scene: Scene) -> int:
    thread = new_thread()
    await scene.send("POST", f"{thread}/runs/wait", json=scene.run("failing", way="asks"))
    body = {"assistant_id": "failing", "command": {"resume": {"answer": scene.mark("answer")}}}
    return (await scene.send("POST", f"{thread}/runs/wait", json=body)).status_code


async def is_cancelled(scene: Scene) -> int:
    thread = new_thread()
    run = (await scene.send("POST", f"{thread}/runs", json=scene.run(delay=5))).json()
    path = f"{thread}/runs/{run['run_id']}/cancel"
    return (await scene.send("POST", path, params={"wait": "1"})).status_code


async def leaves(scene: Scene) -> int:
    body = {**scene.run(delay=0.5), "on_disconnect": "cancel"}
    path, headers = f"{new_thread()}/runs/stream", scene.headers()
    async with scene.http.stream("POST", path, json=body, headers=headers) as answer:
        async for _ in answer.aiter_bytes():
            break
    return answer.status_code


async def has_a_bad_token(scene: Scene) -> int:
    return (await scene.send("GET", "/assistants/x", scene.mark("token"))).status_code


async def has_a_token_that_was_changed(scene: Scene) -> int:
    scene.tokens.add(changed := scene.owner[:-4] + "AAAA")
    return (await scene.send("POST", "/threads", changed, json={})).status_code


async def has_another_scheme(scene: Scene) -> int:
    headers = {"Authorization": f"Basic {scene.mark('basic')}"}
    return (await scene.send("POST", "/threads", json={}, headers=headers)).status_code


async def sends_no_json(scene: Scene) -> int:
    return (await scene.send("POST", f"{new_thread()}/runs", content=f'{{"{scene.mark("body")}')).status_code


async def sends_wrong_types(scene: Scene) -> int:
    body = {**scene.run(), "stream_mode": scene.mark("mode"), "metadata": scene.mark("metadata")}
    return (await scene.send("POST", f"{new_thread()}/runs", json=body)).status_code


async def nests_too_deep(scene: Scene) -> int:
    body = '{"input":' + '{"a":' * 300 + f'"{scene.mark("deep")}"' + "}" * 301
    return (await scene.send("POST", f"{new_thread()}/runs", content=body)).status_code


async def sends_too_much(scene: Scene) -> int:
    body = scene.run()
    body["input"]["secret"] *= 1000
    return (await scene.send("POST", f"{new_thread()}/runs", json=body)).status_code


async def names_no_assistant(scene: Scene) -> int:
    return (await scene.send("POST", f"{new_thread()}/runs", json=scene.run(scene.mark("graph")))).status_code


async def is_lost(scene: Scene) -> int:
    for path in ("threads", "assistants", "chat/result", "ui", f"threads/{uuid.uuid4()}/runs"):
        await scene.send("GET", f"/{path}/{scene.mark('path')}")
    return (await scene.send("GET", f"/{scene.mark('path')}/{scene.mark('path')}")).status_code


async def writes_a_state_that_does_not_fit(scene: Scene) -> int:
    thread = new_thread()
    await scene.send("POST", f"{thread}/runs/wait", json=scene.run())
    body = {"values": {"messages": scene.mark("state")}, "as_node": scene.mark("node")}
    return (await scene.send("POST", f"{thread}/state", json=body)).status_code


async def searches(scene: Scene) -> int:
    body = {"metadata": {"note": scene.mark("search")}, "status": "idle"}
    return (await scene.send("POST", "/threads/search", json=body)).status_code


async def sends_what_is_not_http(scene: Scene) -> int:
    url = scene.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(f"{scene.mark('garbage')}\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    scene.told_to_others.append(answer.decode(errors="replace"))
    return int(answer.split()[1])


async def looks_at_what_is_somebody_elses(scene: Scene) -> int:
    thread = new_thread()
    run = (await scene.send("POST", f"{thread}/runs", json=scene.run("failing", way="raises"))).json()
    await scene.send("GET", f"{thread}/runs/{run['run_id']}/join")
    body = {"assistant_id": "echo", "input": {"messages": []}}
    asked = [
        ("GET", thread, None),
        *(("GET", f"{thread}/{what}", None) for what in ("state", "history", "runs")),
        *(("GET", f"{thread}/runs/{run['run_id']}{what}", None) for what in ("", "/join", "/stream")),
        *(("POST", f"{thread}/runs{what}", body) for what in ("", "/wait", "/stream")),
        ("POST", "/threads/search", {"limit": 100}),
        *(("GET", path, None) for path in ("/info", "/openapi.json", "/readyz", "/ok?check_db=1", "/")),
    ]
    statuses = []
    for method, path, sent in asked:
        headers = {"Authorization": f"Bearer {scene.other}"}
        answer = await scene.http.request(method, path, json=sent, headers=headers)
        scene.told_to_others += [answer.text, str(answer.headers)]
        statuses.append(answer.status_code)
    return max(statuses)


@dataclass(frozen=True)
class Kind:
    ask: Callable[[Scene], Awaitable[int]]
    expected: frozenset[int] = frozenset({200})
    without_redis: bool = False


def kind(ask: Callable[[Scene], Awaitable[int]], *expected: int, without_redis: bool = False) -> Kind:
    return Kind(ask, frozenset(expected or {200}), without_redis)


KINDS = (
    kind(talks, without_redis=True),
    kind(streams, without_redis=True),
    kind(talks_once, without_redis=True),
    kind(talks_by_protocol, 400, without_redis=True),
    kind(chats, without_redis=True),
    kind(asks_a_model_that_fails),
    *(kind(fails(way)) for way in WAYS),
    kind(goes_nowhere),
    kind(cannot_be_built),
    kind(is_not_expected, 500),
    kind(is_asked_and_answers),
    kind(is_cancelled),
    kind(leaves),
    kind(has_a_bad_token, 401, without_redis=True),
    kind(has_a_token_that_was_changed, 401),
    kind(has_another_scheme, 401),
    kind(sends_no_json, 422),
    kind(sends_wrong_types, 422),
    kind(nests_too_deep, 422),
    kind(sends_too_much, 413),
    kind(names_no_assistant, 422),
    kind(is_lost, 404),
    kind(writes_a_state_that_does_not_fit, 400),
    kind(searches, without_redis=True),
    kind(sends_what_is_not_http, 400),
    kind(looks_at_what_is_somebody_elses, 404),
)


async def begin_a_run(scene: Scene) -> None:
    thread = new_thread()
    made = (await scene.send("POST", f"{thread}/runs", json=scene.run(delay=1.5))).json()

    async def at_work() -> bool:
        run = (await scene.send("GET", f"{thread}/runs/{made['run_id']}")).json()
        return bool(run["status"] == "running")

    await wait_until(at_work, "the run is at work")


# the model

ANSWERS = cycle(("500 Oops", "401 Unauthorized", "429 Too Many Requests", "200 OK"))


async def answer_as_a_model(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Refuses everything in turn, and repeats what it was sent: the key, the question."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.findall(r"content-length: (\d+)", head.lower())[0]
        sent = (await reader.readexactly(int(length))).decode()
        told = orjson.dumps({"error": {"message": head + sent}})
        about = f"content-type: application/json\r\nconnection: close\r\ncontent-length: {len(told)}"
        writer.write(f"HTTP/1.1 {next(ANSWERS)}\r\n{about}\r\n\r\n".encode() + told)
        await writer.drain()
    writer.close()
