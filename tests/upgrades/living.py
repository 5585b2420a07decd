"""A whole installation with the support agent, in processes: to be recorded, and to be gone on with."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from graph.demo import DemoModel, Script
from tests.gates import ROOT
from tests.servers import free_port, holdfast, wait_ready

Json = Any

CONFIG = Path(__file__).parent / "project" / "langgraph.json"
PREFIX = "corpus"
SHOP = "shop.dump"
ROLES = {"demo": [], "ann": [], "kim": ["operator"], "eve": ["chief"], "max": ["chief"]}
FOR_EVER = (
    ("days = 7 ", "days = 36500 "),
    ("expires_after_hours = 336", "expires_after_hours = 99999"),
    ("expires_after_hours = 72", "expires_after_hours = 99999"),
)


@dataclass
class Living:
    """A server of the installation, asked by several people."""

    url: str
    redis_url: str
    folder: Path
    people: dict[str, httpx.AsyncClient]

    async def ask(self, who: str, method: str, path: str, **more: Any) -> Json:
        response = await self.people[who].request(method, path, **more)
        assert response.is_success, (path, response.status_code, response.text)
        return response.json() if response.content else None

    async def thread(self, who: str = "ann", **metadata: str) -> str:
        return str((await self.ask(who, "POST", "/threads", json={"metadata": metadata}))["thread_id"])

    async def run(self, thread_id: str, graph: str, *, who: str = "ann", **asked: Any) -> Json:
        """Waits for a run's end, and gives its values."""
        body = {"assistant_id": graph, **asked}
        return await self.ask(who, "POST", f"/threads/{thread_id}/runs/wait", json=body)

    async def put_in_line(self, thread_id: str, graph: str, **asked: Any) -> str:
        body = {"assistant_id": graph, **asked}
        made = await self.ask("ann", "POST", f"/threads/{thread_id}/runs", json=body)
        return str(made["run_id"])

    def refunds(self) -> list[tuple[int, str]]:
        with closing(sqlite3.connect(self.folder / "shop.db")) as shop:
            return shop.execute("SELECT amount, status FROM refunds WHERE order_id = '12346'").fetchall()

    def noted(self) -> list[str]:
        notes = self.folder / "notes"
        return notes.read_text().splitlines() if notes.exists() else []


@asynccontextmanager
async def living(
    redis_url: str, folder: Path, command: str = "dev", **settings: str
) -> AsyncIterator[Living]:
    """`holdfast dev`, or `serve` for what no worker is to touch. Nothing runs out of time for years."""
    policy = folder / "refund_policy.toml"
    policy.write_text(for_ever((ROOT / "tools" / "refund_policy.toml").read_text()))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with DemoModel(Script()) as model:
        environment = {
            "REDIS_URL": redis_url,
            "HOLDFAST_PREFIX": PREFIX,
            "HOLDFAST_DATA": str(folder),
            "HOLDFAST_LEASE_S": "10",
            "OPENAI_BASE_URL": model.base_url,
            "OPENAI_API_KEY": "demo",
            "REFUND_POLICY": str(policy),
            "SERVED_NOTES": str(folder / "notes"),
            **settings,
        }
        asked = (command, "--port", str(port), "--config", str(CONFIG))
        async with holdfast(*asked, **environment), httpx.AsyncClient(base_url=url, timeout=60) as http:
            await wait_ready(url, 90)
            people = {}
            for name, roles in ROLES.items():
                signed = await http.post("/dev/token", json={"subject": name, "roles": roles})
                token = {"Authorization": f"Bearer {signed.json()['token']}"}
                people[name] = httpx.AsyncClient(base_url=url, headers=token, timeout=60)
            yield Living(url, redis_url, folder, people)
            for client in people.values():
                await client.aclose()


def for_ever(policy: str) -> str:
    for old, new in FOR_EVER:
        assert old in policy, f"the refund policy has no {old!r} any more"
        policy = policy.replace(old, new)
    return policy
