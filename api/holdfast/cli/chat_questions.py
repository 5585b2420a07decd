"""What a run waits for, asked at the terminal: approvals with their figures, and any other interrupt."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from holdfast.cli.chat_screen import Screen, one_line

Decision = dict[str, Any]

# What may be typed for a decision. Only whole names take words behind them: "no, the other one" is talk.
NAMES = {"approve": "approve", "edit": "edit", "reject": "reject", "respond": "respond"}
NAMES |= {"批准": "approve", "修改": "edit", "拒绝": "reject", "回复": "respond"}
SHORT = {"a": "approve", "y": "approve", "yes": "approve", "同意": "approve", "是": "approve"}
SHORT |= {"e": "edit", "r": "reject", "n": "reject", "no": "reject", "否": "reject"}

# The older form of approvals, as inboxes know it.
INBOX = {"approve": "accept", "edit": "edit", "reject": "ignore", "respond": "response"}
INBOX_FLAGS = {
    "allow_accept": "approve",
    "allow_edit": "edit",
    "allow_ignore": "reject",
    "allow_respond": "respond",
}


@dataclass(frozen=True)
class Question:
    """An interrupt that waits."""

    interrupt_id: str
    value: Any

    @property
    def key(self) -> str:
        """What stays the same when the question is asked again under another interrupt."""
        policy = mapping(mapping(self.value).get("policy"))
        return str(policy.get("request_id") or self.interrupt_id)


@dataclass(frozen=True)
class Answered:
    resume: Any


@dataclass(frozen=True)
class Said:
    """Not an answer: the person talks on, and the question goes on waiting."""

    text: str


Outcome = Answered | Said | None


def waiting(state: Mapping[str, Any]) -> list[Question]:
    """The questions of a thread's state."""
    found = state.get("interrupts") or [
        interrupt for task in state.get("tasks") or () for interrupt in task.get("interrupts") or ()
    ]
    return [Question(str(one.get("id")), one.get("value")) for one in found]


def ask(screen: Screen, question: Question) -> Outcome:
    """Shows a question and reads its answer; None leaves it waiting."""
    value = question.value
    if actions := listing(mapping(value).get("action_requests")):
        return ask_actions(screen, mapping(value), [mapping(action) for action in actions])
    inbox = mapping(value[0] if isinstance(value, list) and value else value)
    if mapping(inbox.get("action_request")):
        return ask_inbox(screen, inbox)
    return ask_plain(screen, value)


def ask_actions(screen: Screen, value: Mapping[str, Any], actions: Sequence[Mapping[str, Any]]) -> Outcome:
    """An approval in LangChain's form: a decision for each action, in their order."""
    shown = show_display(screen, mapping(value.get("display")))
    schema = mapping(mapping(value.get("policy")).get("edit_schema"))
    decisions = []
    for action in actions:
        if not shown or len(actions) > 1:
            show_action(screen, action)
        kinds = allowed(action, listing(value.get("review_configs")))
        decision = decide(screen, action, kinds, schema)
        if not isinstance(decision, dict):
            return decision
        decisions.append(decision)
    return Answered({"decisions": decisions})


def ask_inbox(screen: Screen, value: Mapping[str, Any]) -> Outcome:
    asked, config = mapping(value["action_request"]), mapping(value.get("config"))
    args = mapping(asked.get("args"))
    action = {"name": asked.get("action"), "args": args, "description": value.get("description")}
    show_action(screen, action)
    kinds = [kind for flag, kind in INBOX_FLAGS.items() if config.get(flag)]
    decision = decide(screen, action, kinds, {})
    if not isinstance(decision, dict):
        return decision
    edited = {"action": asked.get("action"), "args": mapping(decision.get("edited_action")).get("args")}
    given = {"edit": edited, "respond": decision.get("message")}.get(decision["type"])
    return Answered([{"type": INBOX[decision["type"]], "args": given}])


def ask_plain(screen: Screen, value: Any) -> Outcome:
    screen.title("A question")
    text = value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    screen.quote("the run", text)
    screen.hint("Answer with text or JSON; an empty line leaves it waiting.")
    line = screen.ask("answer> ", fresh=True)
    return Answered(read_value(line)) if line else None


def allowed(action: Mapping[str, Any], configs: Sequence[Any]) -> list[str]:
    for config in map(mapping, configs):
        if config.get("action_name") == action.get("name"):
            return [str(kind) for kind in listing(config.get("allowed_decisions"))]
    return ["approve", "reject"]


def decide(
    screen: Screen, action: Mapping[str, Any], kinds: Sequence[str], schema: Mapping[str, Any]
) -> Decision | Said | None:
    choice = " or ".join(filter(None, [", ".join(kinds[:-1]), *kinds[-1:]]))
    screen.hint(f"{choice}? An empty line leaves it waiting; anything else is said to the agent.")
    while line := screen.ask("answer> ", fresh=True):
        kind, rest = read_kind(line)
        if kind not in kinds:
            return Said(line)
        decision = DECISIONS[kind](screen, action, schema, rest)
        if decision is not None:
            return decision
    return None


def read_kind(line: str) -> tuple[str, str]:
    """The decision that a line names, and the words after it; no decision for any other line."""
    word, _, rest = line.partition(" ")
    word = word.lower()
    if not rest and word in SHORT:
        return SHORT[word], ""
    kind = NAMES.get(word, "")
    if not kind or (kind == "approve" and rest):
        return "", ""
    return kind, rest.strip()


def approve(_screen: Screen, _action: Mapping[str, Any], _schema: Mapping[str, Any], _rest: str) -> Decision:
    return {"type": "approve"}


def reject(screen: Screen, _action: Mapping[str, Any], _schema: Mapping[str, Any], rest: str) -> Decision:
    message = rest or screen.ask("why (may be empty)> ")
    return {"type": "reject", "message": message} if message else {"type": "reject"}


def respond(
    screen: Screen, _action: Mapping[str, Any], _schema: Mapping[str, Any], rest: str
) -> Decision | None:
    message = rest or screen.ask("message> ")
    return {"type": "respond", "message": message} if message else None


def edit(screen: Screen, action: Mapping[str, Any], schema: Mapping[str, Any], rest: str) -> Decision | None:
    """The action with other arguments; None when nothing was changed."""
    args = mapping(action.get("args"))
    name, equals, value = (part.strip() for part in rest.partition("="))
    if equals and name in args:
        changed = {name: read_like(args[name], value)}
    else:
        changed = dict(ask_fields(screen, args, mapping(schema.get("properties"))))
    edited = {**args, **changed}
    if edited == args:
        screen.hint("Nothing was changed.")
        return None
    return {"type": "edit", "edited_action": {"name": action.get("name"), "args": edited}}


def ask_fields(
    screen: Screen, args: Mapping[str, Any], properties: Mapping[str, Any]
) -> list[tuple[str, Any]]:
    changed = []
    for name in properties or args:
        rule = mapping(properties.get(name))
        if "const" in rule:
            continue
        limit = f", at most {str(rule['maximum']).removesuffix('.0')}" if "maximum" in rule else ""
        screen.hint(f"{name} is {one_line(args.get(name, 'not set'))}{limit}; an empty line keeps it.")
        if line := screen.ask(f"{one_line(name)}> "):
            changed.append((name, read_like(args.get(name), line)))
    return changed


DECISIONS: dict[str, Callable[[Screen, Mapping[str, Any], Mapping[str, Any], str], Decision | None]] = {
    "approve": approve,
    "edit": edit,
    "reject": reject,
    "respond": respond,
}


def show_display(screen: Screen, display: Mapping[str, Any]) -> bool:
    """The figures of an approval; False when there are none."""
    if not display:
        return False
    screen.title(str(display.get("title") or "A question"))
    facts = [mapping(fact) for fact in listing(display.get("facts"))]
    screen.facts([(str(fact.get("label", "")), str(fact.get("value", ""))) for fact in facts])
    for table in map(mapping, listing(display.get("tables"))):
        rows = [[str(cell) for cell in listing(row)] for row in listing(table.get("rows"))]
        columns = [str(mapping(column).get("label", column)) for column in listing(table.get("columns"))]
        screen.table(str(table.get("title") or ""), columns, rows)
    for quote in map(mapping, listing(display.get("quotes"))):
        screen.quote(str(quote.get("source", "")), str(quote.get("text", "")))
    return True


def show_action(screen: Screen, action: Mapping[str, Any]) -> None:
    """An action without figures of its own: name and arguments are the model's words."""
    screen.title(f"May {action.get('name')} be done?")
    args = [f"{name}: {value}" for name, value in mapping(action.get("args")).items()]
    screen.quote("the agent", "\n".join([*filter(None, [action.get("description")]), *args]))


def read_value(line: str) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return line


def read_like(old: Any, line: str) -> Any:
    """A value of the old one's kind: text stays text, so that no amount is rounded."""
    return line if isinstance(old, str) else read_value(line)


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
