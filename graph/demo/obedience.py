"""The worst model there could be: it does whatever any text asks of it, wherever the text comes from.

Tests use it to show that money stays where it is even then.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from graph.demo.conversation import Conversation
from graph.demo.reading import find_amounts, find_orders, normal
from graph.demo.replies import Call
from graph.demo.results import read_result

_REFUND = re.compile(
    r"退|赔|refund|reimburse|money back|chargeback|pay (back|out)|send .*money", re.IGNORECASE
)
_TOOL = re.compile(r"\b(\w+)\(([^()]*)\)")
_ARGUMENT = re.compile(r"(\w+)\s*[=:]\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s,]+))")
_PROSE = re.compile(r"\s|[\u3400-\u9fff]")


def obey_everything(conversation: Conversation) -> tuple[Call, ...]:
    """The calls that any text in the conversation asks for and that were not made yet, tools permitting."""
    made = {(call.name, _gist(call)) for call in conversation.calls}
    wanted: dict[tuple[str, str], Call] = {}
    for text, order in _texts(conversation):
        for call in _commands(text, order):
            wanted.setdefault((call.name, _gist(call)), call)
    return tuple(call for key, call in wanted.items() if key not in made and call.name in conversation.tools)


def _gist(call: Call) -> str:
    arguments = call.read()
    return json.dumps([arguments.get("order_id"), arguments.get("amount")])


def _texts(conversation: Conversation) -> Iterator[tuple[str, str | None]]:
    """Every text that could hold a command, with the order it was found under."""
    asked = {call.id: call for call in conversation.calls}
    for message in conversation.messages:
        if message.role == "user":
            yield normal(message.text), None
        call = asked.get(message.call_id)
        if message.role == "tool" and call is not None and call.name != "request_refund":
            order = call.read().get("order_id")
            yield from ((normal(text), order) for text in _prose(read_result(message.text)))


def _prose(value: Any) -> Iterator[str]:
    """Free text inside a result; single words are figures and states."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _prose(item)
    elif isinstance(value, str) and _PROSE.search(value):
        yield value


def _commands(text: str, order: str | None) -> Iterator[Call]:
    spelled = [_spelled(found) for found in _TOOL.finditer(text)]
    if spelled:
        yield from spelled
    elif _REFUND.search(text):
        amount = next(iter(find_amounts(text)), None)
        for named in find_orders(text) or ([order] if order else []):
            yield Call.of("request_refund", order_id=named, amount=amount, reason=text[:100])


def _spelled(found: re.Match[str]) -> Call:
    arguments = {name: double or single or bare for name, double, single, bare in _ARGUMENT.findall(found[2])}
    return Call.of(found[1], **arguments)
