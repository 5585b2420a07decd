"""Three people answer one request at once, at two replicas, each by another door: one of them decides."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.customers import APPROVE, REJECT, Conversation, read_waiting
from tests.chaos.ledgers import OUTCOMES, judge
from tests.chaos.shops import OPERATORS, Market, Wish, market
from tests.chaos.sites import Report, site
from tests.chaos.zygote import Zygote
from tools.refunds import find_refunds

RACES = 1_000
AT_ONCE = 8
ANSWERS = ("approve", "approve", "reject")
WON, TOLD_OFF, ODD = "won", "told off", "odd"


@dataclass(frozen=True, slots=True)
class Question:
    thread_id: str
    interrupt_id: str
    request_id: str

    @property
    def thread(self) -> str:
        return f"/threads/{self.thread_id}"


async def by_approval(ask: Callable[..., Awaitable[httpx.Response]], question: Question, answer: Any) -> str:
    reply = await ask("POST", f"/approvals/{question.thread_id}:{question.request_id}/decisions", json=answer)
    return {200: WON, 202: WON, 409: TOLD_OFF}.get(reply.status_code, f"{ODD} {reply.text}")


async def by_resume(ask: Callable[..., Awaitable[httpx.Response]], question: Question, answer: Any) -> str:
    resume = {question.interrupt_id: {"decisions": [answer]}}
    body = {"assistant_id": "support", "command": {"resume": resume}, "multitask_strategy": "enqueue"}
    reply = await ask("POST", f"{question.thread}/runs", json=body)
    return {200: WON, 409: TOLD_OFF}.get(reply.status_code, f"{ODD} {reply.text}")


async def by_protocol(ask: Callable[..., Awaitable[httpx.Response]], question: Question, answer: Any) -> str:
    params = {
        "namespace": [],
        "interrupt_id": question.interrupt_id,
        "response": {"decisions": [answer]},
    }
    body = {"id": 1, "method": "input.respond", "params": params}
    reply = (await ask("POST", f"{question.thread}/commands", json=body)).json()
    if reply["type"] == "success":
        return WON
    return TOLD_OFF if reply["error"] == "no_such_interrupt" else f"{ODD} {reply}"


DOORS = (by_approval, by_resume, by_protocol)


async def races(zygote: Zygote, folder: Path, share: float) -> Report:
    wanted = [Wish(number, 100_000, 100_000, number) for number in range(max(10, round(RACES * share)))]
    report, won = Report(), Counter[str]()
    async with site(zygote, folder) as place, market(place, folder, wanted) as found:
        for _ in range(2):
            await place.work()
        talks = iter([Conversation(found, wish) for wish in wanted])

        async def race_on() -> None:
            for talk in talks:
                report.problems += await race(found, talk, won)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(race_on())
        report.problems += await judge(found, wanted)
    report.figures |= {"races": len(wanted), **{f"won {how}": times for how, times in sorted(won.items())}}
    report.problems += [
        f"nobody ever won {door.__name__}" for door in DOORS if not any_won(won, door.__name__)
    ]
    return report


def any_won(won: Counter[str], door: str) -> bool:
    return any(how.startswith(door) for how in won)


async def race(found: Market, talk: Conversation, won: Counter[str]) -> Sequence[str]:
    await talk.ask()
    [(interrupt_id, policy)] = read_waiting(await talk.at_rest()).items()
    question = Question(talk.thread_id, interrupt_id, policy["request_id"])
    runners = list(zip(DOORS, random.sample(ANSWERS, 3), random.sample(OPERATORS, 3), strict=True))
    random.shuffle(runners)

    async def run(number: int, door: Any, kind: str, person: str) -> str:
        async def ask(method: str, path: str, **more: Any) -> httpx.Response:
            return await found.call_at(number % len(found.clients), person, method, path, **more)

        told: str = await door(ask, question, APPROVE if kind == "approve" else REJECT)
        return told

    replies = await asyncio.gather(*(run(number, *runner) for number, runner in enumerate(runners)))
    await talk.settle()
    winners = [runner for runner, told in zip(runners, replies, strict=True) if told == WON]
    if sorted(replies) != [TOLD_OFF, TOLD_OFF, WON]:
        return [*talk.problems, f"{question.request_id}: {replies}"]
    [(door, kind, person)] = winners
    won[f"{door.__name__}, {kind}"] += 1
    entry = (await find_refunds(found.shop, [question.request_id])).get(question.request_id)
    if entry is None or (str(entry.status), entry.decided_by) != (OUTCOMES[kind], (person,)):
        return [*talk.problems, f"{question.request_id}: {kind} by {person} won, and there is {entry}"]
    return talk.problems
