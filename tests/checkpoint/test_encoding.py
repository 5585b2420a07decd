"""A list is packed as one value and taken apart: what is stored is what each element is alone."""

from decimal import Decimal
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from holdfast.checkpoint import Serializer
from holdfast.checkpoint.encoding import Encoding


class Counting(Serializer):
    calls = 0

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        self.calls += 1
        return super().dumps_typed(obj)


def message(length: int) -> HumanMessage:
    return HumanMessage("x" * length, id=str(length))


LISTS: dict[str, list[Any]] = {
    "one": [message(100)],
    "head of one byte": [message(length) for length in range(100, 115)],
    "head of three bytes": [message(length) for length in range(100, 300)],
    "head of five bytes": [Decimal(number) for number in range(70_000)],
    "lengths of one, two and four bytes": [message(10), message(1_000), message(100_000)],
    "text that is no UTF-8, and keys of another kind": [
        message(100),
        HumanMessage("\ud800" * 30),
        AIMessage("", additional_kwargs={"by number": {1: "one"}}),
        message(200),
    ],
    "other kinds after the first": [message(100), {"text": "x" * 50}, b"x" * 50, None, ["x" * 50], 7],
    "extensions of sixteen bytes": [{5}, {6}],
}


@pytest.mark.parametrize("values", LISTS.values(), ids=LISTS)
def test_an_element_has_the_bytes_that_it_has_alone(values: list[Any]) -> None:
    encoding, elements = Encoding(Serializer()), dict[bytes, bytes]()
    blob = encoding.encode(values, elements)
    stored = {element for element in elements.values() if element[:1] == b"V"}
    assert stored == {encoding.dump(each) for each in values}
    assert encoding.decode(blob, elements, {}) == values


def test_messages_are_packed_at_once() -> None:
    serde = Counting()
    encoding = Encoding(serde)
    encoding.encode(LISTS["head of three bytes"], {})
    assert serde.calls == 1
