"""What an installation keeps in Redis, as lines of JSON that people can read, and put back into a server."""

import base64
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

Json = Any
Connection = Any  # a Redis of redis-py, whose types leave open what it answers

FOLDER = Path(__file__).parent / "corpus"
KEYS = "keys.jsonl"


async def dump(redis: Connection, prefix: str) -> AsyncIterator[Json]:
    """Every key of an installation, in the order of their names; no worker may hold anything."""
    for key in sorted([key async for key in redis.scan_iter(match=f"{prefix}:*", count=1000)]):
        kind = (await redis.type(key)).decode()
        ttl_ms = await redis.pttl(key)
        yield {
            "key": key.decode(),
            "type": kind,
            "ttl_ms": ttl_ms if ttl_ms >= 0 else None,
            "content": await DUMPERS[kind](redis, key),
        }


async def dump_string(redis: Connection, key: bytes) -> Json:
    return told(await redis.get(key))


async def dump_hash(redis: Connection, key: bytes) -> Json:
    return sorted([[told(name), told(value)] for name, value in (await redis.hgetall(key)).items()], key=str)


async def dump_set(redis: Connection, key: bytes) -> Json:
    return sorted(map(told, await redis.smembers(key)), key=str)


async def dump_list(redis: Connection, key: bytes) -> Json:
    return [told(one) for one in await redis.lrange(key, 0, -1)]


async def dump_zset(redis: Connection, key: bytes) -> Json:
    return [[told(name), repr(score)] for name, score in await redis.zrange(key, 0, -1, withscores=True)]


async def dump_stream(redis: Connection, key: bytes) -> Json:
    info = await redis.xinfo_stream(key)
    groups = await redis.xinfo_groups(key)
    assert not any(group["pending"] for group in groups), f"a worker holds an entry of {key!r}"
    return {
        "last": info["last-generated-id"].decode(),
        "groups": [[group["name"].decode(), group["last-delivered-id"].decode()] for group in groups],
        "entries": [
            [id.decode(), [[told(name), told(value)] for name, value in fields.items()]]
            for id, fields in await redis.xrange(key)
        ],
    }


DUMPERS = {
    "string": dump_string,
    "hash": dump_hash,
    "set": dump_set,
    "list": dump_list,
    "zset": dump_zset,
    "stream": dump_stream,
}


def told(value: bytes) -> Json:
    """As text where it is one."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def read(value: Json) -> bytes:
    return value.encode() if isinstance(value, str) else base64.b64decode(value["base64"])


def lines_of(folder: Path) -> list[Json]:
    return [orjson.loads(line) for line in (folder / KEYS).read_bytes().splitlines()]


async def load(redis: Connection, lines: Iterable[Json]) -> None:
    for line in lines:
        key = line["key"]
        for command in commands(key, line["type"], line["content"]):
            await redis.execute_command(*command)
        if line["ttl_ms"] is not None:
            await redis.pexpire(key, line["ttl_ms"])


def commands(key: str, kind: str, content: Json) -> Sequence[Sequence[Any]]:
    match kind:
        case "string":
            return [("SET", key, read(content))]
        case "hash":
            return [("HSET", key, read(name), read(value)) for name, value in content]
        case "set":
            return [("SADD", key, read(one)) for one in content]
        case "list":
            return [("RPUSH", key, read(one)) for one in content]
        case "zset":
            return [("ZADD", key, score, read(name)) for name, score in content]
    added = [
        ("XADD", key, id, *(part for name, value in fields for part in (read(name), read(value))))
        for id, fields in content["entries"]
    ]
    groups = [("XGROUP", "CREATE", key, name, last, "MKSTREAM") for name, last in content["groups"]]
    return [*added, *groups, *([("XSETID", key, content["last"])] if added or groups else [])]
