"""A person forgotten: nothing names them in what others keep of approvals, and the audit trail stays."""

from holdfast.core import erasure
from holdfast.core.erasure import Person
from holdfast.redis import audit
from tests.api.approving import APPROVE, REJECT, ask_one, decide, kinds, settled, shown
from tests.scanning import mentions
from tests.servers import Live


async def whole(server: Live) -> int:
    """Checks each link of the trail; returns how many entries there are."""
    link, count = "", 0
    async for entry in audit.entries(server.platform.client, server.platform.keys, 0):
        assert entry.link == audit.link(link, entry.text)
        link, count = entry.link, count + 1
    return count


async def test_a_decider_is_forgotten(server: Live) -> None:
    async with (
        server.http("ann") as ann,
        server.http("Zebedee Quill", "chief") as zebedee,
        server.http("carl", "chief") as carl,
    ):
        one = await ask_one(ann, roles=["chief"], deciders=2)
        other = await ask_one(ann, roles=["chief"])
        await shown(zebedee, one)
        await zebedee.post(f"/approvals/{one}/claim")
        await decide(zebedee, one, APPROVE)
        await decide(carl, one, APPROVE)
        await settled(ann, one)
        await zebedee.post(f"/approvals/{other}/claim")
        entries = await whole(server)
        tenant = await tenant_of(server, one)
        removed = (await erasure.erase(server.platform, Person("Zebedee Quill", tenant))).platform
        assert removed["pseudonyms"] == 1
        assert removed["names"] >= 4
        assert await mentions(server.platform.client.redis, "Zebedee Quill") == []
        assert await whole(server) >= entries
        found = await shown(ann, one)
        assert kinds(found)[:4] == ["requested", "viewed", "claimed", "voted"]
        assert [line["by"] for line in found["history"]][:4] == ["ann", "erased", "erased", "erased"]
        assert found["decision"]["by"] == ["erased", "carl"]


async def test_a_vote_on_top_of_a_name_that_was_forgotten_does_not_bring_it_back(server: Live) -> None:
    async with (
        server.http("ann") as ann,
        server.http("Zebedee Quill", "chief") as zebedee,
        server.http("carl", "chief") as carl,
    ):
        one = await ask_one(ann, roles=["chief"], deciders=3)
        await decide(zebedee, one, APPROVE)
        seen = (await shown(carl, one))["revision"]
        await erasure.erase(server.platform, Person("Zebedee Quill", await tenant_of(server, one)))
        refused = await carl.post(f"/approvals/{one}/decisions", json={**APPROVE, "revision": seen})
        assert refused.status_code == 409
        assert (await decide(carl, one, APPROVE)).status_code == 200
        assert await mentions(server.platform.client.redis, "Zebedee Quill") == []
        assert [vote["by"] for vote in (await shown(ann, one))["votes"]] == ["erased", "carl"]


async def test_who_asked_is_forgotten(server: Live) -> None:
    async with server.http("Yolande Pemberton") as yolande, server.http("bob", "chief") as bob:
        one = await ask_one(yolande, reason="because Yolande Pemberton said so")
        tenant = await tenant_of(server, one)
        await ask_one(yolande, roles=["chief"])
        await decide(bob, one, REJECT, message="no, Yolande Pemberton")
        await settled(yolande, one)
        entries = await whole(server)
        person = Person("Yolande Pemberton", tenant)
        await erasure.erase(server.platform, person)
        assert await mentions(server.platform.client.redis, "Yolande Pemberton") == []
        assert await mentions(server.platform.client.redis, person.digest) == []
        assert await whole(server) == entries + 1, "the one that waited was deleted"
        assert (await bob.get(f"/approvals/{one}")).status_code == 404


async def tenant_of(server: Live, approval_id: str) -> str:
    thread = server.platform.keys.thread(approval_id.partition(":")[0])
    tenant: bytes = await server.platform.client.call("HGET", thread, "tenant")
    return tenant.decode()
