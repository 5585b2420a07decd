"""A lane's audit trail as an operator checks it: its entries, its links, and who its names are."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from holdfast.core.platform import Platform
from holdfast.errors import Invalid
from holdfast.redis import audit
from holdfast.redis.audit import Entry, Person

Request = tuple[str, str]  # thread and request id


class Head(NamedTuple):
    """Where a lane's trail stood at some time: kept elsewhere, it shows if the trail was written anew."""

    lane: int
    seq: int
    link: str

    def __str__(self) -> str:
        return f"{self.lane}:{self.seq}:{self.link}"


class Finding(NamedTuple):
    lane: int
    where: str
    what: str

    def __str__(self) -> str:
        return f"lane {self.lane}, {self.where}: {self.what}"


class Deed(BaseModel):
    """What an entry says was done to a request; `actor` is the pseudonym of who did it.

    Entries of earlier versions have no `details`.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    seq: int
    at: Annotated[str, Field(pattern=r"^[0-9]{1,14}$")]  # ms
    kind: str
    tenant: str
    thread: str
    request: str
    policy: str
    actor: str
    digest: str
    details: str = ""

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(int(self.at) / 1000, UTC)


def read_deed(entry: Entry) -> Deed | None:
    """None for what no entry ever said."""
    with suppress(ValidationError):
        return Deed.model_validate_json(entry.text)
    return None


def read_head(text: str) -> Head:
    """Raises `Invalid` for what `Head` never looks like."""
    lane, seq, link = [*text.split(":"), "", ""][:3]
    if not (lane.isdecimal() and seq.isdecimal() and text == f"{int(lane)}:{int(seq)}:{link}"):
        raise Invalid(f"{text!r} is no head of a trail: one is LANE:SEQ:LINK, as `verify` prints it.")
    return Head(int(lane), int(seq), link)


# the trail itself


class Chain:
    """A lane's trail, read from its beginning: each entry has to follow from the one before it."""

    def __init__(self, lane: int, noted: Sequence[Head] = ()) -> None:
        self.lane = lane
        self.seq = 0
        self.link = ""
        self.entries = 0
        self.deeds: dict[Request, list[Deed]] = defaultdict(list)
        self.findings: list[Finding] = []
        self._noted = [head for head in noted if head.lane == lane]
        self._links = {head.seq: "" for head in self._noted}
        self._last_id = ""

    @property
    def head(self) -> Head:
        return Head(self.lane, self.seq, self.link)

    async def read(self, platform: Platform) -> None:
        """Reads on to the end, also again."""
        async for entry in audit.entries(platform.client, platform.keys, self.lane, self._last_id):
            self._last_id = entry.id
            self.add(entry)

    def add(self, entry: Entry) -> None:
        number, _, part = entry.id.partition("-")
        if part != "0":
            self._complain(f"entry {entry.id}", "was put in: the server numbers them otherwise")
            return
        seq = int(number)
        if seq > self.seq + 1:
            self._complain(span(self.seq + 1, seq - 1), "missing")
        elif audit.link(self.link, entry.text) != entry.link:
            what = "its link does not follow from its text and the link before: one of them was changed"
            self._complain(f"entry {seq}", what)
        self.entries += 1
        self._note(seq, entry)
        self.seq, self.link = seq, entry.link
        if seq in self._links:
            self._links[seq] = entry.link

    def _note(self, seq: int, entry: Entry) -> None:
        deed = read_deed(entry)
        if deed is None:
            self._complain(f"entry {seq}", "its text is nothing that the server writes")
            return
        if deed.seq != seq:
            self._complain(f"entry {seq}", f"its text is that of entry {deed.seq}")
        self.deeds[deed.thread, deed.request].append(deed)

    def close(self, newest_id: str) -> None:
        """Says what is missing at the end, if the trail once went as far as `newest_id`."""
        newest = int(newest_id.partition("-")[0])
        if newest > self.seq:
            self._complain(span(self.seq + 1, newest), "missing at the end")
        for head in self._noted:
            if head.seq > self.seq:
                self._complain(f"entry {head.seq}", "missing: it was there when its head was noted")
            elif self._links[head.seq] != head.link:
                self._complain(f"entry {head.seq}", "was another one when its head was noted")

    def _complain(self, where: str, what: str) -> None:
        self.findings.append(Finding(self.lane, where, what))


def span(first: int, last: int) -> str:
    return f"entry {first}" if first == last else f"entries {first} to {last}"


# who its names are


async def read_names(platform: Platform, lane: int) -> dict[str, str]:
    """Who stands behind the pseudonyms of a lane: those who were not erased, and whose names are right."""
    found = await audit.people(platform.client, platform.keys, lane)
    return {name: person.subject for name, person in found.items() if person.pseudonym == name}


async def check_people(platform: Platform, lane: int) -> list[Finding]:
    """What is wrong with them in both of two readings: somebody may come or go in the middle of one."""
    client, keys = platform.client, platform.keys
    found = []
    for _ in range(2):
        people, pseudonyms = (
            await audit.people(client, keys, lane),
            await audit.pseudonyms(client, keys, lane),
        )
        found.append(set(wrong_names(people, pseudonyms)))
    return [Finding(lane, f"pseudonym {name}", what) for name, what in sorted(found[0] & found[1])]


def wrong_names(people: dict[str, Person], pseudonyms: dict[bytes, str]) -> Iterator[tuple[str, str]]:
    for name, person in people.items():
        if person.pseudonym != name:
            yield name, "the name that is kept of who this is was changed"
        elif pseudonyms.get(person.who) != name:
            yield name, "is not the one under which this person acts now"
    for name in pseudonyms.values():
        if name not in people:
            yield (
                name,
                "who this is was taken away, and not by an erasure; one that was broken off is done again",
            )
