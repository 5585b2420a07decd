import json
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage

from graph.demo import DemoModel, Say, Script, ScriptedCall
from tests.demo.conftest import Chat, ChatMaker
from tests.demo.talks import ORDER, tool_specs

HELLO = {"model": "holdfast-demo", "messages": [{"role": "user", "content": "Hello"}]}


async def gather(chat: Chat, said: Any) -> tuple[list[AIMessageChunk], AIMessageChunk]:
    chunks = [chunk async for chunk in chat.astream(said)]
    assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk  # type: ignore[assignment]
    return chunks, whole  # type: ignore[return-value]


async def test_a_whole_answer_has_words_and_usage(chat: Chat) -> None:
    answer = await chat.ainvoke("Hello!")
    assert answer.text.startswith("Hello!")
    assert answer.tool_calls == []
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] > 5


async def test_a_streamed_answer_comes_word_by_word_with_usage_at_its_end(chat: Chat) -> None:
    chunks, whole = await gather(chat, "你好")
    spoken = [chunk.text for chunk in chunks if chunk.text]
    assert len(spoken) > 10
    assert whole.text == (await chat.ainvoke("你好")).text
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["total_tokens"] > 5


async def test_tool_calls_are_streamed_in_pieces(chat: Chat) -> None:
    chunks, whole = await gather(chat, "refund orders 12346 and 12347")
    pieces = [piece for chunk in chunks for piece in chunk.tool_call_chunks if piece["args"]]
    assert len(pieces) > 4
    assert [(call["name"], call["args"]["order_id"]) for call in whole.tool_calls] == [
        ("request_refund", "12346"),
        ("request_refund", "12347"),
    ]
    assert len({call["id"] for call in whole.tool_calls}) == 2


async def test_a_dialogue_with_a_tool_and_its_result(chat: Chat) -> None:
    said: list[Any] = [SystemMessage("You are a shop's agent."), HumanMessage("我要退订单 #12345")]
    asked = await chat.ainvoke(said)
    assert [call["name"] for call in asked.tool_calls] == ["query_order"]
    said += [asked, ToolMessage(json.dumps(ORDER), tool_call_id=str(asked.tool_calls[0]["id"]))]
    told = await chat.ainvoke(said)
    assert "7999.00 CNY" in told.text
    said += [told, HumanMessage("好的,帮我退款")]
    wished = await chat.ainvoke(said)
    assert [(call["name"], call["args"]["order_id"]) for call in wished.tool_calls] == [
        ("request_refund", "12345")
    ]


async def test_words_and_calls_in_one_message(demo: DemoModel, chat: Chat) -> None:
    call = ScriptedCall(name="query_order", args={"order_id": "1"}, id="call_1")
    demo.play(Script(steps=(Say(text="One moment.", calls=(call,), times=2),)))
    _, whole = await gather(chat, "Hello")
    for answer in (whole, await chat.ainvoke("Hello")):
        assert answer.text == "One moment."
        assert [(c["name"], c["args"], c["id"]) for c in answer.tool_calls] == [
            ("query_order", {"order_id": "1"}, "call_1")
        ]


async def test_usage_is_sent_only_where_it_was_asked_for(demo: DemoModel, http: httpx.AsyncClient) -> None:
    async def frames(**options: Any) -> list[dict[str, Any]]:
        response = await http.post(
            f"{demo.base_url}/chat/completions", json={**HELLO, "stream": True, **options}
        )
        assert response.headers["content-type"].startswith("text/event-stream")
        *lines, done = response.text.strip().split("\n\n")
        assert done == "data: [DONE]"
        return [json.loads(line.removeprefix("data: ")) for line in lines]

    assert all("usage" not in frame for frame in await frames())
    *_, last = await frames(stream_options={"include_usage": True})
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == sum(
        last["usage"][key] for key in ("prompt_tokens", "completion_tokens")
    )


async def test_events_of_a_response_are_numbered_without_a_hole(
    demo: DemoModel, http: httpx.AsyncClient
) -> None:
    body = {"model": "holdfast-demo", "input": "Hello", "stream": True}
    response = await http.post(f"{demo.base_url}/responses", json=body)
    events = [json.loads(event.split("data: ", 1)[1]) for event in response.text.strip().split("\n\n")]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["type"] == "response.created"
    assert events[-1]["type"] == "response.completed"
    assert events[-1]["response"]["output"][0]["content"][0]["text"].startswith("Hello!")


async def test_the_models_are_listed(demo: DemoModel, http: httpx.AsyncClient) -> None:
    listed = (await http.get(f"{demo.base_url}/models")).json()
    assert [model["id"] for model in listed["data"]] == ["holdfast-demo"]


async def test_no_tool_is_called_when_the_request_forbids_it(
    demo: DemoModel, http: httpx.AsyncClient
) -> None:
    order = {**HELLO, "messages": [{"role": "user", "content": "order 12345"}], "tools": tool_specs()}
    url = f"{demo.base_url}/chat/completions"
    free = (await http.post(url, json=order)).json()["choices"][0]
    assert free["finish_reason"] == "tool_calls"
    bound = (await http.post(url, json={**order, "tool_choice": "none"})).json()["choices"][0]
    assert bound["finish_reason"] == "stop"
    assert "tool_calls" not in bound["message"]


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        "\ufeff\x00",
        '{"messages": ["hello"]}',
        '{"messages": [{"role": "wizard", "content": "hello"}]}',
        '{"messages": [{"role": "assistant", "tool_calls": [{}]}]}',
        '{"input": 1, "messages": 1}',
        '{"input": [{"type": "function_call"}], "messages": [{"role": []}]}',
    ],
)
@pytest.mark.parametrize("path", ["chat/completions", "responses"])
async def test_what_is_no_request_is_refused(
    demo: DemoModel, http: httpx.AsyncClient, path: str, content: str
) -> None:
    response = await http.post(f"{demo.base_url}/{path}", content=content)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


async def test_the_official_way_to_read_a_refusal(demo: DemoModel, make_chat: ChatMaker) -> None:
    demo.play(Script(steps=(Say(refusal="I cannot help with that."),)))
    completion = await make_chat().ainvoke("Hello")
    assert isinstance(completion, AIMessage)
    assert completion.text == ""
    assert completion.additional_kwargs["refusal"] == "I cannot help with that."
