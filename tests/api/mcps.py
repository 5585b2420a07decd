"""The official MCP client, and what it is told."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from jsonschema import Draft202012Validator
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.client.session import ElicitationFnT
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, ElicitRequestFormParams, ElicitResult

from tests.servers import said

Json = Any
HI: Json = said("hi")
OLD = "legacy"  # how the client names the protocols that begin with a handshake


class Strict(Client):
    """Holds errors to the tool's output schema too, as the official client for TypeScript does."""

    async def call_tool(self, name: str, *args: Any, **more: Any) -> CallToolResult:
        result = await super().call_tool(name, *args, **more)
        if result.structured_content is not None:
            schemas = {tool.name: tool.output_schema for tool in (await self.list_tools()).tools}
            Draft202012Validator(schemas[name] or {}).validate(result.structured_content)
        return result


@asynccontextmanager
async def connected(
    url: str,
    headers: Mapping[str, str] | None = None,
    *,
    mode: str = "auto",
    elicit: ElicitationFnT | None = None,
) -> AsyncIterator[Client]:
    # The server closes a connection that is idle for five seconds: such a one must not be used again.
    limits = httpx2.Limits(keepalive_expiry=2)
    async with httpx2.AsyncClient(headers=headers, timeout=60, limits=limits, trust_env=False) as http:
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        async with Strict(transport, mode=mode, elicitation_callback=elicit) as client:
            yield client


class Person:
    """Somebody at the client who is shown forms and gives these answers, one after the other."""

    def __init__(self, *answers: ElicitResult) -> None:
        self._answers = list(answers)
        self.shown: list[ElicitRequestFormParams] = []

    async def __call__(self, context: ClientRequestContext, params: Any) -> ElicitResult:
        self.shown.append(params)
        return self._answers.pop(0)


def chosen(decision: str, **more: str) -> ElicitResult:
    return ElicitResult(action="accept", content={"decision": decision, **more})


DECLINED, CANCELLED = ElicitResult(action="decline"), ElicitResult(action="cancel")


def words(result: CallToolResult) -> list[str]:
    return [getattr(block, "text", "") for block in result.content]
