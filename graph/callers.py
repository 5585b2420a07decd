"""Whose conversation it is and who decided: what the server stamped on the run, never a client's words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from langchain_core.runnables import RunnableConfig

from graph.settings import Settings

DEMO_CUSTOMER = "demo"


@dataclass(frozen=True, slots=True)
class Deciders:
    by: tuple[str, ...]
    at: datetime
    stamped: bool
    """The server holds this decision and would give the same answer again."""


def configurable(config: RunnableConfig) -> Mapping[str, Any]:
    return config.get("configurable") or {}


def caller(config: RunnableConfig, settings: Settings) -> str | None:
    """The customer's subject. None when nobody is stamped on the run and the shop is a real one."""
    user = configurable(config).get("langgraph_auth_user")
    identity = user.get("identity") if isinstance(user, Mapping) else getattr(user, "identity", None)
    if isinstance(identity, str) and identity:
        return identity
    return DEMO_CUSTOMER if settings.demo_shop else None


def held(config: RunnableConfig) -> bool:
    """A person has taken the conversation over: the model is silent."""
    return bool(configurable(config).get("holdfast_hold"))


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
