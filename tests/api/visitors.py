"""People who leave all behind that a person can."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from holdfast.core.erasure import Person
from holdfast.redis import api_keys
from tests.api.ticking import leave_assistant, leave_crons
from tests.scanning import mentions
from tests.servers import Live, said

APPROVE = {"type": "approve"}


class Visitor:
    """Somebody with a name of their own, and words that nobody else says."""

    def __init__(self, server: Live, *roles: str, name: str = "näncy “n.” o'hara") -> None:
        unique = uuid.uuid4().hex
        self.name, self.words = f"{name} {unique}", f"canary{unique} sang"
        self.server, self.roles = server, roles

    async def approve(self, thread_id: str) -> str:
        """Decides on the only thing that waits on a thread; returns the interrupt's id."""
        sdk = self.server.sdk(self.name, *self.roles)
        state: Any = await sdk.threads.get_state(thread_id)
        [waiting] = state["interrupts"]
        answer: Any = {"resume": {waiting["id"]: APPROVE}}
        await sdk.runs.wait(thread_id, "approve", command=answer)
        return str(waiting["id"])

    async def traces(self) -> list[str]:
        redis = self.server.platform.client.redis
        return await mentions(redis, self.name) + await mentions(redis, self.words)

    @property
    def person(self) -> Person:
        return Person(self.name, "default")


async def live_a_life(visitor: Visitor, people: Path) -> str:
    """Leaves everything behind that a person can: returns the thread on which an approval waits."""
    server, words = visitor.server, visitor.words
    sdk = server.sdk(visitor.name, *visitor.roles)
    metadata: Any = {"owner": visitor.name, "topic": words}
    thread_id = (await sdk.threads.create(metadata=metadata))["thread_id"]
    await sdk.runs.wait(thread_id, "echo", input=said(words))
    asking = (await sdk.threads.create())["thread_id"]
    asked: Any = {"questions": [words]}
    await sdk.runs.wait(asking, "approve", input=asked)
    await sdk.runs.create(thread_id, "echo", input=said(words), after_seconds=3600)
    async with server.http(visitor.name, *visitor.roles) as http:
        key = {"Idempotency-Key": words}
        keyed = {"assistant_id": "echo", "input": said(words)}
        for path in (f"/threads/{thread_id}/runs/wait", "/runs/wait"):
            assert (await http.post(path, json=keyed, headers=key)).status_code == 200
        chatted = await http.post("/chat", json={"session_id": words, "message": words})
        assert chatted.json()["reply"] == f"echo: {words}"
    await leave_crons(server, sdk, thread_id, said(words), words)
    await leave_assistant(server, sdk, visitor.name, words)
    await sdk.store.put_item([words], key=visitor.name, value={"said": words}, ttl=60)
    (people / visitor.name).touch()
    now = datetime.now(UTC)
    key_id, (subject, tenant) = uuid.uuid4().hex, visitor.person
    record = api_keys.KeyRecord(key_id, words, subject, tenant, visitor.roles, ("write",), now)
    await api_keys.create(server.platform.client, server.platform.keys, "digest", record)
    return asking
