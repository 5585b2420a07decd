"""Whose conversation it is and who decided: what the server stamped on the run, never a client's words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from langchain_core.runnables import RunnableConfig

from graph.settings import Settings

DEMO_CUSTOMER = "demo"
ERRAND = "put_back_only"


@dataclass(frozen=True, slots=True)
class Deciders:
    by: tuple[str, ...]
    at: datetime
    stamped: bool
    """The server holds this decision and would give the same answer again."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A person has taken the conversation over, or is waited for: then `taken` is False."""

    taken: bool
    since: str


@dataclass(frozen=True, slots=True)
class Speaker:
    """One of the shop's people; `name` is what the customer sees, empty where the server knows none."""

    subject: str
    name: str


@dataclass(frozen=True, slots=True)
class Note:
    """What a person wrote who gave the conversation back."""

    by: str
    note: str
    at: str


def configurable(config: RunnableConfig) -> Mapping[str, Any]:
    return config.get("configurable") or {}


def caller(config: RunnableConfig, settings: Settings) -> str | None:
    """The customer's subject. None when nobody is stamped on the run and the shop is a real one."""
    return owner(config) or (DEMO_CUSTOMER if settings.demo_shop else None)


def owner(config: RunnableConfig) -> str | None:
    """Whose conversation the server says it is."""
    user = configurable(config).get("langgraph_auth_user")
    identity = user.get("identity") if isinstance(user, Mapping) else getattr(user, "identity", None)
    return identity if isinstance(identity, str) and identity else None


def thread_of(config: RunnableConfig) -> str | None:
    thread_id = configurable(config).get("thread_id")
    return str(thread_id) if thread_id else None


def run_of(config: RunnableConfig) -> str:
    return str(configurable(config).get("run_id") or "")


def hops_of(config: RunnableConfig) -> int:
    """How many agents the message has come through before this one."""
    hops = configurable(config).get("holdfast_hops")
    return hops if isinstance(hops, int) else 0


def is_errand(config: RunnableConfig) -> bool:
    """The run was started to put back what was decided meanwhile; nobody said anything."""
    return bool(configurable(config).get(ERRAND))


def read_hold(config: RunnableConfig) -> Hold | None:
    """None: the conversation is the model's."""
    hold = configurable(config).get("holdfast_hold")
    known = hold if isinstance(hold, Mapping) else {}
    return Hold(bool(known.get("by")), str(known.get("since") or "")) if hold else None


def read_speaker(config: RunnableConfig) -> Speaker | None:
    """Who wrote this run's input; None when it was the customer."""
    speaker = configurable(config).get("holdfast_speaker")
    if not isinstance(speaker, Mapping) or speaker.get("subject") in (None, "", owner(config)):
        return None
    name = speaker.get("display_name") or speaker.get("name") or ""
    return Speaker(str(speaker["subject"]), str(name))


def read_handback(config: RunnableConfig) -> Note | None:
    """What was noted when the conversation was given back, with the first run after it."""
    handback = configurable(config).get("holdfast_handback")
    if not isinstance(handback, Mapping) or not handback.get("note"):
        return None
    return Note(*(str(handback.get(name) or "") for name in ("by", "note", "at")))


def deciders(config: RunnableConfig, request_id: str, subject: str) -> Deciders | None:
    """Who answered this request, as the server stamped it; the customer, now, where the server keeps no
    decisions. None when it does and has none: then the answer was written into the state by somebody."""
    given = configurable(config)
    if "holdfast_decision" not in given:
        return Deciders((subject,), datetime.now(UTC), False)
    decision = given["holdfast_decision"]
    if not isinstance(decision, Mapping) or decision.get("request_id") != request_id:
        return None
    return Deciders(tuple(str(name) for name in decision.get("by") or ()), _moment(decision.get("at")), True)


def _moment(at: Any) -> datetime:
    if isinstance(at, str):
        try:
            moment = datetime.fromisoformat(at)
        except ValueError:
            return datetime.now(UTC)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.fromtimestamp(at, UTC) if isinstance(at, int | float) else datetime.now(UTC)
