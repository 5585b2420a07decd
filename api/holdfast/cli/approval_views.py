"""What `holdfast approvals` asks of a server, and how it is shown."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import httpx
import orjson

from holdfast.cli.chat_questions import listing, mapping, show_action, show_display
from holdfast.cli.chat_screen import Screen, terminal
from holdfast.cli.operators import show, shown
from holdfast.cli.servers import Server, explained, write, write_page
from holdfast.client import ApprovalsClient
from holdfast.wire.approvals import ApprovalDetail, ApprovalShown, ApprovalStatus

Status = Literal[ApprovalStatus, "all"]

HEADS = ("APPROVAL", "STATUS", "TITLE", "FIGURES", "FOR", "VOTES", "CLAIMED BY", "DUE")


Work = Callable[[ApprovalsClient, Screen], Awaitable[None]]


def call(server: Server, work: Work) -> None:
    """Does something at a server. Raises `StartError` with a sentence for what it refuses."""
    screen, _ = terminal()
    with explained(server.url):
        asyncio.run(calling(server, work, screen))


async def calling(server: Server, work: Work, screen: Screen) -> None:
    async with ApprovalsClient(
        server.url,
        api_key=server.api_key,
        token=server.token,
        transport=httpx.AsyncHTTPTransport(),  # no proxy of the environment: most servers are near
    ) as client:
        await work(client, screen)


# shown


async def list_approvals(
    status: Status, role: str | None, limit: int, json: bool, client: ApprovalsClient, screen: Screen
) -> None:
    page = await client.list(status=status, role=role, limit=limit)
    write_page(screen, json, page.approvals, page.total, HEADS, describe)


def describe(one: ApprovalShown) -> tuple[object, ...]:
    return (
        one.approval_id,
        one.status,
        one.title or ", ".join(one.actions),
        ", ".join(" ".join(fact) for fact in facts(one)),
        ", ".join(one.roles),
        votes(one),
        one.claim.by if one.claim else "",
        shown(one.expires_at) if one.expires_at else "",
    )


def facts(one: ApprovalShown) -> list[tuple[str, str]]:
    return [
        (str(fact.get("label", "")), str(fact.get("value", ""))) for fact in map(mapping, listing(one.facts))
    ]


def votes(one: ApprovalShown) -> str:
    return f"{len(one.votes)}/{one.deciders}" if one.status == "open" else ""


async def show_approval(approval_id: str, json: bool, client: ApprovalsClient, screen: Screen) -> None:
    approval = await client.get(approval_id)
    if json:
        write(screen, approval)
        return
    show_question(screen, mapping(approval.question))
    show(screen, standing(approval), f"approval {approval.approval_id}")
    lines = [(shown(line.at), line.kind, line.by, dump(line.said)) for line in approval.history]
    show(screen, lines, "history (UTC)")


def show_question(screen: Screen, question: Mapping[str, Any]) -> None:
    told = show_display(screen, mapping(question.get("display")))
    actions = listing(question.get("action_requests"))
    for action in actions:
        if not told or len(actions) > 1:
            show_action(screen, mapping(action))


def standing(one: ApprovalDetail) -> list[tuple[str, str]]:
    rows = [
        ("status", one.status),
        ("revision", one.revision),
        ("for", ", ".join(one.roles)),
        ("asked by", f"{one.requester}, {shown(one.created_at)}"),
        ("policy", f"version {one.version}" + (f", {one.reason}" if one.reason else "")),
    ]
    rows += [("due", shown(one.expires_at))] if one.expires_at else []
    rows += [("claimed by", f"{one.claim.by}, until {shown(one.claim.until)}")] if one.claim else []
    rows += [("vote", f"{vote.type} by {vote.by}, {shown(vote.at)}") for vote in one.votes]
    return rows + ([("decision", describe_decision(one))] if one.decision else [])


def describe_decision(one: ApprovalShown) -> str:
    decision = one.decision
    if decision is None:
        return f"{one.status}, {votes(one)} votes"
    said = [mapping(each) for each in listing(mapping(decision.value).get("decisions"))]
    kinds = ", ".join(str(each.get("type")) for each in said)
    return f"{kinds} by {', '.join(decision.by) or 'nobody'}, {shown(decision.at)}"


# answered


async def decide(
    approval_id: str,
    decision: Mapping[str, Any],
    revision: str | None,
    json: bool,
    client: ApprovalsClient,
    screen: Screen,
) -> None:
    """The same to each of its actions; refused when something happens to it meanwhile, or has since
    `revision`."""
    seen = await client.get(approval_id)
    answer = [decision] * len(seen.actions)
    done = await client.decide(approval_id, answer, revision=revision or seen.revision)
    if json:
        write(screen, done.approval)
        return
    screen.line(f"{done.approval.approval_id}: {describe_decision(done.approval)}")
    if not done.on_disk:
        screen.line("It is accepted and not yet on disk: look again before you rely on it.")


def dump(said: Any) -> str:
    return "" if said is None else orjson.dumps(said).decode()
