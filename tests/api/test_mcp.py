"""MCP with the official client: assistants as tools, questions as forms, and no session anywhere."""

import orjson
import pytest
from jsonschema import Draft202012Validator
from mcp import MCPError
from mcp.shared.tool_name_validation import validate_tool_name
from mcp.types import ElicitResult, InputRequiredResult

from tests.api.mcps import CANCELLED, DECLINED, HI, OLD, Json, Person, chosen, connected, words
from tests.servers import Live, said

QUESTIONS: Json = {**said("go"), "questions": ["one", "two"]}


@pytest.fixture(params=["auto", OLD])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_each_assistant_is_a_tool(server: Live, mode: str) -> None:
    own = await server.sdk().assistants.create("echo", name="回声 & co", description="Says it again.")
    async with connected(server.url, mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(server.platform.project.graphs) < set(tools)
        assert all(validate_tool_name(name).is_valid for name in tools)
        for tool in tools.values():
            Draft202012Validator.check_schema(tool.input_schema)
        named = f"co_{own['assistant_id'][-12:]}"
        assert tools[named].title == "回声 & co"
        assert tools[named].description == "Says it again."
        taken = tools["echo"].input_schema["properties"]
        assert {"thread_id", "messages", "delay"} < set(taken)
        assert len(orjson.dumps(taken["messages"])) < 500

        result = await client.call_tool(named, HI)
        assert words(result)[0] == "echo: hi"


async def test_a_conversation_goes_on_under_its_thread_id(server: Live, mode: str) -> None:
    heard: list[tuple[float, str | None]] = []

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    async with connected(server.url, mode=mode) as client:
        result = await client.call_tool("modes", HI, progress_callback=listen)
        told = result.structured_content
        assert told == {"thread_id": told["thread_id"], "status": "done", "reply": words(result)[0]}
        assert heard[0] == (0, f"thread {told['thread_id']}")
        assert "".join(message or "" for _, message in heard[1:]) == told["reply"]
        assert [progress for progress, _ in heard] == list(range(len(heard)))

        await client.call_tool("modes", {**HI, "thread_id": told["thread_id"].upper()})
        state = await server.sdk().threads.get_state(told["thread_id"])
        assert len(state["values"]["messages"]) == 4  # type: ignore[call-overload]


async def test_a_graph_without_messages_tells_its_values(server: Live) -> None:
    async with connected(server.url) as client:
        told = (await client.call_tool("steps", {"delay": 0})).structured_content
        assert told["values"]["log"] == ["step 0", "step 1", "step 2"]


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        (chosen("approve"), {"type": "approve"}),
        (chosen("reject", message="no"), {"type": "reject", "message": "no"}),
        (DECLINED, {"type": "reject"}),
    ],
)
async def test_a_request_is_a_form_that_a_person_answers(
    server: Live, answer: ElicitResult, decision: Json
) -> None:
    person = Person(answer)
    async with connected(server.url, elicit=person) as client:
        told = (await client.call_tool("approve", said("go"))).structured_content
        assert told["status"] == "done"
        assert [form.message for form in person.shown] == ["Launch\nrockets: 3"]
        thread: Json = await server.sdk().threads.get(told["thread_id"])
        assert thread["values"]["answers"]["one"]["decision"]["decisions"] == [decision]


async def test_what_a_person_leaves_open_goes_on_waiting_and_is_not_asked_again(server: Live) -> None:
    person = Person(CANCELLED, ElicitResult(action="accept"))
    async with connected(server.url, elicit=person) as client:
        result = await client.call_tool("approve", QUESTIONS)
        told = result.structured_content
        assert (told["status"], len(person.shown)) == ("waiting", 2)
        one, two = (waiting["id"] for waiting in told["waiting"])

        answer = {"thread_id": told["thread_id"], "answers": {one: {"type": "approve"}}}
        left = (await client.call_tool("answer", answer)).structured_content
        assert [waiting["id"] for waiting in left["waiting"]] == [two]


async def test_a_client_without_forms_answers_by_another_call(server: Live, mode: str) -> None:
    async with connected(server.url, mode=mode, elicit=Person() if mode == OLD else None) as client:
        result = await client.call_tool("approve", said("go"))
        assert not result.is_error
        assert "`answer`" in words(result)[0]
        told = result.structured_content
        assert orjson.loads(words(result)[-1]) == told
        [waiting] = told["waiting"]
        assert waiting["yours"]
        assert waiting["display"]["title"] == "Launch"

        again = {"thread_id": told["thread_id"]}
        assert (await client.call_tool("answer", again)).structured_content == told
        for answers, sentence in (
            ({"other": {"type": "approve"}}, "Nothing of that name waits"),
            ({waiting["id"]: {"type": "maybe"}}, "not a decision"),
        ):
            refused = await client.call_tool("answer", {**again, "answers": answers})
            assert refused.is_error
            assert sentence in words(refused)[0]
        answered = {**again, "answers": {waiting["id"]: {"type": "approve"}}}
        assert (await client.call_tool("answer", answered)).structured_content["status"] == "done"
        late = await client.call_tool("answer", answered)
        assert late.is_error
        assert "decided by demo" in words(late)[0]


async def test_a_plain_question_takes_what_a_person_writes(server: Live) -> None:
    person = Person(ElicitResult(action="accept", content={"answer": "yes"}))
    async with connected(server.url, elicit=person) as client:
        told = (await client.call_tool("ask", {"log": []})).structured_content
        assert [form.message for form in person.shown] == ['{"question":"go on?"}']
        assert told["values"]["log"] == ["did yes"]


async def test_the_decision_of_others_is_not_asked_of_the_caller(server: Live) -> None:
    asked = {**said("go"), "policy": {"roles": ["chief"]}}
    async with connected(server.url, server.headers("ann"), elicit=Person()) as client:
        result = await client.call_tool("approve", asked)
        told = result.structured_content
        assert [waiting["yours"] for waiting in told["waiting"]] == [False]
        assert "somebody else's decision" in words(result)[0]
        answers = {told["waiting"][0]["id"]: {"type": "approve"}}
        refused = await client.call_tool("answer", {"thread_id": told["thread_id"], "answers": answers})
        assert refused.is_error
        assert "chief" in words(refused)[0]


async def test_a_run_that_fails_says_so_and_nothing_of_why(server: Live) -> None:
    async with connected(server.url) as client:
        result = await client.call_tool("fail", HI)
        assert result.is_error
        assert "Something went wrong" in words(result)[0]
        assert "boom" not in str(result)


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("echo", {"messages": "hi"}, "messages: 'hi' is not of type 'array'"),
        ("echo", {"messages": [{"content": "hi"}]}, "messages.0: 'role' is a required property"),
        ("echo", {**HI, "thread_id": "x"}, "thread_id: must be a UUID"),
        ("echo", {**HI, "thread_id": 1}, "thread_id: 1 is not of type 'string'"),
        ("echo", {**HI, "word": "x"}, "Additional properties are not allowed"),
        ("answer", {}, "'thread_id' is a required property"),
        ("answer", {"thread_id": "00000000-0000-0000-0000-000000000000"}, "not found"),
    ],
)
async def test_bad_arguments_are_for_the_model_to_mend(
    server: Live, tool: str, arguments: Json, sentence: str
) -> None:
    async with connected(server.url) as client:
        result = await client.call_tool(tool, arguments)
        assert result.is_error
        told, more = words(result)
        assert sentence in told
        code = "thread_not_found" if sentence == "not found" else "invalid"
        assert orjson.loads(more) == {"error": told, "code": code}


@pytest.mark.parametrize(
    "state", ["x", "{}", '{"thread_id": 1, "asked": []}', '{"thread_id": "x", "asked": 1}']
)
async def test_a_state_that_is_not_ours_is_refused(server: Live, state: str) -> None:
    async with connected(server.url) as client:
        result = await client.session.call_tool("echo", HI, request_state=state)
        assert result.is_error
    assert await server.sdk().threads.search() == []


async def test_what_is_not_there_is_an_error_of_the_protocol(server: Live) -> None:
    async with connected(server.url) as client:
        with pytest.raises(MCPError, match="Unknown tool: nothing"):
            await client.call_tool("nothing", {})
        with pytest.raises(MCPError, match="cursor"):
            await client.list_tools(cursor="x")


async def test_the_other_replica_goes_on_with_what_the_first_began(twins: tuple[Live, Live]) -> None:
    """Nothing of a conversation is in a process: not the thread, not the question, not its state."""
    one, other = twins
    async with connected(one.url, elicit=Person()) as first, connected(other.url, elicit=Person()) as second:
        asking = await first.session.call_tool("approve", said("go"), allow_input_required=True)
        assert isinstance(asking, InputRequiredResult)
        answered = await second.session.call_tool(
            "approve",
            said("go"),
            input_responses={name: chosen("approve") for name in asking.input_requests or ()},
            request_state=asking.request_state,
        )
        assert answered.structured_content["status"] == "done"
        assert len(await one.sdk().threads.search()) == 1
