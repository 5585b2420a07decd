"""Push notifications: a task's news, brought by the courier of webhooks to the addresses that want it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import uuid4

from holdfast.core.a2a import older, tasks
from holdfast.core.a2a.messages import Json
from holdfast.core.a2a.tasks import Task, TaskNotFound
from holdfast.core.platform import Platform
from holdfast.errors import Invalid, NotFound, ThreadNotFound
from holdfast.events import dump
from holdfast.redis import pushes
from holdfast.redis.outbox import Letter
from holdfast.redis.records import Caller

TOKEN_HEADER = "X-A2A-Notification-Token"  # noqa: S105 - the header's name
LONGEST = 4096


class ConfigNotFound(NotFound):
    """There is no such push notification config."""


class Unwanted(Exception):
    """Nobody waits for this any more."""


class News(NamedTuple):
    body: bytes
    headers: Mapping[str, str]


def read_target(platform: Platform, given: Mapping[str, Any], version: str) -> Json:
    """A target as it is kept; it is told in the terms of `version`.

    Raises `TargetRefused` for an address that may not be called, and `Invalid`.
    """
    platform.targets.check(given.get("url") or "")
    target = {"id": given.get("id") or str(uuid4()), "url": given["url"], "token": given.get("token") or ""}
    target["authentication"] = dict(given.get("authentication") or {})
    target["version"] = version
    headers = headers_of(target)
    if not all(text.isascii() and text.isprintable() for text in headers.values()):
        raise Invalid("The token and the credentials must be what a header may have.")
    if len(dump(target)) > LONGEST:
        raise Invalid(f"A push notification config has at most {LONGEST} bytes.")
    return target


def headers_of(target: Mapping[str, Any]) -> dict[str, str]:
    headers = {TOKEN_HEADER: target["token"]} if target["token"] else {}
    scheme, credentials = (target["authentication"].get(name) for name in ("scheme", "credentials"))
    if scheme and credentials:
        headers["Authorization"] = f"{scheme} {credentials}"
    return headers


def describe(task: Task, target: Json) -> Json:
    """What is told of a target: never its credentials."""
    scheme = target["authentication"].get("scheme")
    shown = {name: target[name] for name in ("id", "url", "token") if target[name]}
    return {**shown, "taskId": task.task_id, **({"authentication": {"scheme": scheme}} if scheme else {})}


async def put(platform: Platform, task: Task, target: Json, *, at_once: bool = False) -> None:
    client, keys = platform.client, platform.keys
    await pushes.put(client, keys, task.thread_id, task.first, target, at_once=at_once)


async def listed(platform: Platform, task: Task) -> list[Json]:
    return await pushes.read(platform.client, platform.keys, task.thread_id, task.first)


async def find(platform: Platform, task: Task, target_id: str) -> Json:
    """Raises `ConfigNotFound`; without an id it is the only one, or the first."""
    for target in await listed(platform, task):
        if target_id in ("", target["id"]):
            return target
    raise ConfigNotFound


async def remove(platform: Platform, task: Task, target_id: str) -> None:
    await pushes.remove(platform.client, platform.keys, task.thread_id, task.first, target_id)


async def news(platform: Platform, letter: Letter) -> News:
    """What a target is told: the task, as it is by now. Raises `Unwanted` when either is gone."""
    told, thread_id = letter.content["push"], letter.address.thread_id
    reader = replace(Caller("", letter.content["tenant"], staff=True), conditions=())
    try:
        task = await tasks.look(platform, reader, thread_id, told["task"])
        target = await find(platform, task, told["target"])
    except (ThreadNotFound, TaskNotFound, ConfigNotFound):
        raise Unwanted from None
    shown = await tasks.describe(platform, task)
    # A target of an earlier release has no version, and is told as it always was.
    body = older.task(shown) if target.get("version") == older.VERSION else {"task": shown}
    return News(dump(body), headers_of(target))
