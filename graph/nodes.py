"""The steps of a turn: who is there, what the model says, what its calls give."""

import asyncio
from contextlib import suppress
from typing import Any, Literal

from langchain_core.messages import AIMessage, ToolCall, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.config import get_stream_writer
from langgraph.types import Command
from pydantic import ValidationError

from graph.callers import caller, read_hold, read_speaker, thread_of
from graph.context import compose, describe
from graph.handoff import answer_without_model, hand_over, receive
from graph.languages import Language, language_of_dialogue
from graph.lookups import TALK_TO_PERSON, make_tools
from graph.minting import Minting, Result, failed
from graph.models import ModelFailed, speak
from graph.prompts import ANSWER_IN, SYSTEM, sentence
from graph.refund import Refunds
from graph.sources import cite, note
from graph.state import Request, State, read_notes, requests_in
from graph.technical import offered
from graph.workplace import Doors, Workplace
from tools.errors import ShopError, ShopUnavailable
from tools.quotes import Quote

MAX_REPAIRS = 2
STEPS_FOR_ANOTHER_TURN = 5


class Turn:
    """The nodes of a customer's turn, up to the way out."""

    def __init__(self, doors: Doors, refunds: Refunds) -> None:
        self._doors = doors
        self._refunds = refunds
        self._tools = {tool.name: tool for tool in make_tools(doors)}
        self._specs = {name: convert_to_openai_tool(tool) for name, tool in self._tools.items()}

    async def enter(
        self, state: State, config: RunnableConfig
    ) -> Command[Literal["model", "settle", "__end__"]]:
        """A run begins: count from zero, see whose words came in, put back what was decided meanwhile, and
        skip the model while a person holds the conversation or nobody asked it anything."""
        fresh: dict[str, Any] = {"model_turns": 0, "tool_calls": 0, "repairs": 0, **receive(state, config)}
        try:
            workplace = await self._doors.enter()
        except ShopUnavailable as error:
            text = error.sentence(language_of_dialogue(state["messages"]))
            silent = read_speaker(config) or read_hold(config)
            return Command(update=_and_say(fresh, [] if silent else [AIMessage(text)]), goto="settle")
        if caller(config, workplace.settings) is None:
            text = sentence("nobody", language_of_dialogue(state["messages"]))
            return Command(update=_and_say(fresh, [AIMessage(text)]), goto="__end__")
        settled = await self._refunds.settle(state, config)
        said = answer_without_model(state, config, workplace.settings, workplace.shop.clock())
        update = _and_say({**settled, **fresh}, [*settled.get("messages", []), *(said or [])])
        return Command(update=update, goto="model" if said is None else "settle")

    async def model(self, state: State, config: RunnableConfig) -> dict[str, Any]:
        """One answer; when there is none, the sentence for it."""
        workplace = await self._doors.enter()
        language = language_of_dialogue(state["messages"])
        try:
            message = await self._speak(workplace, state, config, workplace.settings.context_tokens)
        except ModelFailed as failure:
            message = AIMessage(sentence(failure.kind, language))
        limit = workplace.settings.answer_chars
        if not message.tool_calls and len(message.text) > limit:
            message = message.model_copy(update={"content": message.text[:limit] + sentence("cut", language)})
        return {
            "messages": [cite(message, state["messages"])],
            "model_turns": state.get("model_turns", 0) + 1,
        }

    async def _speak(
        self, workplace: Workplace, state: State, config: RunnableConfig, budget: int
    ) -> AIMessage:
        system = f"{SYSTEM}- {ANSWER_IN[language_of_dialogue(state['messages'])]}\n"
        note = describe(state.get("facts"), requests_in(state), read_notes(state))
        prompt = compose(state["messages"], system=system, note=note, budget=budget)
        model = workplace.connect([self._specs[name] for name in offered(self._tools, workplace.technical)])
        try:
            return await speak(model, prompt, workplace.settings, get_stream_writer(), config)
        except ModelFailed as failure:
            if failure.kind != "overflow" or budget < workplace.settings.context_tokens:
                raise
        return await self._speak(workplace, state, config, budget // 4)

    async def tools(self, state: State, config: RunnableConfig) -> Command[Literal["model", "settle"]]:
        """Carry out the calls of the last message. Look-ups run at once; refunds are only quoted, and each
        good quote becomes a request that is checkpointed with this step, before anybody is asked."""
        workplace = await self._doors.enter()
        language = language_of_dialogue(state["messages"])
        calls = _calls_of(state)
        room = workplace.settings.tool_calls - state.get("tool_calls", 0)
        results = await asyncio.gather(*(self._carry_out(call, language, config) for call in calls[:room]))
        results += [failed(call, "tool_limit", "Too many tool calls in one turn.") for call in calls[room:]]
        requests = await self._request_each(calls, results, state, language, config)
        counts = {
            "tool_calls": state.get("tool_calls", 0) + len(calls),
            "repairs": state.get("repairs", 0) + any(result.malformed for result in results),
        }
        farewell = _last_word(results, {**state, **counts}, workplace, language)  # type: ignore[typeddict-item]
        messages = [result.message for result in results] + ([AIMessage(farewell)] if farewell else [])
        facts = {key: value for result in results for key, value in result.facts.items()}
        update = {"messages": messages, "requests": requests, "facts": facts, **counts}
        return Command(update=update, goto="settle" if farewell else "model")

    async def _request_each(
        self,
        calls: list[ToolCall],
        results: list[Result],
        state: State,
        language: str,
        config: RunnableConfig,
    ) -> dict[str, Request]:
        """A request for each quote, one after the other: what waits already decides what the next one is."""
        workplace = await self._doors.enter()
        subject = caller(config, workplace.settings)
        if subject is None or not any(result.quote for result in results):
            return {}
        minting = Minting(workplace, subject, thread_of(config), language)
        with suppress(ShopUnavailable):
            await minting.remember(state)
        message_id = str(state["messages"][-1].id)
        for number, result in enumerate(results):
            if result.quote is not None:
                results[number] = await minting.ask(calls[number], result.quote, message_id)
        return minting.changed

    async def _carry_out(self, call: ToolCall, language: Language, config: RunnableConfig) -> Result:
        emit = get_stream_writer()
        about = {"tool": call["name"], "tool_call_id": call["id"]}
        emit({"type": "tool_started", **about})
        result = await self._try(call, language, config)
        emit({"type": "tool_finished", **about, "ok": result.message.status == "success"})
        if call["name"] == TALK_TO_PERSON and result.message.status == "success":
            workplace = await self._doors.enter()
            result.say = hand_over(workplace.settings, workplace.shop.clock(), language)
        return result

    async def _try(self, call: ToolCall, language: str, config: RunnableConfig) -> Result:
        there = offered(self._tools, (await self._doors.enter()).technical)
        tool = there.get(call["name"])
        if tool is None:
            known = ", ".join(there)
            return failed(call, "unknown_tool", f"There is no such tool. There are: {known}.", malformed=True)
        try:
            message: ToolMessage = await tool.ainvoke({**call, "type": "tool_call"}, config)
        except ValidationError as error:
            return failed(call, "arguments_invalid", _faults(error), malformed=True)
        except ShopError as error:
            return failed(call, error.code, error.sentence(language))
        found, message.artifact = message.artifact, None
        if isinstance(found, list):
            return Result(note(message, found))
        if isinstance(found, Quote):
            return Result(message, quote=found)
        return Result(message, facts={found["order_id"]: found} if found else {})


def _calls_of(state: State) -> list[ToolCall]:
    last = state["messages"][-1]
    return last.tool_calls if isinstance(last, AIMessage) else []


def _faults(error: ValidationError) -> str:
    faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
    return "The arguments do not fit the tool. " + "; ".join(faults)


def _and_say(update: dict[str, Any], messages: list[AIMessage]) -> dict[str, Any]:
    return {**update, "messages": [*update["messages"], *messages]}


def _last_word(results: list[Result], state: State, workplace: Workplace, language: Language) -> str | None:
    """What ends the turn without the model: all is said by the shop itself, the model makes nothing of its
    tools and a person has to, or a limit is reached."""
    settings = workplace.settings
    said = [result.say for result in results if result.say]
    if len(said) == len(results):
        return "\n".join(dict.fromkeys(said))
    if state.get("repairs", 0) > MAX_REPAIRS:
        return f"{sentence('repairs', language)} {hand_over(settings, workplace.shop.clock(), language)}"
    spent = (
        state.get("model_turns", 0) >= settings.model_turns
        or state.get("tool_calls", 0) >= settings.tool_calls
        or state["remaining_steps"] < STEPS_FOR_ANOTHER_TURN
    )
    return sentence("limit", language) if spent else None


def after_model(state: State) -> Literal["tools", "settle"]:
    return "tools" if _calls_of(state) else "settle"
