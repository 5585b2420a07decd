"""RedisSaver without the rest of Holdfast, as docs/checkpointer.md shows it."""

import asyncio
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from holdfast.checkpoint import RedisSaver, Serializer
from holdfast.errors import Unreadable
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from tests.checkpoint.samples import at, checkpoint, put, state
from tests.servers import ROOT

PAGE = (ROOT / "docs" / "checkpointer.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.S)


@pytest.mark.parametrize("example", EXAMPLES)
async def test_the_examples_print_what_they_say(
    url: str, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str], example: str
) -> None:
    program = tmp_path / "example.py"
    program.write_text(example.replace("redis://localhost:6379", url))
    await asyncio.to_thread(runpy.run_path, str(program), run_name="example")
    said = re.findall(r"^ *# (?=[\[{])(.*)", example, re.M)
    assert capsys.readouterr().out.splitlines() == said
    await client.redis.unlink(*[key async for key in client.redis.scan_iter(match="holdfast:*")])


def test_every_method_is_on_the_page() -> None:
    own = {name for name, each in vars(BaseCheckpointSaver).items() if callable(each) and name[0] != "_"}
    asynchronous = {name for name in own if name.startswith("a") and name[1:] in own}
    once = own - {name[1:] for name in asynchronous} - {"aget", "with_allowlist", "config_specs"}
    assert {name for name in once | {"for_graph", "for_run"} if f"`{name}" not in PAGE} == set()


def test_code_without_a_loop_opens_it_with_a_loop_of_its_own(url: str, keys: Keys) -> None:
    with RedisSaver.from_url(url, prefix=keys.prefix) as saver:
        config = saver.put(at("t"), checkpoint({"n": 1}), {"source": "loop"}, {"n": "1"})
        assert [each.config for each in saver.list(at("t"))] == [config]
        saver.delete_thread("t")
    with pytest.raises(RuntimeError, match="event loop is not running"):
        saver.get_tuple(at("t"))


class Cipher:
    def __init__(self) -> None:
        self.aes = AESGCM(b"k" * 32)
        self.count = 0

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        self.count += 1
        nonce = self.count.to_bytes(12, "big")
        return "aes-gcm", nonce + self.aes.encrypt(nonce, plaintext, None)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        return self.aes.decrypt(ciphertext[:12], ciphertext[12:], None)


async def test_encrypted_state_shows_nothing_and_takes_no_change(client: Client, keys: Keys) -> None:
    saver = RedisSaver(client, keys, serde=EncryptedSerializer(Cipher(), Serializer()))
    secret: dict[str, Any] = {"messages": ["a secret " * 9] * 3, "note": {"a secret": "a secret"}}
    config = await put(saver, at("t"), secret, author="a secret")
    await saver.aput_writes(config, [("note", "a secret"), ("messages", ["a secret"])], "task")
    found = await saver.aget_tuple(at("t"))
    assert found is not None
    assert found.checkpoint["channel_values"] == secret
    assert [value for _, _, value in found.pending_writes or []] == ["a secret", ["a secret"]]
    key = keys.checkpoints("t")
    names = await client.call("HKEYS", key)
    held = [*names, *await client.call("HVALS", key)]
    assert len(held) == 2 * (1 + 2 + 1), "no list is taken apart: nothing could share its items"
    assert [each for each in held if b"secret" in each] == []
    for name in names:
        value: bytes = await client.call("HGET", key, name)
        await client.call("HSET", key, name, value[:-1] + bytes([value[-1] ^ 1]))
        with pytest.raises(Unreadable, match="Thread t, checkpoint "):
            await saver.aget_tuple(at("t"))
        await client.call("HSET", key, name, value)
    await saver.adelete_thread("t")


async def test_who_encrypts_the_same_to_the_same_goes_on_sharing(client: Client, keys: Keys) -> None:
    class Rot(Cipher):
        """The smallest of ciphers."""

        def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
            return "rot", bytes(255 - byte for byte in plaintext)

        def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
            return self.encrypt(ciphertext)[1]

    saver = RedisSaver(client, keys, serde=EncryptedSerializer(Rot(), Serializer()))
    lines = [f"line {number} " * 9 for number in range(10)]
    config = await put(saver, at("t"), {"lines": lines})
    await put(saver, config, {"lines": [*lines, "more " * 9]}, version="2")
    assert await client.call("HLEN", keys.checkpoints("t")) == 2 + 2 + 11
    assert await state(saver, at("t")) == {"lines": [*lines, "more " * 9]}
    await saver.adelete_thread("t")
