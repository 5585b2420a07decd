"""A client's command as LangGraph takes one."""

from collections.abc import Mapping
from typing import Any

from langgraph.types import Command, Send


def read_command(command: Mapping[str, Any], **more: Any) -> Command[Any]:
    """`update` and `goto` of a command; `more` is what else goes with them."""
    return Command(update=read_update(command.get("update")), goto=read_goto(command.get("goto")), **more)


def read_update(update: Any) -> Any:
    """Values by their names or in pairs, which JSON has no tuples for."""
    pairs = isinstance(update, list) and all(map(is_pair, update))
    return [tuple(one) for one in update] if pairs else update


def is_pair(given: Any) -> bool:
    return isinstance(given, list) and len(given) == 2 and isinstance(given[0], str)


def read_goto(goto: Any) -> Any:
    """Names of nodes; a Send comes as {node, input}."""
    if goto is None:
        return ()
    if isinstance(goto, list):
        return [read_goto(one) for one in goto]
    return Send(goto["node"], goto.get("input")) if isinstance(goto, dict) else goto
