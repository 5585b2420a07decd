"""Nobody learns anything of what is somebody else's: each person asks each route for each foreign thing."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.tenancy.asking import Answer, ask
from tests.tenancy.belongings import TOO_COMMON, Ids, Owner, missing
from tests.tenancy.case import Case
from tests.tenancy.cases import CASES, FIGURES, NOBODYS, OWN
from tests.tenancy.conftest import OWNERS, PEOPLE, TENANTS, World
from tests.tenancy.people import Person

pytestmark = pytest.mark.timeout(120)

PAIRS = [
    (one, owner)
    for one in PEOPLE
    for owner in OWNERS
    if one.is_stranger_to(owner) and (one.name or one.tenant == owner.tenant)
]
# The nearest of the same tenant, the mightiest of another: they also ask for each thing beside own ones.
MIXING = [TENANTS["north"]["another owner"], TENANTS["south"]["staff"]]
# What a name brings about happens once for each caller: its owner has to have used a new one.
NAMES = ("key", "session")
PERSONAL = {"key", "session", "chat_request", "task"}
NAMED = ("thread", "assistant")  # what can be made under an id that is taken
AT_REST = ("", "/history?limit=100", "/runs")
ASKED = [
    operation for operation, cases in CASES.items() if any(one.role and not one.endless for one in cases)
]


def every_case() -> Iterator[tuple[str, Case]]:
    return ((operation, case) for operation, cases in CASES.items() for case in cases)


def is_open(case: Case, person: Person, owner: Person) -> bool:
    """Whether somebody holds a role to whom the owner's thing is meant to be shown."""
    return case.role in person.roles and person.tenant == owner.tenant


def is_apart(case: Case, foreign: frozenset[str], person: Person, owner: Person) -> bool:
    """Whether the answer about these foreign things has to differ from that about missing ones."""
    if not case.apart or not person.name:
        return False
    return not foreign.isdisjoint(NAMED) or ({"shelf", "item"} <= foreign and person.tenant == owner.tenant)


def variants(kinds: frozenset[str], *, mixed: bool) -> Iterator[frozenset[str]]:
    """Which of the ids are foreign: all, or one beside what is the asker's own."""
    yield kinds
    if mixed and len(kinds) > 1:
        yield from (frozenset([kind]) for kind in sorted(kinds))


def told_kinds(ids: Ids, told: Answer) -> set[str]:
    """The kinds of ids, words and names that stand in an answer."""
    return {kind for kind, value in ids.items() if kind not in TOO_COMMON and value in told.whole}


class Visit:
    """Somebody at the door with ids of somebody else. `problems` are sentences."""

    def __init__(self, asker: Owner, owner: Owner) -> None:
        self.asker, self.owner = asker, owner
        self.problems: list[str] = []

    async def attempt(self, operation: str, case: Case, foreign: frozenset[str]) -> None:
        kinds = case.kinds(operation)
        wanted = {**self.owner.ids, **await self.owner.make(foreign.intersection(NAMES))}
        told = await self.ask(operation, case, wanted, foreign)
        where = f"{self.asker.person}: {operation} {case} with a foreign {', '.join(sorted(foreign))}"
        # That what was sent comes back from nothing too is for the comparison to say.
        for kind in told_kinds(wanted, told) - foreign:
            self.problems.append(f"{where} is told the {kind}: {told}")
        if is_apart(case, foreign, self.asker.person, self.owner.person):
            if f'"{case.apart}"' not in told.text.replace("\\", ""):  # MCP's is JSON within JSON
                self.problems.append(f"{where}, not {case.apart}: {told}")
            return
        absent = missing(wanted)
        never = await self.ask(operation, case, absent, foreign)
        if told.masked(wanted, kinds) != never.masked(absent, kinds):
            self.problems.append(f"{where}: {told}\n  where nothing is: {never}")

    async def ask(self, operation: str, case: Case, others: Ids, foreign: frozenset[str]) -> Answer:
        """Asks for foreign things beside own ones; on a new thread where the last one has been changed."""
        own = case.kinds(operation) - foreign
        changed = own.intersection(("thread", "keyed")) if case.changes else ()
        ids = {**self.asker.ids, **await self.asker.make_empty(changed)}
        return await ask(self.asker.http, operation, case, ids | {kind: others[kind] for kind in foreign})


async def at_rest(owner: Owner) -> list[Any]:
    """All that there is to see of an owner's threads, and of their item."""
    ids = owner.ids
    threads = ("thread", "asking", "later", "held", "scheduled")
    paths = [f"/threads/{ids[one]}{view}" for one in threads for view in AT_REST]
    paths += [f"/runs/crons/{ids['cron']}", f"/approvals/{ids['asking']}:{ids['request']}"]
    paths += [f"/assistants/{ids['assistant']}"]
    paths += [f"/store/items?namespace={ids['shelf']}&key={ids['item']}"]
    return [(await owner.http.get(path)).json() for path in paths]


@pytest.mark.parametrize(("person", "owner"), PAIRS, ids=str)
async def test_what_is_somebody_elses_reads_like_what_is_not_there(
    world: World, person: Person, owner: Person
) -> None:
    visit = Visit(world.everybody[person], world.everybody[owner])
    before, mixed = await at_rest(visit.owner), person in MIXING and owner == OWNERS[0]
    for operation, case in every_case():
        if not case.endless and not is_open(case, person, owner):
            for foreign in variants(case.kinds(operation), mixed=mixed):
                await visit.attempt(operation, case, foreign)
    assert not visit.problems, "\n".join(visit.problems)
    assert await at_rest(visit.owner) == before


@pytest.mark.parametrize("operation", CASES)
async def test_whose_it_is_gets_it(world: World, operation: str) -> None:
    """Else all of this would say nothing: an owner's answer is good, and not that about what is not there."""
    owner, staff = (world.everybody[TENANTS["north"][role]] for role in ("owner", "staff"))
    for case in CASES[operation]:
        if not case.endless:
            await check_own(owner, staff if case.by_staff else owner, operation, case)


async def check_own(owner: Owner, asker: Owner, operation: str, case: Case) -> None:
    kinds = case.kinds(operation)
    ids = {**owner.ids, **(await owner.make(kinds or ["thread"]) if case.changes else {})}
    told = await ask(asker.http, operation, case, ids)
    assert told.good or case.apart or case.inert, f"{operation} {case}: {told}"
    if case.tells:
        assert case.tells in told_kinds(ids, told), f"{operation} {case}: no {case.tells} in {told}"
    elif not case.apart and not case.silent:
        absent = missing(ids)
        never = await ask(asker.http, operation, case, absent)
        same = told.masked(ids, kinds) == never.masked(absent, kinds)
        assert same == case.inert, f"{operation} {case}: {told}"


@pytest.mark.parametrize("operation", ASKED)
async def test_who_is_asked_sees_the_request_and_not_the_thread(world: World, operation: str) -> None:
    owner, chief = (world.everybody[TENANTS["north"][role]] for role in ("owner", "chief"))
    for case in CASES[operation]:
        ids = {**owner.ids, **await owner.make(["request"])}
        if case.changes:
            await owner.post(f"/approvals/{ids['asking']}:{ids['request']}/release")
        told = await ask(chief.http, operation, case, ids)
        assert told.good, told
        assert "request" in told_kinds(ids, told), f"{operation} {case}: {told}"
        assert (await chief.http.get(f"/threads/{ids['asking']}")).status_code == 404


@pytest.mark.parametrize("operation", [one for one in CASES if one.startswith(("GET /threads", "GET /runs"))])
async def test_staff_get_what_is_their_tenants(world: World, operation: str) -> None:
    owner, staff = (world.everybody[TENANTS["north"][role]] for role in ("owner", "staff"))
    for case in CASES[operation]:
        if not (case.endless or case.by_staff):
            told = await ask(staff.http, operation, case, owner.ids)
            own = await ask(owner.http, operation, case, owner.ids)
            assert told.masked({}, ()) == own.masked({}, ())
            assert told.good


async def test_what_is_personal_is_not_for_staff_either(world: World) -> None:
    """Names mean something with their caller only, and so do the tasks of the short door."""
    owner, staff = (world.everybody[TENANTS["north"][role]] for role in ("owner", "staff"))
    visit = Visit(staff, owner)
    for operation, case in every_case():
        if case.kinds(operation) and case.kinds(operation) <= PERSONAL:
            await visit.attempt(operation, case, case.kinds(operation))
    assert not visit.problems, "\n".join(visit.problems)


@pytest.mark.parametrize("operation", NOBODYS)
async def test_what_is_nobodys_is_the_same_for_all(world: World, operation: str) -> None:
    reason, case = NOBODYS[operation]
    known = [one for one in world.everybody.values() if one.person.name]
    told = [await ask(one.http, operation, case, one.ids) for one in known]
    assert {one.status for one in told} in ({200}, {307}), told[0]
    assert all(one.masked({}, ()) == told[0].masked({}, ()) for one in told), reason
    for owner in known:
        assert not told_kinds(owner.ids, told[0])


@pytest.mark.parametrize("operation", OWN)
async def test_callers_are_told_of_themselves_alone(world: World, operation: str) -> None:
    for person, asker in world.everybody.items():
        told = await ask(asker.http, operation, OWN[operation], asker.ids)
        assert told.status == (200 if person.name else 401), f"{person}: {told}"
        named = {other.name for other in world.everybody if other.name and f'"{other.name}"' in told.whole}
        assert named == ({person.name} if person.name else set()), f"{person}: {told}"


@pytest.mark.parametrize("operation", FIGURES)
async def test_figures_are_for_the_staff_of_their_tenant(world: World, operation: str) -> None:
    for person, asker in world.everybody.items():
        told = await ask(asker.http, operation, FIGURES[operation], asker.ids)
        wanted = 200 if "operator" in person.roles else 403 if person.name else 401
        assert told.status == wanted, f"{person}: {told}"
        for owner in OWNERS:
            assert not told_kinds(world.everybody[owner].ids, told), f"{person}: {told}"


async def test_figures_count_what_is_of_the_own_tenant_only(world: World) -> None:
    async def rated() -> list[int]:
        answers = [await world.everybody[tenant["staff"]].http.get("/stats") for tenant in TENANTS.values()]
        return [answer.json()["total"]["ratings"]["count"] for answer in answers]

    before = await rated()
    owner = world.everybody[TENANTS["north"]["owner"]]
    ids = await owner.make(["thread"])
    assert (await owner.http.put(f"/threads/{ids['thread']}/rating", json={"score": 3})).status_code == 200
    assert await rated() == [before[0] + 1, before[1]]


async def test_somebody_elses_api_key_is_no_better_than_none(world: World) -> None:
    """Its id is no secret; with another secret it opens what a key opens that was never made."""
    owner, nobody = (world.everybody[TENANTS["north"][role]] for role in ("owner", "nobody"))
    forged = owner.ids["api_key"][:16] + "x" * 43
    absent = missing(owner.ids)
    for operation, case in every_case():
        told = await ask(nobody.http, operation, case, owner.ids, {"x-api-key": forged})
        never = await ask(nobody.http, operation, case, owner.ids, {"x-api-key": absent["api_key"]})
        assert told.masked({}, ()) == never.masked({}, ()), operation
        assert told.status == 401, operation
