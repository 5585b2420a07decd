"""What belongs to people, each thing with words that stand nowhere else; and ids of what was never there."""

import asyncio
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from holdfast.auth import SignIn
from holdfast.core.chat import task_name
from holdfast.core.platform import Platform
from tests.api.chats import finished
from tests.api.wire import new_thread, read_stream
from tests.cli.asking import begin, exhaust
from tests.servers import said
from tests.tenancy.people import Person

Json = Any
Ids = Mapping[str, str]

# What is sent under an Idempotency-Key: the same words by everybody, so that only the key tells them apart.
KEYED: Json = {"assistant_id": "echo", "input": said("again"), "on_completion": "keep"}
YEARLY: Json = {"assistant_id": "echo", "schedule": "0 0 1 1 *", "enabled": False}


def canary(kind: str) -> str:
    return f"canary-{kind}-{uuid.uuid4().hex}"


def new_id() -> str:
    return str(uuid.uuid4())


# Every kind of id that a request can name, with one that names nothing.
MISSING: dict[str, Callable[[], str]] = {
    # a thread at rest, its run, its last checkpoint, the places that its streams have reached
    "thread": new_id,
    "run": new_id,
    "checkpoint": new_id,
    "event": lambda: "7-77777",
    "seq": lambda: "77777000",
    "made": lambda: "1799999999999999",
    "word": lambda: canary("word"),
    # a thread on which something waits for an answer, and who has claimed it
    "asking": new_id,
    "asking_run": new_id,
    "interrupt": lambda: uuid.uuid4().hex,
    "request": lambda: f"{new_id()}-{canary('word')}",
    "claimer": lambda: canary("claimer"),
    # a thread of whose task news is told
    "pushed": new_id,
    "pushed_run": new_id,
    # a thread for which a person is asked
    "held": new_id,
    # a thread that has a cron
    "scheduled": new_id,
    "cron": new_id,
    "cron_word": lambda: canary("word"),
    "assistant": new_id,
    "assistant_word": lambda: canary("word"),
    "tool": lambda: f"{canary('word')}_{uuid.uuid4().hex[:12]}",
    # a thread with a run that has not begun
    "later": new_id,
    "later_run": new_id,
    # a thread whose run has used up its attempts
    "dead": new_id,
    "dead_run": new_id,
    # a conversation of the short door
    "session": lambda: canary("session"),
    "task": lambda: task_name(new_id(), new_id()),
    "chat_request": lambda: f"{canary('word')}-{new_id()}",
    # a run that was made under a key, on a thread and on one of its own
    "key": lambda: canary("key"),
    "keyed": new_id,
    # an item of the store
    "shelf": lambda: canary("shelf"),
    "item": lambda: canary("item"),
    "item_word": lambda: canary("word"),
    "api_key": lambda: f"hf_{uuid.uuid4().hex[:12]}_{'x' * 43}",
    "subject": lambda: canary("subject"),
}
NUMBERS = ("seq", "made")
TOO_COMMON = ("event", *NUMBERS)  # to be looked for in what others are told


def missing(beside: Ids) -> Ids:
    """Ids of nothing. Checkpoints are told by their time: one that never was has that of the one `beside`."""
    ids = {kind: make() for kind, make in MISSING.items()}
    return ids | {"checkpoint": beside["checkpoint"][:-12] + ids["checkpoint"][-12:]}


@dataclass
class Owner:
    """A person with what belongs to them: `ids` by kind."""

    person: Person
    http: httpx.AsyncClient
    sign_in: SignIn
    platform: Platform
    people: Path
    ids: dict[str, str] = field(default_factory=dict)

    async def make(self, kinds: Collection[str]) -> Ids:
        """New things of these kinds, and of those that come with them."""
        makers = [make for of, make in MAKERS.items() if not of.isdisjoint(kinds)]
        made = await asyncio.gather(*(make(self) for make in makers))
        return {kind: value for part in made for kind, value in part.items()}

    async def make_empty(self, kinds: Collection[str]) -> Ids:
        """A new thread for each of the kinds."""
        return {kind: await new_thread(self.http, metadata={"graph_id": "echo"}) for kind in kinds}

    async def post(self, path: str, headers: Mapping[str, str] | None = None, **body: Json) -> httpx.Response:
        response = await self.http.post(path, json=body, headers=headers)
        assert response.status_code == 200, (path, response.text)
        return response


async def talk(owner: Owner) -> dict[str, str]:
    word = canary("word")
    thread_id = await new_thread(owner.http, metadata={"note": word})
    asked: Json = {"assistant_id": "echo", "input": said(word), "metadata": {"note": word}}
    told = await owner.post(f"/threads/{thread_id}/runs/stream", **asked, stream_resumable=True)
    events = read_stream(told.text)
    state = (await owner.http.get(f"/threads/{thread_id}/state")).json()
    async with owner.http.stream("GET", f"/threads/{thread_id}/stream") as stream:
        place = httpx.URL(stream.headers["location"]).params
    event = str(events[-1].id)
    return {
        "thread": thread_id,
        "run": events[0].data["run_id"],
        "checkpoint": state["checkpoint"]["checkpoint_id"],
        "event": event,
        "seq": event.partition("-")[2] + "000",
        "made": place["made"],
        "word": word,
    }


async def ask(owner: Owner) -> dict[str, str]:
    thread_id, word = await new_thread(owner.http), canary("word")
    asked: Json = {"assistant_id": "approve", "input": {"questions": [word]}}
    answer = await owner.post(f"/threads/{thread_id}/runs/wait", **asked)
    [waiting] = answer.json()["__interrupt__"]
    request = waiting["value"]["policy"]["request_id"]
    claim = (await owner.post(f"/approvals/{thread_id}:{request}/claim", seconds=86_400)).json()["claim"]
    return {
        "asking": thread_id,
        "asking_run": run_of(answer),
        "interrupt": waiting["id"],
        "request": request,
        "claimer": claim["by"],
    }


def run_of(answer: httpx.Response) -> str:
    return answer.headers["content-location"].rpartition("/")[2]


async def follow(owner: Owner) -> dict[str, str]:
    thread_id = await new_thread(owner.http)
    answer = await owner.post(
        f"/threads/{thread_id}/runs/wait", assistant_id="echo", input=said(canary("word"))
    )
    run_id = run_of(answer)
    target = {"taskId": f"{thread_id}:{run_id}", "id": "one", "url": "https://hooks.example/news"}
    call: Json = {"jsonrpc": "2.0", "id": 1, "method": "CreateTaskPushNotificationConfig", "params": target}
    made = await owner.post("/a2a/echo", **call)
    assert "result" in made.json(), made.text
    return {"pushed": thread_id, "pushed_run": run_id}


async def ask_for_person(owner: Owner) -> dict[str, str]:
    thread_id = await new_thread(owner.http)
    held = await owner.http.put(f"/threads/{thread_id}/hold", json={"ask": True})
    assert held.status_code == 200, held.text
    return {"held": thread_id}


async def schedule(owner: Owner) -> dict[str, str]:
    thread_id, word = await new_thread(owner.http), canary("word")
    asked: Json = {**YEARLY, "input": said(word), "metadata": {"note": word}}
    cron = (await owner.post(f"/threads/{thread_id}/runs/crons", **asked)).json()
    return {"scheduled": thread_id, "cron": cron["cron_id"], "cron_word": word}


async def employ(owner: Owner) -> dict[str, str]:
    word = canary("word")
    asked: Json = {"graph_id": "echo", "name": word, "metadata": {"note": word}, "context": {"note": word}}
    made = (await owner.post("/assistants", **asked)).json()
    changed = await owner.http.patch(f"/assistants/{made['assistant_id']}", json={"description": word})
    assert changed.status_code == 200, changed.text
    await owner.post("/runs/crons", **{**YEARLY, "assistant_id": made["assistant_id"]})
    return {"assistant": made["assistant_id"], "assistant_word": word}


async def offer(owner: Owner) -> dict[str, str]:
    """An assistant as the tool that it is to other agents."""
    word = canary("word")
    made = (await owner.post("/assistants", graph_id="echo", name=word)).json()
    return {"tool": f"{word}_{made['assistant_id'][-12:]}"}


async def wait(owner: Owner) -> dict[str, str]:
    thread_id = await new_thread(owner.http)
    asked: Json = {"assistant_id": "echo", "input": said(canary("word")), "after_seconds": 3600}
    run = (await owner.post(f"/threads/{thread_id}/runs", **asked)).json()
    return {"later": thread_id, "later_run": run["run_id"]}


async def fail(owner: Owner) -> dict[str, str]:
    named = await wait(owner)
    thread_id, run_id = named["later"], named["later_run"]
    await exhaust(owner.platform, thread_id, run_id)
    await begin(owner.platform, thread_id, run_id)
    await owner.http.get(f"/threads/{thread_id}/runs/{run_id}/join")
    return {"dead": thread_id, "dead_run": run_id}


async def chat(owner: Owner) -> dict[str, str]:
    """A message to the first graph, which then asks for an approval of it."""
    session, word = canary("session"), canary("word")
    task = (await owner.post("/chat/async", message=word, session_id=session)).json()["task_id"]
    waiting = await finished(owner.http, task)
    return {
        "session": session,
        "task": task,
        "chat": waiting["thread_id"],
        "chat_task": task[:21],  # what all tasks of a session begin with
        "chat_request": waiting["approval"]["id"],
    }


async def use_key(owner: Owner) -> dict[str, str]:
    key, thread_id = canary("key"), await new_thread(owner.http)
    headers = {"Idempotency-Key": key}
    run = await owner.post(f"/threads/{thread_id}/runs/wait", headers, **KEYED)
    alone = await owner.post("/runs", headers, **KEYED)
    run_id = run.headers["location"].split("/")[4]
    return {"key": key, "keyed": thread_id, "keyed_run": run_id, "keyed_alone": alone.json()["run_id"]}


async def keep(owner: Owner) -> dict[str, str]:
    ids = {kind: canary(kind) for kind in ("shelf", "item", "item_word")}
    value = {"note": ids["item_word"]}
    kept = await owner.http.put(
        "/store/items", json={"namespace": [ids["shelf"]], "key": ids["item"], "value": value}
    )
    assert kept.status_code == 204, kept.text
    return ids


async def sign_up(owner: Owner) -> dict[str, str]:
    """Another person of the same tenant, with a key and something that the project itself keeps."""
    person = replace(owner.person, name=canary("subject"), roles=())
    key, _ = await owner.sign_in.keys.create(subject=person.name, tenant=person.tenant)
    (owner.people / f"{person.tenant}.{person.name}").touch()
    async with httpx.AsyncClient(base_url=owner.http.base_url, headers={"x-api-key": key}) as http:
        await new_thread(http)
    return {"subject": person.name, "api_key": key}


MAKERS: dict[frozenset[str], Callable[[Owner], Any]] = {
    frozenset(("thread", "run", "checkpoint", "event", "seq", "made", "word")): talk,
    frozenset(("asking", "asking_run", "interrupt", "request", "claimer")): ask,
    frozenset(("pushed", "pushed_run")): follow,
    frozenset(("held",)): ask_for_person,
    frozenset(("scheduled", "cron", "cron_word")): schedule,
    frozenset(("assistant", "assistant_word")): employ,
    frozenset(("tool",)): offer,
    frozenset(("later", "later_run")): wait,
    frozenset(("dead", "dead_run")): fail,
    frozenset(("session", "task", "chat", "chat_task", "chat_request")): chat,
    frozenset(("key", "keyed", "keyed_run", "keyed_alone")): use_key,
    frozenset(("shelf", "item", "item_word")): keep,
    frozenset(("subject", "api_key")): sign_up,
}
