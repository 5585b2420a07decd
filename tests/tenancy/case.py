"""One way to ask a route for things, by the kinds of `tests.tenancy.belongings.MISSING`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

Json = Any

PATH = {
    "thread_id": "$thread",
    "run_id": "$run",
    "checkpoint_id": "$checkpoint",
    "task_id": "$task",
    "approval_id": "$asking:$request",
    "cron_id": "$cron",
    "assistant_id": "$assistant",
    "letter_id": "$dead:$dead_run",
    "namespace": "child",
    "name:path": "chat.js",
}


@dataclass(frozen=True)
class Case:
    """One way to ask.

    `apart` is the code of the answer about a foreign thread, or an item of somebody else in the same tenant,
    where it has to differ from a missing one's. The owner's own answer must be good, and hold the thing of
    kind `tells` where any answer would be good; a `silent` one is the same whatever there is.
    `changes`: who asks so finds the thing changed afterward. `inert`: what
    is named has no effect for anybody. `endless`: the answer goes on for ever. `role`: who holds it in the
    tenant is answered as the owner is, whoever the thread belongs to.
    """

    body: Json = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)
    apart: str = ""
    tells: str = ""
    changes: bool = False
    inert: bool = False
    silent: bool = False
    endless: bool = False
    by_staff: bool = False
    role: str = ""

    def kinds(self, operation: str) -> frozenset[str]:
        """The kinds of ids in a request."""
        own = {**PATH, **self.path}
        parts = [own[name] for name in re.findall(r"{([\w:]+)}", operation)]
        parts += [*self.query.values(), *self.headers.values(), orjson.dumps(self.body).decode()]
        return frozenset(kind for part in parts for kind in re.findall(r"\$(\w+)", part))


ANSWER: Json = {"decisions": [{"type": "approve"}]}
