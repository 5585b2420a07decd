"""Every byte that a Redis holds, searched for a text in whatever form it may have been written."""

import base64
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import orjson
from redis.exceptions import ResponseError

from holdfast.checkpoint.encoding import plain
from holdfast.checkpoint.nameless import split


def forms(text: str) -> set[bytes]:
    """The text as it may stand in what is stored: plain, escaped, percent-encoded, hexadecimal, base64."""
    raw = text.encode()
    escaped = "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in text).encode()
    found = {raw, escaped, orjson.dumps(text)[1:-1], quote(text, safe="").encode(), raw.hex().encode()}
    for shift in range(3):  # base64 of the text in the middle of something longer
        middle = base64.b64encode(b"\0" * shift + raw)[1 + shift :].rstrip(b"=")[:-1]
        found |= {middle, middle.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


async def mentions(redis: Any, text: str) -> list[str]:
    """Where in the whole server a text stands: key, type and field."""
    pattern = re.compile(b"|".join(re.escape(form) for form in sorted(forms(text))))
    return sorted({where async for where, stored in everything(redis) if pattern.search(stored)})


async def everything(redis: Any) -> AsyncIterator[tuple[str, bytes]]:
    """Each key and each part of its value, with where it stands."""
    async for key in redis.scan_iter(count=1000):
        name = key.decode(errors="replace")
        yield f"key {name}", key
        kind = (await redis.type(key)).decode()
        try:
            async for field, stored in READERS[kind](redis, key):
                yield f"{kind} {name} {field!r}", stored
        except ResponseError:
            if await redis.exists(key):  # else it went while we looked
                raise


async def read_string(redis: Any, key: bytes) -> AsyncIterator[tuple[Any, bytes]]:
    yield "", (await redis.get(key)) or b""


async def read_hash(redis: Any, key: bytes) -> AsyncIterator[tuple[Any, bytes]]:
    for field, value in (await redis.hgetall(key)).items():
        yield field, field
        yield field, value
        if b":checkpoints:" in key:
            yield field, plain(split(field[:1], value)[1])  # before it was compressed


async def read_list(redis: Any, key: bytes) -> AsyncIterator[tuple[Any, bytes]]:
    for place, member in enumerate(await redis.lrange(key, 0, -1)):
        yield place, member


async def read_set(redis: Any, key: bytes) -> AsyncIterator[tuple[Any, bytes]]:
    for member in await redis.smembers(key):
        yield member, member


async def read_sorted_set(redis: Any, key: bytes) -> AsyncIterator[tuple[Any, bytes]]:
    for member in await redis.zrange(key, 0, -1):
        yield member, member


async def read_stream(redis: Any, key: bytes) -> AsyncIterator[tuple[Any, bytes]]:
    for id, fields in await redis.xrange(key):
        for field, value in fields.items():
            yield id, field
            yield id, value
    for group in await redis.xinfo_groups(key):
        yield "group", group["name"]
        for consumer in await redis.xinfo_consumers(key, group["name"]):
            yield "consumer", consumer["name"]


async def read_json(redis: Any, key: bytes) -> AsyncIterator[tuple[Any, bytes]]:
    yield "", orjson.dumps(await redis.execute_command("JSON.GET", key))


READERS: dict[str, Any] = {
    "string": read_string,
    "hash": read_hash,
    "list": read_list,
    "set": read_set,
    "zset": read_sorted_set,
    "stream": read_stream,
    "ReJSON-RL": read_json,
    "none": read_string,  # it expired while we looked
}
