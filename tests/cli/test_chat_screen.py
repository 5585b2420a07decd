"""What a chat shows of words that may be anything, and what counts as a decision."""

from typing import Any

import pytest

from holdfast.cli.chat_answers import Answers
from holdfast.cli.chat_questions import Answered, Question, Said, ask, read_kind, waiting
from tests.cli.conftest import Line, Terminal

NASTY = "\x1b[31mred\x1b]0;title\x07 [bold]b[/bold] :smile: \u202e123\ud800\x9b2J\rback"
SHOWN = "[31mred]0;title [bold]b[/bold] :smile: 1232Jback"


def chunk(text: Any = "", *, name: str = "m", last: bool = False) -> list[Any]:
    position = "last" if last else None
    return [{"type": "AIMessageChunk", "id": name, "content": text, "chunk_position": position}, {}]


def asking(value: Any, *lines: Line) -> tuple[Any, str]:
    terminal = Terminal(*lines)
    return ask(terminal.screen, Question("i", value)), terminal.shown


def test_pieces_are_shown_as_they_come() -> None:
    terminal = Terminal()
    answers = Answers(terminal.screen)
    for text, shown in [("订", "订"), ("单 ", "订单 "), ([{"type": "text", "text": "ok"}], "订单 ok")]:
        answers.take("messages|request:1", chunk(text))
        assert terminal.shown == shown
    answers.take("messages", chunk("next", name="n"))
    contents = {"m": "订单 ok", "n": "next", "x": "late"}
    answers.catch_up([{"type": "ai", "id": name, "content": text} for name, text in contents.items()])
    assert terminal.shown == "订单 ok\nnext\nlate\n"


def test_a_tool_call_and_its_result_are_a_line_each() -> None:
    terminal = Terminal()
    answers = Answers(terminal.screen)
    answers.take("messages", call("look", '{"id": "1', 0))
    answers.take("messages", call("", '2\\n3"}', 0))
    answers.take("messages", call("find", "not json", 1))
    assert terminal.shown == ""
    answers.take("messages", chunk(last=True))
    result = {"type": "tool", "id": "t", "name": "look", "status": "error", "content": "no\n" * 200}
    answers.take("messages", [result, {}])
    first, second, third = terminal.shown.splitlines()
    assert (first, second) == ("* look id=12 3", "* find not json")
    assert third.startswith("= look failed: no no no")
    assert len(third) == 160


def call(name: str, args: str, index: int) -> list[Any]:
    message, meta = chunk()
    return [{**message, "tool_call_chunks": [{"name": name, "args": args, "index": index}]}, meta]


def test_another_attempt_and_an_error_are_told() -> None:
    terminal = Terminal()
    answers = Answers(terminal.screen)
    answers.take("metadata", {"run_id": "r", "attempt": 1})
    answers.take("messages", chunk("hal"))
    answers.take("metadata", {"run_id": "r", "attempt": 2})
    answers.take("messages", chunk("half", name="again"))
    answers.take("error", {"error": "ValueError", "message": "boom"})
    assert terminal.shown == "hal\n(taken up again by another worker)\nhalf\n! boom\n"


def test_nothing_that_is_said_becomes_markup_or_moves_the_cursor() -> None:
    terminal = Terminal()
    answers = Answers(terminal.screen)
    answers.take("messages", chunk(NASTY))
    answers.take("messages", [{"type": "ai", "id": "w", "content": NASTY}, {}])
    answers.history([{"type": "human", "id": "h", "content": NASTY}])
    answers.take("error", {"message": NASTY})
    assert terminal.shown == f"{SHOWN}\n{SHOWN}\n> {SHOWN}\n! {SHOWN}\n"


def test_figures_are_facts_and_words_are_framed() -> None:
    display = {
        "title": "Launch\n3",
        "facts": [{"label": "数量", "value": f"3\n  Price: 0 {NASTY}"}],
        "tables": [{"title": "Stages", "columns": ["no", {"label": "名称"}], "rows": [[1, "[i]first"], [2]]}],
        "quotes": [{"source": "reason", "text": f"because\n  Count 9\n{NASTY}"}],
    }
    _, shown = asking({"action_requests": [{"name": "launch", "args": {}}], "display": display}, "")
    lines = [line.rstrip() for line in shown.splitlines()]
    assert "Launch 3" in lines
    assert f"  数量  3 Price: 0 {SHOWN}" in lines
    assert any("1    [i]first" in line for line in lines)
    start = next(i for i, line in enumerate(lines) if "quoted: reason" in line)
    assert [line[:4] for line in lines[start + 1 : start + 4]] == ["│ be", "│   ", "│ [3"]
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    "value",
    [
        {"action_requests": ["x"], "display": "x", "policy": []},
        {
            "action_requests": [{}],
            "review_configs": [None],
            "display": {"facts": {}, "tables": [1], "quotes": "x"},
        },
        [{"action_request": {"action": None}, "config": None}],
        None,
        [],
    ],
)
def test_a_question_of_any_shape_can_be_left(value: object) -> None:
    outcome, _ = asking(value, "")
    assert outcome is None


def test_an_action_without_figures_is_the_models_word() -> None:
    actions = [{"name": "launch", "args": {"count": 3}}, {"name": "land", "args": {}}]
    outcome, shown = asking({"action_requests": actions}, "y", "reject too soon")
    assert outcome == Answered(
        {"decisions": [{"type": "approve"}, {"type": "reject", "message": "too soon"}]}
    )
    assert "May launch be done?" in shown
    assert "│ count: 3 " in shown


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("approve", {"type": "accept", "args": None}),
        ("edit count=4", {"type": "edit", "args": {"action": "launch", "args": {"count": 4}}}),
        ("respond not now", {"type": "response", "args": "not now"}),
        ("n", {"type": "ignore", "args": None}),
    ],
)
def test_an_inbox_request_is_answered_in_its_own_form(line: str, answer: dict[str, Any]) -> None:
    config = {"allow_accept": True, "allow_edit": True, "allow_respond": True, "allow_ignore": True}
    value = [{"action_request": {"action": "launch", "args": {"count": 3}}, "config": config}]
    outcome, _ = asking(value, line, "")
    assert outcome == Answered([answer])


def test_a_decision_that_is_not_offered_is_talk() -> None:
    value = {"action_requests": [{"name": "launch", "args": {}}]}
    assert asking(value, "edit")[0] == Said("edit")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("approve", ("approve", "")),
        ("YES", ("approve", "")),
        ("同意", ("approve", "")),
        ("拒绝 太贵了", ("reject", "太贵了")),
        ("edit a = 1", ("edit", "a = 1")),
        ("approve it later", ("", "")),
        ("yes but", ("", "")),
        ("no, wait", ("", "")),
        ("hello", ("", "")),
    ],
)
def test_only_a_decision_is_a_decision(line: str, kind: tuple[str, str]) -> None:
    assert read_kind(line) == kind


def test_what_waits_is_found_where_older_servers_put_it() -> None:
    old = {"tasks": [{"interrupts": [{"id": "a", "value": 1}]}, {}, {"interrupts": [{"id": "b"}]}]}
    assert waiting(old) == [Question("a", 1), Question("b", None)]
    value = {"policy": {"request_id": "r"}}
    assert Question("a", value).key == Question("b", value).key == "r"
