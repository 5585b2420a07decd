"""What an answer stands on: pages that the agent found, named on the answer for whoever shows it."""

from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from tools.knowledge import Section

SOURCES = "sources"  # in `additional_kwargs`: a list of {"title", "url" where the page has one}


def passages(found: list[Section]) -> dict[str, Any]:
    """The tool's result. Whoever may write a page could write instructions into it, so its text is data."""
    return {
        "data": {"sources": [section.name for section in found]},
        "untrusted_text": {"passages": [{"source": section.name, "text": section.text} for section in found]},
    }


def note(message: ToolMessage, found: list[Section]) -> ToolMessage:
    """The tool's message with what was found named on it."""
    message.additional_kwargs[SOURCES] = [name(section) for section in found]
    return message


def name(section: Section) -> dict[str, str]:
    return {"title": section.name} | ({"url": section.url} if section.url else {})


def cite(answer: AIMessage, messages: list[AnyMessage]) -> AIMessage:
    """The answer with its sources: those that it names; where it names none, all since the customer spoke."""
    found: dict[str, dict[str, str]] = {}
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            break
        if isinstance(message, ToolMessage):
            found |= {one["title"]: one for one in message.additional_kwargs.get(SOURCES) or ()}
    if not found or answer.tool_calls:
        return answer
    named = [one for title, one in found.items() if title in answer.text] or list(found.values())
    return answer.model_copy(update={"additional_kwargs": {**answer.additional_kwargs, SOURCES: named}})
