"""Answers to what a task asks: a message is one when it cannot be meant otherwise."""

from collections.abc import Mapping
from typing import Any

from holdfast.core.a2a.messages import Said
from holdfast.core.a2a.tasks import Question
from holdfast.core.answers import allowed
from holdfast.core.chat import approval_id
from holdfast.core.votes import check_role
from holdfast.errors import Forbidden, NothingPending
from holdfast.redis.records import Caller

# A word that stands alone. Everything else that is said while a request waits is for the graph to hear.
WORDS = {
    "approve": {"yes", "y", "ok", "okay", "approve", "approved", "confirm", "confirmed", "accept"}
    | {"是", "是的", "好", "好的", "可以", "同意", "确认", "批准"},
    "reject": {"no", "n", "reject", "rejected", "decline", "cancel"}
    | {"不", "否", "不是", "不行", "不可以", "不同意", "拒绝", "取消"},
}


def read_answer(questions: list[Question], caller: Caller, said: Said) -> dict[str, Any] | None:
    """What a message answers, by interrupt id; None for one that is meant for the graph.

    Raises `NothingPending` where it does not say which of several questions it means.
    """
    if not questions:
        return None
    if len(said.data) == 1:
        return read_data(questions, said.data[0])
    plain = [one for one in questions if one.approval is None]
    if plain:
        return {the_one(plain).pending.interrupt_id: said.content}
    word = read_word(said.text)
    asked = [one for one in questions if word and takes(one, caller, word)]
    if not asked or word is None:
        return None
    chosen = the_one(asked)
    decisions = [{"type": word} for _ in actions(chosen)]
    return {chosen.pending.interrupt_id: {"decisions": decisions}}


def read_data(questions: list[Question], data: Any) -> dict[str, Any]:
    """An answer as JSON: by the ids of what it answers, or bare where only one thing waits."""
    ids = {one.pending.interrupt_id: one.pending.interrupt_id for one in questions}
    ids |= {approval_id(one.pending): one.pending.interrupt_id for one in questions}
    if isinstance(data, dict) and data and data.keys() <= ids.keys():
        return {ids[name]: value for name, value in data.items()}
    return {the_one(questions).pending.interrupt_id: data}


def the_one(questions: list[Question]) -> Question:
    if len(questions) > 1:
        names = ", ".join(approval_id(one.pending) for one in questions)
        raise NothingPending(f"Say which question this answers, as data {{id: answer}}: {names}.")
    return questions[0]


def read_word(text: str) -> str | None:
    """The decision that a text is, where it is nothing but that."""
    bare = text.strip().strip(".!。！").casefold()
    return next((kind for kind, words in WORDS.items() if bare in words), None)


def takes(one: Question, caller: Caller, kind: str) -> bool:
    """Whether it is the caller's to decide so."""
    if one.approval is None:
        return False
    try:
        check_role(one.approval, caller)
    except Forbidden:
        return False
    configs = one.pending.value.get("review_configs") or []
    return bool(actions(one)) and all(kind in allowed(action, configs) for action in actions(one))


def actions(one: Question) -> list[Mapping[str, Any]]:
    return one.pending.value.get("action_requests") or []
