"""What the end of a run says of requests for approval: those that wait, and what became of the others."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson
from langgraph.types import Interrupt, StateSnapshot

from holdfast.events import dump
from holdfast.redis import audit
from holdfast.redis.acts import Act, saying
from holdfast.redis.approvals import Asked, Requests, Told, ask, read_cards
from holdfast.redis.claims import Claim
from holdfast.redis.client import Client, insist
from holdfast.redis.keys import Keys
from holdfast.wire.approvals import policy_of, read_policy

Cards = Mapping[str, Mapping[str, Any]]


class Given(NamedTuple):
    """What the graph was given of the decisions that a run brings, by request.

    `answered` in this attempt, each with its interrupt; `carried` also before it, as far as that can be told.
    A run that found nothing to do is `idle`.
    """

    answered: Mapping[str, str]
    carried: Collection[str]
    idle: bool

    def asks_again(self, request: str, interrupt_id: str, status: str) -> bool:
        """Whether a request waits for another decision than the one that the graph was given.

        It does not where a node has failed with it: LangGraph keeps the answer, and the node has it again.
        """
        failed = status in ("error", "timeout")
        return request in self.answered and not (failed and self.answered[request] == interrupt_id)


class Asking:
    """The requests of a claim's thread."""

    def __init__(self, client: Client, keys: Keys, claim: Claim, webhooks: Sequence[str] = ()) -> None:
        """`webhooks` are told of each new request."""
        self._client = client
        self._keys = keys
        self._claim = claim
        self._webhooks = webhooks

    async def read(
        self, snapshot: StateSnapshot | None, given: Given, status: str, *, heed: bool
    ) -> Requests:
        """How they stand; without a snapshot nothing waits.

        Raises `Invalid` for a policy that makes no sense.
        """
        waiting = questions(snapshot)
        if not (waiting or given.carried or self._claim.asking):
            return Requests()
        cards = await self._cards(waiting, given)
        asked = [
            await self._asked(
                interrupt,
                self._requester((request_id, predecessor(interrupt)), cards, given.answered),
                cards.get(request_id),
                answered=given.asks_again(request_id, interrupt.id, status),
            )
            for request_id, interrupt in waiting.items()
        ]
        gone = self._gone(waiting, cards) if status == "success" and not given.idle else []
        outcome = {"run_id": self._claim.run_id, "status": status}
        done = [
            Told(one, saying("carried_out", salt_of(cards, one), outcome))
            for one in given.carried
            if one not in waiting
        ]
        return Requests(heed, asked, gone, done)

    async def _cards(self, waiting: Mapping[str, Interrupt], given: Given) -> Cards:
        """Of all that is spoken of: what waits, whose place it takes, what was decided or may be gone."""
        named = {
            *waiting,
            *map(predecessor, waiting.values()),
            *self._decided,
            *given.carried,
            *self._claim.asking,
        }
        ids = [one for one in named if ":" not in one]  # what a policy supersedes is any text
        return await insist(partial(read_cards, self._client, self._keys, self._claim.thread_id, ids))

    async def _asked(
        self, interrupt: Interrupt, requester: str, known: Mapping[str, Any] | None, *, answered: bool
    ) -> Asked:
        claim = self._claim
        who = (claim.lane, claim.tenant, requester)
        about = {
            "tenant": claim.tenant,
            "owner": claim.owner,
            "requester": requester,
            "run_id": claim.run_id,
            "graph_id": claim.request["graph_id"],
            "assistant_id": claim.request["assistant_id"],
        }
        return ask(
            interrupt.id,
            orjson.loads(dump(interrupt.value)),
            about,
            await insist(partial(audit.pseudonym, self._client, self._keys, *who)),
            answered=answered,
            known=known,
            tell=self._webhooks,
        )

    def _requester(self, line: Collection[str], cards: Cards, answered: Collection[str]) -> str:
        """Who asks for a request: the `line` is its own id, and that of the one whose place it takes.

        It is the run's caller. But who answers asks for nothing: then it is who asked for what was answered.
        A run with input may do both, so in that only what was answered itself has the requester it had.
        """
        known = (*line, *self._decided) if self._decided else (one for one in line if one in answered)
        found = (cards[one]["requester"] for one in known if one in cards)
        return str(next(found, self._claim.request["caller"]))

    @property
    def _decided(self) -> Collection[str]:
        """The requests whose decision the run has come about for, or the failed one that it goes on with."""
        request = self._claim.request
        return request.get("decisions") or request.get("decided") or ()

    def _gone(self, waiting: Mapping[str, Interrupt], cards: Cards) -> list[Told]:
        """Those that waited when the run began, and that the graph has ended without asking again."""
        successors = {one.value["policy"].get("supersedes"): request for request, one in waiting.items()}
        gone = (request for request in self._claim.asking if request not in waiting)
        return [told_gone(request, successors.get(request), salt_of(cards, request)) for request in gone]


def questions(snapshot: StateSnapshot | None) -> dict[str, Interrupt]:
    """The interrupts of a state that ask for approval, by request id."""
    interrupts = snapshot.interrupts if snapshot else ()
    return {read_policy(policy).request_id: one for one in interrupts if (policy := policy_of(one.value))}


def predecessor(interrupt: Interrupt) -> str:
    """The request whose place this one takes; "" for none."""
    return interrupt.value["policy"].get("supersedes") or ""


def salt_of(cards: Cards, request: str) -> str:
    """Of what is not kept nothing is written down either, so any salt will do."""
    return str(cards[request]["salt"]) if request in cards else ""


def told_gone(request: str, successor: str | None, salt: str) -> Told:
    if successor is None:
        return Told(request, Act("withdrawn"), "withdrawn")
    return Told(request, saying("superseded", salt, {"by": successor}), "superseded")
