"""Technical support: another agent, where one is configured, and the tool that hands a question to it."""

import asyncio
import importlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool

from graph.callers import hops_of, run_of, thread_of
from graph.settings import SettingInvalid, Settings
from tools.errors import TechnicalSupportAway

HAND_OFF = "hand_off"
MOST_HOPS = 2
CONVERSATIONS = uuid.UUID("7f1b2f0e-55a4-5d8c-9d1e-6f0a7f3c2b55")

Ask = Callable[[str, RunnableConfig], Awaitable[Mapping[str, Any]]]


async def connect_technical(settings: Settings, resources: AsyncExitStack) -> Ask | None:
    """How technical support is asked; None where nobody has said where it is. Raises SettingInvalid."""
    if settings.tech_support_url is None:
        return None
    try:
        # Named here only: who has no such agent need not have the package for it.
        module = await asyncio.to_thread(importlib.import_module, "tools.technical")
    except ModuleNotFoundError as error:
        raise SettingInvalid('TECH_SUPPORT_URL needs the extra: pip install "holdfast[a2a]".') from error
    url, key, timeout_s = (
        settings.tech_support_url,
        settings.tech_support_key,
        settings.tech_support_timeout_s,
    )
    made: Any = await asyncio.to_thread(module.TechnicalSupport, url, key, timeout_s)
    resources.push_async_callback(made.close)

    async def ask(question: str, config: RunnableConfig) -> Mapping[str, Any]:
        hops = hops_of(config) + 1
        if hops > MOST_HOPS:  # agents that hand one question around among them
            raise TechnicalSupportAway
        advice = await made.ask(module.Question(question, *names(question, config), hops))
        return {"data": {"asks": advice.asks}, "untrusted_text": {"answer": advice.text}}

    return ask


def names(question: str, config: RunnableConfig) -> tuple[str, str]:
    """The ids of message and conversation: the same when another worker carries out the step again."""
    thread_id = thread_of(config) or str(uuid.uuid4())
    message = uuid.uuid5(CONVERSATIONS, "\0".join((thread_id, run_of(config), question)))
    return str(message), str(uuid.uuid5(CONVERSATIONS, thread_id))


def offered(tools: Mapping[str, BaseTool], ask: Ask | None) -> dict[str, BaseTool]:
    """The tools that there are: nobody is handed to an agent that nobody has named."""
    return {name: tool for name, tool in tools.items() if ask or name != HAND_OFF}
