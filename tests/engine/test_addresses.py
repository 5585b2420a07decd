"""What REDIS_URL may say."""

import pytest

from holdfast.redis.addresses import parse_address
from holdfast.redis.checks import shown
from holdfast.redis.keys import hash_slot
from holdfast.redis.topology import Topology, slot_of


def test_sentinels_and_their_own_password() -> None:
    url = "rediss+sentinel://me:p%40ss@one,two:26380/main/2?sentinel_password=other&ssl_ca_certs=/ca"
    found = parse_address(url)
    assert (found.kind, found.service) == ("sentinel", "main")
    assert found.urls == (
        "rediss://me:p%40ss@one:26379/2?ssl_ca_certs=%2Fca",
        "rediss://me:p%40ss@two:26380/2?ssl_ca_certs=%2Fca",
    )
    assert found.of_sentinels == (("password", "other"),)
    assert shown(url) == "rediss+sentinel://one,two:26380/main/2"


def test_a_cluster_and_its_other_servers() -> None:
    found = parse_address("redis+cluster://:pass@one,[::1]:7000")
    assert found.urls == ("redis://:pass@one:6379", "redis://:pass@[::1]:7000")
    assert found.at("10.0.0.1", 7001) == "redis://:pass@10.0.0.1:7001"
    assert found.at("fe80::1", 7001) == "redis://:pass@[fe80::1]:7001"


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://one:26379",
        "redis+cluster://one/main",
        "redis+cluster://one,,two",
        "redis+cluster://one:port",
        "unix+cluster:///socket",
        "redis+other://one",
    ],
)
def test_what_leads_nowhere(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any sentence will do, it is not shown
        parse_address(url)


def test_a_key_has_the_slot_of_its_tag() -> None:
    assert slot_of("holdfast:{7}:thread:x") == slot_of(b"{7}") == hash_slot("7")
    assert slot_of("a{}b") == hash_slot("a{}b")


async def test_a_cluster_that_does_not_answer_is_taken_for_what_it_was() -> None:
    topology = Topology("redis+cluster://127.0.0.1:1")
    await topology.refresh()
    assert topology.homes() == [topology.home("any")] == ["redis://127.0.0.1:1"]
