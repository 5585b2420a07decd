"""The audit trail: checked, and told with the names of people."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from holdfast.core.audited import check_requests
from holdfast.core.kept import Outcome, find_kept, read_outcome
from holdfast.core.platform import Platform
from holdfast.core.trail import Chain, Deed, Finding, Head, Request, check_people, read_deed, read_names
from holdfast.redis import audit
from holdfast.redis.audit import Entry


@dataclass(slots=True)
class Report:
    """What a check has found. `unchecked` is what an erasure has made impossible to check.

    `gone` are requests that the trail tells of and that went with their threads.
    """

    heads: list[Head] = field(default_factory=list)
    entries: int = 0
    requests: int = 0
    gone: int = 0
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Finding] = field(default_factory=list)


async def verify(platform: Platform, noted: Sequence[Head] = ()) -> Report:
    """Checks every lane, and that the trails once stood at the heads that were noted. Changes nothing."""
    report = Report()
    kept = await find_kept(platform)
    for lane in range(platform.keys.lanes):
        await verify_lane(platform, Chain(lane, noted), kept[lane], report)
    for head in noted:
        if head.lane >= platform.keys.lanes:
            report.findings.append(Finding(head.lane, "head", "there is no such lane"))
    return report


async def verify_lane(platform: Platform, chain: Chain, kept: Collection[Request], report: Report) -> None:
    newest_id = await audit.newest_id(platform.client, platform.keys, chain.lane)
    await chain.read(platform)
    people = await check_people(platform, chain.lane)
    names = await read_names(platform, chain.lane)
    checked = await check_requests(platform, chain, names, kept)
    chain.close(newest_id)
    report.heads.append(chain.head)
    report.findings += [*chain.findings, *people, *checked.findings]
    report.unchecked += checked.unchecked
    report.entries += chain.entries
    report.requests += checked.requests
    report.gone += checked.gone


async def tell(
    platform: Platform, since: datetime | None = None, tenant: str | None = None
) -> AsyncIterator[dict[str, Any]]:
    """The entries of every lane in their order, each with the name of who did it, unless that was erased, and
    with the run that carried a decision out, while the request is kept.

    What cannot be read is told too, whatever is asked for: it is for `verify` to say what that is.
    """
    for lane in range(platform.keys.lanes):
        names = await read_names(platform, lane)
        async for entry in audit.entries(platform.client, platform.keys, lane):
            deed = read_deed(entry)
            if deed is None or wanted(deed, since, tenant):
                outcome = await read_outcome(platform, deed) if deed else Outcome()
                yield tell_entry(lane, entry, deed, names, outcome)


def wanted(deed: Deed, since: datetime | None, tenant: str | None) -> bool:
    return tenant in (None, deed.tenant) and (since is None or since <= deed.moment)


def tell_entry(
    lane: int, entry: Entry, deed: Deed | None, names: Mapping[str, str], outcome: Outcome
) -> dict[str, Any]:
    return {
        "lane": lane,
        "seq": deed.seq if deed else None,
        "at": deed.moment.isoformat(timespec="milliseconds") if deed else None,
        "kind": deed.kind if deed else None,
        "tenant": deed.tenant if deed else None,
        "thread_id": deed.thread if deed else None,
        "request_id": deed.request if deed else None,
        "policy": deed.policy if deed else None,
        "actor": deed.actor if deed else None,
        "subject": names.get(deed.actor) if deed else None,
        "run_id": outcome.run_id,
        "status": outcome.status,
        "digest": deed.digest if deed else None,
        "details": deed.details if deed else None,
        "link": entry.link,
        "text": entry.text,
    }
