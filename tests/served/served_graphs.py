"""Small graphs without a model, for tests of the platform: another project's, as far as it is concerned."""

import asyncio
import os
import re
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableConfig
from langgraph.channels import UntrackedValue
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Send, interrupt
from typing_extensions import TypedDict


class Talk(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    delay: float
    log: Annotated[list[str], lambda old, new: old + new]
    answer: Any
    answers: Annotated[dict[str, Any], lambda old, new: {**old, **new}]
    questions: list[str]
    user: dict[str, Any]
    policy: dict[str, Any]


def chain(**nodes: Callable[..., Any]) -> Any:
    """A graph of these nodes one after the other."""
    builder = StateGraph(Talk)
    names = [START, *nodes, END]
    for name, node in nodes.items():
        builder.add_node(name, node)
    for one, next_one in pairwise(names):
        builder.add_edge(one, next_one)
    return builder.compile()


def note(line: str) -> None:
    """What really happened, whatever the state says: a line in the file that SERVED_NOTES names."""
    if path := os.environ.get("SERVED_NOTES"):
        with Path(path).open("a") as file:
            file.write(line + "\n")


async def reply(state: Talk) -> dict[str, Any]:
    await asyncio.sleep(state.get("delay") or 0)
    return {"messages": [AIMessage("echo: " + str(state["messages"][-1].content))]}


async def question(state: Talk) -> dict[str, Any]:
    return {"answer": interrupt({"question": "go on?"})}


async def exact_question(state: Talk) -> dict[str, Any]:
    """Its payload is nothing that JSON has a form for."""
    return {"answer": interrupt({"amount": Decimal("1.50"), "from": HumanMessage("hi", id="h")})}


async def effect(state: Talk, config: RunnableConfig) -> dict[str, Any]:
    note(f"effect {config['configurable']['thread_id']} {state.get('answer')}")
    return {"log": [f"did {state.get('answer')}"]}


def approval(named: str, **policy: Any) -> dict[str, Any]:
    return {
        "action_requests": [{"name": "launch", "args": {"count": "3"}, "description": "Launch 3"}],
        "review_configs": [{"action_name": "launch", "allowed_decisions": ["approve", "edit", "reject"]}],
        "display": {
            "title": "Launch",
            "facts": [{"label": "rockets", "value": "3", "kind": "number"}],
            "tables": [],
            "quotes": [],
        },
        "policy": {
            "request_id": named,
            "version": 1,
            "roles": ["owner", "chief"],
            "deciders": 1,
            "edit_schema": {
                "type": "object",
                "properties": {"count": {"type": "string", "exclusiveMinimum": 0, "maximum": 3}},
                "required": ["count"],
                "additionalProperties": False,
            },
            **policy,
        },
    }


async def plan(state: Talk) -> list[Send]:
    """A request for each question, under the policy that the input says something of."""
    about = {"policy": state.get("policy") or {}}
    return [Send("request", {"questions": [one], **about}) for one in state.get("questions") or ["one"]]


async def request(state: Talk, config: RunnableConfig) -> dict[str, Any]:
    [name] = state["questions"]
    request_id = f"{config['configurable']['thread_id']}-{re.sub('[^A-Za-z0-9]', '', name)}"
    decision = interrupt(approval(request_id, **(state.get("policy") or {})))
    by = (config["configurable"].get("holdfast_decision") or {}).get("by")
    note(f"decided {request_id} {decision['decisions'][0]['type']}")
    return {"answers": {name: {"decision": decision, "by": by}}}


async def launch(state: Talk, config: RunnableConfig) -> dict[str, Any]:
    """A yes takes a while, or fails where it takes none; a no does neither."""
    thread_id = config["configurable"]["thread_id"]
    decision = interrupt(approval(f"{thread_id}-one"))
    kind = decision["decisions"][0]["type"]
    note(f"launch {thread_id} {kind}")
    if kind == "approve":
        await asyncio.sleep(state["delay"])
    return {"log": [kind]}


async def request_anew(state: Talk, config: RunnableConfig) -> dict[str, Any]:
    """The same once more in its place, as when figures have moved."""
    [name] = state["questions"]
    policy = {**state["policy"], "supersedes": f"{config['configurable']['thread_id']}-{name}"}
    return await request({**state, "questions": ["new"], "policy": policy}, config)


async def request_more(state: Talk, config: RunnableConfig) -> dict[str, Any]:
    return await request({**state, "questions": ["more"]}, config)


async def step(state: Talk) -> dict[str, Any]:
    await asyncio.sleep(state.get("delay") or 0)
    done = f"step {len(state.get('log') or ())}"
    note(done)
    return {"log": [done]}


async def poison_worker(state: Talk) -> dict[str, Any]:
    note("poisoned")
    os._exit(1)


async def block_loop(state: Talk) -> dict[str, Any]:
    note("blocked")
    time.sleep(state.get("delay") or 0)  # noqa: ASYNC251 - what a careless graph does
    return {"log": ["blocked"]}


async def broken(state: Talk) -> dict[str, Any]:
    raise ValueError("boom")


async def speak(state: Talk) -> dict[str, Any]:
    get_stream_writer()({"progress": 1})
    model = GenericFakeChatModel(messages=iter([AIMessage("one two three")]))
    return {"messages": [await model.ainvoke(state["messages"])]}


class Metered(GenericFakeChatModel):
    """Says what it has used, as models do: with its answer, or with the last piece of it."""

    def _stream(self, *args: Any, **more: Any) -> Iterator[ChatGenerationChunk]:
        used = None
        for chunk in super()._stream(*args, **more):
            used = chunk
            yield chunk
        assert used is not None
        yield ChatGenerationChunk(message=AIMessageChunk(content="", id=used.message.id, usage_metadata=USED))


USED = UsageMetadata(input_tokens=10, output_tokens=7, total_tokens=17)


def metered() -> Metered:
    return Metered(messages=iter([AIMessage("one two three", usage_metadata=USED)]))


async def think(state: Talk) -> dict[str, Any]:
    note("think")
    return {"messages": [await metered().ainvoke(state["messages"])]}


def think_in_a_thread(state: Talk) -> dict[str, Any]:
    return {"messages": [metered().invoke(state["messages"])]}


async def think_twice(state: Talk) -> dict[str, Any]:
    """Asks a model, twice, and is slow to say so."""
    for _ in range(2):
        await metered().ainvoke(state["messages"])
    note("thought twice")
    await asyncio.sleep(state.get("delay") or 0)
    return {"log": ["thought"]}


async def talk_slowly(state: Talk) -> dict[str, Any]:
    """Five words, with a pause after each."""
    words = GenericFakeChatModel(messages=iter([AIMessage("one two three four five")]))
    whole = ""
    async for chunk in words.astream(state["messages"]):
        whole += chunk.text
        await asyncio.sleep(state.get("delay") or 0)
    return {"messages": [AIMessage(whole)]}


BROKEN: set[str] = set()


async def break_once(state: Talk, config: RunnableConfig) -> dict[str, Any]:
    thread_id = config["configurable"]["thread_id"]
    if thread_id not in BROKEN:
        BROKEN.add(thread_id)
        raise ValueError("boom, once")
    return {"log": ["went on"]}


async def recite_slowly(state: Talk) -> dict[str, Any]:
    """As many words as the message says, with a pause after each."""
    text = " ".join(f"word{number}" for number in range(int(str(state["messages"][-1].content))))
    words = GenericFakeChatModel(messages=iter([AIMessage(text)]))
    async for _ in words.astream(state["messages"][-1:]):
        await asyncio.sleep(0.01)
    return {"messages": [AIMessage(text)]}


async def tell_user(state: Talk, config: RunnableConfig) -> dict[str, Any]:
    configurable = config["configurable"]
    shown = {key: value for key, value in configurable.items() if not key.startswith("__")}
    return {
        "user": {key: value for key, value in shown.items() if isinstance(value, dict | list | str | int)}
    }


async def call(state: Talk) -> dict[str, Any]:
    """Asks for a person, of the role that `answer` names."""
    get_stream_writer()({"holdfast_hold": {"role": state.get("answer") or "helper"}})
    await asyncio.sleep(state.get("delay") or 0)
    return {"log": ["called"]}


async def wonder(state: Talk) -> dict[str, Any]:
    [name] = state["questions"]
    return {"answers": {name: interrupt({"question": name})}}


def questions() -> Any:
    """As many plain questions at once as the input names."""
    builder = StateGraph(Talk)
    builder.add_node("wonder", wonder)
    builder.add_conditional_edges(
        START, lambda state: [Send("wonder", {"questions": [one]}) for one in state["questions"]], ["wonder"]
    )
    builder.add_edge("wonder", END)
    return builder.compile()


async def undecided(state: Talk) -> list[Send] | str:
    open_ones = [one for one in state.get("questions") or () if one not in (state.get("answers") or {})]
    about = {"policy": state.get("policy") or {}}
    return [Send("request", {"questions": [one], **about}) for one in open_ones] or END


def asking_again() -> Any:
    """Answers a message, then asks once more for each request that nobody has decided."""
    builder = StateGraph(Talk)
    builder.add_node("reply", reply)
    builder.add_node("request", request)
    builder.add_edge(START, "reply")
    builder.add_conditional_edges("reply", undecided, ["request", END])
    builder.add_edge("request", END)
    return builder.compile()


def mixed() -> Any:
    """One node ends in the step in which another one asks."""
    builder = StateGraph(Talk)
    builder.add_node("step", step)
    builder.add_node("question", question)
    builder.add_edge(START, "step")
    builder.add_edge(START, "question")
    return builder.compile()


class Secretive(TypedDict, total=False):
    log: Annotated[list[str], lambda old, new: old + new]
    unkept: Annotated[str, UntrackedValue]


async def whisper(state: Secretive) -> dict[str, Any]:
    return {"log": ["whispered"], "unkept": "in no checkpoint"}


def untracked() -> Any:
    builder = StateGraph(Secretive)
    builder.add_node("whisper", whisper)
    builder.add_edge(START, "whisper")
    return builder.compile()


def approvals() -> Any:
    builder = StateGraph(Talk)
    builder.add_node("request", request)
    builder.add_conditional_edges(START, plan, ["request"])
    builder.add_edge("request", END)
    return builder.compile()


echo = chain(reply=reply)
ask = chain(question=question, effect=effect)
approve = approvals()
renewed = chain(request=request, anew=request_anew, more=request_more)
stumbling_renewed = chain(request=request, stumble=break_once, anew=request_anew)
steps = chain(first=step, second=step, third=step)
fail = chain(first=step, broken=broken)
flaky = chain(first=break_once, reply=reply)
stumbling = chain(effect=effect, stumble=break_once)
stumbling_ask = chain(question=question, effect=effect, stumble=break_once)
modes = chain(speak=speak, first=step)
poison = chain(poison=poison_worker)
block = chain(block=block_loop)
thoughts = chain(first=think, second=think_in_a_thread, child=chain(think=think), third=think_twice)
slow_talk = chain(first=step, talk=talk_slowly)
recite = chain(recite=recite_slowly)
whoami = chain(tell=tell_user)
exact = chain(question=exact_question, effect=effect)
slow_ask = chain(first=step, question=question)
twice = chain(question=question, again=question, effect=effect)
pair = questions()
half = mixed()
secretive = untracked()
desk = asking_again()
launching = chain(launch=launch)
ask_who = chain(question=question, tell=tell_user)
calling = chain(call=call, tell=tell_user)
calling_inside = chain(child=chain(call=call))
calling_badly = chain(call=call, broken=broken)
nested = chain(first=step, child=chain(speak=speak))
inner = chain(child=chain(question=question))
