"""An issuer that changes its keys, breaks and comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from holdfast.auth import keyring
from holdfast.auth.keyring import MOST_BYTES, KeyRing, from_address, from_file
from holdfast.auth.keysets import ASYMMETRIC
from holdfast.auth.signin import SignIn
from holdfast.auth.tokens import TokenAuthenticator
from holdfast.errors import InvalidToken, Unavailable
from tests.auth.calling import call, is_refused, taking
from tests.auth.issuers import Issuer, claims, issuing, signer
from tests.servers import Live
from tests.waiting import wait_until

OLD, NEW, NEWER = (signer("ES256", name) for name in ("old", "new", "newer"))
OFTEN_S = 0.05
NEVER_S = 3600


@pytest.fixture
async def moving() -> AsyncIterator[Issuer]:
    async with issuing(OLD) as issuer:
        yield issuer


@asynccontextmanager
async def ring(issuer: Issuer, *, every_s: float = NEVER_S, again_s: float = 0) -> AsyncIterator[KeyRing]:
    async with KeyRing(
        from_address(issuer.url, ASYMMETRIC), every_s=every_s, again_s=again_s
    ).running() as one:
        yield one


@pytest.fixture
async def server(redis_url: str, moving: Issuer) -> AsyncIterator[Live]:
    async with taking(redis_url, jwt_jwks_url=moving.url, jwt_refresh_s=1) as live:
        yield live


@pytest.fixture
async def http(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with server.http() as client:
        yield client


# over HTTP


async def test_good_tokens_are_taken_throughout_a_rotation(http: httpx.AsyncClient, moving: Issuer) -> None:
    old = OLD.sign(claims())
    seen = [(await call(http, old)).status_code]
    moving.signers = [NEW, OLD]  # the new key is there before it signs
    new = NEW.sign(claims())
    seen += [(await call(http, token)).status_code for token in (new, old, new)]
    assert seen == [200] * 4
    moving.signers = [NEW]

    async def forgotten() -> bool:
        seen.append((await call(http, new)).status_code)
        return is_refused(await call(http, old))

    await wait_until(forgotten, "the old key's tokens are refused, though they were known")
    assert set(seen) == {200}


async def test_while_the_issuer_is_away_its_keys_go_on(http: httpx.AsyncClient, moving: Issuer) -> None:
    assert (await call(http, OLD.sign(claims()))).status_code == 200
    for status, body in ((500, b""), (200, b"<html>"), (200, b'{"keys": []}'), (302, b""), (200, b"[1]")):
        moving.status, moving.body, before = status, body, moving.readings

        async def read_again(before: int = before) -> bool:
            return moving.readings > before

        await wait_until(read_again, "the set is read again")
        assert (await call(http, OLD.sign(claims(sub=f"ann{status}")))).status_code == 200
        assert is_refused(await call(http, NEW.sign(claims())))
    moving.status, moving.body, moving.signers = 200, None, [NEW]

    async def back() -> bool:
        return (await call(http, NEW.sign(claims()))).status_code == 200

    await wait_until(back, "the new key is known")


async def test_a_server_that_starts_without_its_issuer_says_to_come_later(
    redis_url: str, moving: Issuer
) -> None:
    moving.status = 503
    async with taking(redis_url, jwt_jwks_url=moving.url, jwt_refresh_s=1) as server, server.http() as http:
        response = await call(http, OLD.sign(claims()))
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert is_refused(await call(http))
        assert (await http.get("/ok")).status_code == 200
        moving.status = 200

        async def back() -> bool:
            return (await call(http, OLD.sign(claims()))).status_code == 200

        await wait_until(back, "the keys are read")


# the ring


async def test_an_unknown_key_is_looked_for_once_in_a_while(moving: Issuer) -> None:
    async with ring(moving, again_s=NEVER_S) as one:
        for number in range(20):
            with pytest.raises(InvalidToken):
                await one.find(f"made up {number}", "ES256")
        assert moving.readings == 2  # at the start, and for the first of them
        moving.signers = [NEW]
        assert (await one.find("old", "ES256")).kid == "old"


async def test_a_token_without_a_name_is_never_a_reason_to_look(moving: Issuer) -> None:
    moving.signers = [OLD, NEW]
    async with ring(moving) as one:
        for _ in range(5):
            with pytest.raises(InvalidToken):
                await one.find(None, "ES256")
        assert moving.readings == 1


async def test_many_who_wait_for_a_new_key_share_one_reading(moving: Issuer) -> None:
    async with ring(moving, again_s=NEVER_S) as one:
        moving.gate.clear()
        moving.signers = [NEW]
        waiting = [asyncio.create_task(one.find("new", "ES256")) for _ in range(50)]

        async def asked() -> bool:
            return moving.readings == 2

        await wait_until(asked, "the set is asked for")
        waiting[0].cancel()  # one that leaves takes nobody with it
        moving.gate.set()
        found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert {getattr(key, "kid", key) for key in found[1:]} == {"new"}
    assert moving.readings == 2


async def test_an_issuer_that_hangs_holds_up_nobody_who_is_known(
    moving: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "FETCH_TIMEOUT_S", 0.3)
    async with ring(moving) as one:
        moving.gate.clear()
        stuck = asyncio.create_task(one.find("new", "ES256"))

        async def asked() -> bool:
            return moving.readings == 2

        await wait_until(asked, "the set is asked for")
        assert (await one.find("old", "ES256")).kid == "old"
        assert not stuck.done()
        with pytest.raises(InvalidToken):
            await stuck
        moving.gate.set()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'{"keys": {}}',
        b'{"keys": [1, null, "x"]}',
        b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "k"}]}',
        b'{"keys": [' + b"{}," * 500 + b"{}]}",
        b'{"keys": ["' + b"x" * MOST_BYTES + b'"]}',
    ],
    ids=lambda body: repr(body[:30]),
)
async def test_what_is_no_key_set_is_never_taken_for_one(moving: Issuer, body: bytes) -> None:
    moving.body = body
    async with ring(moving) as one:
        with pytest.raises(Unavailable):
            await one.find("old", "ES256")


async def test_a_key_that_is_read_again_is_the_same_and_another_under_its_name_is_not(moving: Issuer) -> None:
    async with ring(moving) as one:
        key = await one.find("old", "ES256")
        await one.refresh()
        assert one.holds(key)
        moving.signers = [signer("ES384", "another")]
        moving.others = [signer("ES256", "impostor").jwk(kid="old")]
        await one.refresh()
        assert not one.holds(key)


async def test_keys_under_one_name_are_told_apart_by_what_they_sign(moving: Issuer) -> None:
    moving.others = [signer("RS256", "RS256").jwk(kid="old")]
    async with ring(moving) as one:
        for algorithm in ("ES256", "RS256"):
            assert algorithm in (await one.find("old", algorithm)).algorithms
        with pytest.raises(InvalidToken, match="alg"):
            await one.find("old", "ES384")


async def test_a_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"

    def write(*keys: Any) -> None:
        (tmp_path / "next").write_bytes(orjson.dumps({"keys": [one.jwk() for one in keys]}))
        (tmp_path / "next").rename(file)

    write(OLD)
    async with KeyRing(from_file(file, ASYMMETRIC), every_s=OFTEN_S).running() as one:
        key = await one.find("old", "ES256")
        write(NEW)

        async def changed() -> bool:
            return not one.holds(key)

        await wait_until(changed, "the old key is gone")
        assert (await one.find("new", "ES256")).kid == "new"
        file.unlink()
        assert not await one.refresh()
        assert (await one.find("new", "ES256")).kid == "new"


# what is remembered


async def test_no_more_tokens_are_remembered_than_there_is_room_for(
    server: Live, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.auth.tokens.MOST_CACHED", 5)
    for number in range(12):
        assert (await call(http, OLD.sign(claims(sub=f"a{number}")))).status_code == 200
    sign_in = server.sign_in
    assert isinstance(sign_in, SignIn)
    assert isinstance(sign_in.own, TokenAuthenticator)
    assert len(sign_in.own._known) == 5
