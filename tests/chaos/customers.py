"""Customers who ask for refunds, and the people who decide on them, over the API and with patience."""

import asyncio
import random
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.shops import OPERATORS, Market, Wish

APPROVE, REJECT = {"type": "approve"}, {"type": "reject", "message": "no"}
LOOK_S = (0.1, 1.0)  # from one look to the next, longer each time
ASK_AGAIN = 20


@dataclass
class Conversation:
    """One customer's wish; `problems` is what no outage explains."""

    market: Market
    wish: Wish
    thread_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    problems: list[str] = field(default_factory=list)

    async def hold(self) -> None:
        """From the first word until nothing waits any more. Who is told that the shop is away asks again."""
        for attempt in range(ASK_AGAIN):
            await self.ask(attempt)
            requests = await self.settle()
            if requests:
                return
        self.problems.append(f"{self.wish} was never asked about")

    async def ask(self, attempt: int = 0) -> None:
        said = [{"role": "user", "content": self.wish.words}]
        body = {"assistant_id": "support", "input": {"messages": said}, "if_not_exists": "create"}
        key = {"Idempotency-Key": f"{self.thread_id}-{attempt}"}
        path = f"/threads/{self.thread_id}/runs"
        reply = await self.market.call(self.wish.subject, "POST", path, json=body, headers=key)
        if reply.status_code != 200:
            self.problems.append(f"{self.wish} could not be asked for: {reply.status_code} {reply.text}")

    async def settle(self) -> dict[str, Any]:
        """Has everything decided that waits; the requests of the conversation when that is done."""
        while True:
            thread = await self.at_rest()
            waiting = read_waiting(thread)
            if not waiting:
                requests: dict[str, Any] = (thread.get("values") or {}).get("requests") or {}
                return requests
            await asyncio.gather(*(self.decide(policy) for policy in waiting.values()))

    async def at_rest(self) -> dict[str, Any]:
        wait_s, most_s = LOOK_S
        while True:
            reply = await self.market.call(self.wish.subject, "GET", f"/threads/{self.thread_id}")
            thread: dict[str, Any] = reply.json()
            if reply.status_code != 200 or thread["status"] == "error":
                self.problems.append(f"{self.thread_id}: {reply.text[:500]}")
                return {}
            if thread["status"] != "busy":
                return thread
            await asyncio.sleep(wait_s)
            wait_s = min(1.5 * wait_s, most_s)

    async def decide(self, policy: dict[str, Any]) -> None:
        """All who may say yes at once; whoever comes too late is told so."""
        people = self.deciders(policy)
        path = f"/approvals/{self.thread_id}:{policy['request_id']}/decisions"
        replies = await asyncio.gather(*(self.market.call(one, "POST", path, json=APPROVE) for one in people))
        for reply in replies:
            if reply.status_code not in (200, 202, 409):
                self.problems.append(f"{path}: {reply.status_code} {reply.text[:300]}")

    def deciders(self, policy: dict[str, Any]) -> Iterable[str]:
        if policy["roles"] == ["owner"]:
            return [self.wish.subject] * 2
        return random.sample(OPERATORS, 2)


def read_waiting(thread: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The policies of what waits on a thread, by interrupt id."""
    interrupts = [one for each in (thread.get("interrupts") or {}).values() for one in each]
    return {one["id"]: one["value"]["policy"] for one in interrupts}
