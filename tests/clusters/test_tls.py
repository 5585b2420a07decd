"""Redis behind TLS with an authority of its own, for a user who may do no more than is needed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from holdfast.errors import StartError
from holdfast.redis.checks import check_server
from holdfast.redis.client import connect
from holdfast.settings import read_settings
from tests.api.approving import APPROVE, ask_one, decide
from tests.clusters.nodes import Node
from tests.faults.conftest import works
from tests.nginx import make_secrets
from tests.programs import need_program
from tests.servers import live
from tests.waiting import wait_until

# As docs/deploy.md has it.
RULES = "on >s3cr3t ~holdfast:* &holdfast:* +@all -@admin -@dangerous +info"


@dataclass
class Guarded:
    """A server, and a Sentinel that watches it."""

    server: Node
    sentinel: Node
    certificate: Path

    @property
    def url(self) -> str:
        return f"rediss://holdfast:s3cr3t@localhost:{self.server.port}/0"

    @property
    def watched_url(self) -> str:
        return f"rediss+sentinel://holdfast:s3cr3t@localhost:{self.sentinel.port}/main/0"

    def trusted(self, url: str) -> str:
        """As the settings make it of REDIS_URL and HOLDFAST_REDIS_CA."""
        given = read_settings({"REDIS_URL": url, "HOLDFAST_REDIS_CA": str(self.certificate)}).redis_url
        assert given
        return given


@pytest.fixture(scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    folder = tmp_path_factory.mktemp("tls")
    make_secrets(folder / "secrets")
    program = need_program("redis-server", package="redis-server")
    certificate = folder / "secrets" / "tls_certificate"
    tls = (
        *("--tls-cert-file", str(certificate), "--tls-key-file", str(folder / "secrets" / "tls_key")),
        *("--tls-ca-cert-file", str(certificate), "--tls-auth-clients", "no", "--tls-replication", "yes"),
    )
    users = folder / "users.acl"
    users.write_text(f"user default off\nuser holdfast {RULES}\nuser sentinel on >w4tch +@all &*\n")
    made = [Node(folder / name, program=program) for name in ("server", "sentinel")]
    server, sentinel = made
    server.options = (*tls, "--aclfile", str(users), "--appendonly", "yes", "--save", "")
    sentinel.options = tls
    watch = folder / "sentinel.conf"
    watch.write_text(
        f"sentinel monitor main 127.0.0.1 {server.port} 1\n"
        "sentinel auth-user main sentinel\nsentinel auth-pass main w4tch\n"
    )
    found = Guarded(server, sentinel, certificate)
    try:
        server.start(plain=False)
        sentinel.start(str(watch), "--sentinel", plain=False)
        await asyncio.gather(*(listening(node) for node in made))
        yield found
    finally:
        for node in made:
            node.kill()


async def listening(node: Node) -> None:
    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", node.port)
        except OSError:
            return False
        writer.close()
        return True

    await wait_until(listens, f"port {node.port} is open")


async def test_all_works_for_a_user_of_few_rights(guarded: Guarded) -> None:
    async with live(guarded.trusted(guarded.url), lease_s=4, prefix="holdfast") as server:
        await works(server)
        async with server.http("ann") as ann:
            assert (await decide(ann, await ask_one(ann), APPROVE)).status_code == 200
            assert (await ann.get("/readyz")).status_code == 200


async def test_sentinels_are_asked_by_tls_too(guarded: Guarded) -> None:
    url = guarded.trusted(guarded.watched_url)
    async with connect(url) as client:
        assert (await check_server(client, url, allow_eviction=False)).startswith("Redis 7")


@pytest.mark.parametrize("url", ["url", "watched_url"])
async def test_a_server_that_nobody_vouches_for_is_refused(guarded: Guarded, url: str) -> None:
    async with connect(getattr(guarded, url)) as client:
        with pytest.raises(StartError, match="cannot be reached"):
            await check_server(client, getattr(guarded, url), allow_eviction=False)


def test_an_authority_is_for_tls_alone(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="HOLDFAST_REDIS_CA is for rediss://"):
        read_settings({"REDIS_URL": "redis://localhost", "HOLDFAST_REDIS_CA": str(tmp_path)})
