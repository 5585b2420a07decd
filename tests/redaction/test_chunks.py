"""Messages that a model streams: at the end each of their texts is whole, without what was taken out."""

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import zip_longest
from operator import add
from typing import Any

import orjson
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk

from holdfast.events import Encoder
from holdfast.redaction import Chunks, Redactor

CARD = "4111 1111 1111 1111"
LEAKS = ("4111", "1111", "joe", "@")
Told = tuple[AIMessageChunk, dict[str, Any]]


def taken(chunks: Sequence[AIMessageChunk]) -> list[AIMessageChunk]:
    """What is told of them, after which nothing is left."""
    made = Chunks(Redactor(cards=True, emails=True))
    told = [one for chunk in chunks for one, _ in made.take((chunk, {"n": 1}), "")]
    assert list(made.rest()) == []
    return told  # type: ignore[return-value]


def streamed(chunks: Sequence[AIMessageChunk]) -> AIMessageChunk:
    """The message that a client puts together; no single chunk of it holds anything."""
    told = taken(chunks)
    for chunk in told:
        assert not any(leak in str(chunk.model_dump()) for leak in LEAKS), chunk
    return reduce(add, told)


def pieces(text: str, size: int) -> Iterator[str]:
    for start in range(0, len(text), size):
        yield text[start : start + size]


def last(**fields: Any) -> AIMessageChunk:
    return AIMessageChunk(content="", id="m", chunk_position="last", **fields)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 40])
def test_a_text(size: int) -> None:
    text = f"Card {CARD}, of joe@example.com"
    whole = streamed([*(AIMessageChunk(content=piece, id="m") for piece in pieces(text, size)), last()])
    assert whole.content == "Card [card], of [email]"
    assert whole.id == "m"


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("kind", ["text", "reasoning"])
def test_blocks_grow_each_by_itself(size: int, kind: str) -> None:
    def block(index: int, piece: str) -> AIMessageChunk:
        return AIMessageChunk(content=[{"type": kind, kind: piece, "index": index}], id="m")

    both = zip_longest(pieces(f"a {CARD}", size), pieces("b joe@example.com", size), fillvalue="")
    mixed = [block(index, piece) for pair in both for index, piece in enumerate(pair)]
    whole = streamed([*mixed, AIMessageChunk(content=[], id="m", chunk_position="last")])
    assert [one[kind] for one in whole.content if isinstance(one, dict)] == ["a [card]", "b [email]"]


@pytest.mark.parametrize("size", [1, 4, 100])
def test_the_arguments_of_tool_calls(size: int) -> None:
    def call(piece: str, index: int, *, first: bool) -> AIMessageChunk:
        named: dict[str, Any] = (
            {"name": f"tool{index}", "id": f"call{index}"} if first else {"name": None, "id": None}
        )
        chunk = {"args": piece, "index": index, "type": "tool_call_chunk", **named}
        return AIMessageChunk(content="", id="m", tool_call_chunks=[chunk])  # type: ignore[list-item]

    chunks = [
        call(piece, index, first=number == 0)
        for index, text in enumerate((f'{{"card": "{CARD}"}}', '{"to": ["joe@example.com"]}'))
        for number, piece in enumerate(pieces(text, size))
    ]
    whole = streamed([*chunks, last()])
    assert [(call["name"], call["id"], call["args"]) for call in whole.tool_calls] == [
        ("tool0", "call0", {"card": "[card]"}),
        ("tool1", "call1", {"to": ["[email]"]}),
    ]
    assert whole.invalid_tool_calls == []


def test_what_a_provider_adds_grows_too() -> None:
    chunks = [
        AIMessageChunk(content="", id="m", additional_kwargs={"reasoning_content": piece})
        for piece in pieces(CARD + " ok", 3)
    ]
    whole = streamed([*chunks, last()])
    assert whole.additional_kwargs == {"reasoning_content": "[card] ok"}


def test_the_end_of_a_text_comes_before_the_last_chunk_and_counts_nothing_twice() -> None:
    usage: Any = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    one = AIMessageChunk(
        content=[{"type": "text", "text": "of joe", "index": 0}],
        id="m",
        usage_metadata=usage,
        response_metadata={"model": "x"},
    )
    told = taken([one, AIMessageChunk(content=[], id="m", chunk_position="last")])
    assert [chunk.chunk_position for chunk in told] == [None, None, "last"]
    whole = reduce(add, told)
    assert (whole.content, whole.usage_metadata) == ([{"type": "text", "text": "of joe", "index": 0}], usage)
    assert whole.response_metadata == {"model": "x"}


def test_messages_that_are_told_at_once_do_not_mix() -> None:
    made = Chunks(Redactor(cards=True, emails=False))
    told: dict[tuple[str, str | None], str] = {}
    for piece in pieces(CARD, 2):
        for namespace, id in (("", "a"), ("", "b"), ("child:1", "a")):
            for chunk, _ in made.take((AIMessageChunk(content=piece, id=id), {}), namespace):
                told[namespace, id] = told.get((namespace, id), "") + chunk.text
    rest = {(namespace, chunk.id): chunk.text for namespace, (chunk, _) in made.rest()}
    assert set(told.values()) == {""}
    assert rest == {("", "a"): "[card]", ("", "b"): "[card]", ("child:1", "a"): "[card]"}


def test_without_a_last_chunk_the_rest_comes_at_the_end_of_the_step_with_its_metadata() -> None:
    made = Chunks(Redactor(cards=True, emails=True))
    assert [
        chunk.text for chunk, _ in made.take((AIMessageChunk(content="of joe", id="m"), {"node": "n"}), "ns")
    ] == ["of "]
    assert [(namespace, chunk.text, about) for namespace, (chunk, about) in made.rest()] == [
        ("ns", "joe", {"node": "n"})
    ]


def test_a_whole_message_passes_as_it_is() -> None:
    message = AIMessage(CARD, id="m")  # what is in it is taken out of its JSON
    assert list(Chunks(Redactor(cards=True, emails=True)).take((message, {}), "")) == [(message, {})]


def test_in_the_log_the_rest_of_a_step_stands_before_its_values() -> None:
    encoder = Encoder("run", ["values", "messages-tuple"], Redactor(cards=True, emails=True))
    metadata = {"langgraph_node": "n"}
    events = [
        *encoder.encode("messages", (AIMessageChunk(content="ask joe", id="m"), metadata), "child:1"),
        *encoder.encode("values", {"a": 1}, "child:1"),
        *encoder.encode("values", {"a": 1}),
    ]
    assert [(event.mode, event.namespace) for event in events] == [
        ("messages", "child:1"),
        ("values", "child:1"),
        ("messages", "child:1"),
        ("values", ""),
    ]
    chunk, about = orjson.loads(events[2].data)
    assert (chunk["content"], chunk["id"], about) == ("joe", "m", metadata)
