"""What the agent reads from its environment, read once by whoever opens a workplace."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from graph.hours import HoursInvalid, OpeningHours

DEFAULT_MODEL = "gpt-4.1-mini"
DEFAULT_EMBEDDING_MODEL = "text-embedding-3-small"
DEFAULT_SERVER = "http://127.0.0.1:8123"


class SettingInvalid(ValueError):
    """A setting of the agent cannot be used; the sentence says which and why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits and addresses of the agent. Times are in seconds, sizes in approximate tokens or characters."""

    data: Path = Path(".holdfast")
    shop_database_url: str | None = field(default=None, repr=False)
    refund_policy: Path | None = None
    knowledge_folder: Path | None = None
    knowledge_min_score: float = 0.25
    payment_provider: Literal["simulated", "stripe"] = "simulated"
    stripe_api_key: str | None = field(default=None, repr=False)
    stripe_api_base: str | None = None
    openai_api_key: str | None = field(default=None, repr=False)
    openai_base_url: str | None = None
    openai_model: str = DEFAULT_MODEL
    openai_embedding_model: str = DEFAULT_EMBEDDING_MODEL
    context_tokens: int = 12_000
    model_turns: int = 8
    tool_calls: int = 16
    model_attempts: int = 3
    model_idle_s: float = 20.0
    model_total_s: float = 120.0
    retry_wait_s: float = 10.0
    answer_chars: int = 8_000
    opening_hours: str = ""
    time_zone: str = "UTC"
    tech_support_url: str | None = None
    tech_support_key: str | None = field(default=None, repr=False)
    tech_support_timeout_s: float = 60.0
    server_url: str = DEFAULT_SERVER
    server_key: str | None = field(default=None, repr=False)

    @property
    def demo_shop(self) -> bool:
        """Nobody named a database: the demo shop in the data folder is used, and seeded when it is empty."""
        return self.shop_database_url is None

    @property
    def demo_model(self) -> bool:
        return not (self.openai_api_key or self.openai_base_url)

    @property
    def database_url(self) -> str:
        return self.shop_database_url or f"sqlite+aiosqlite:///{self.data / 'shop.db'}"

    @property
    def hours(self) -> OpeningHours:
        return OpeningHours.read(self.opening_hours, self.time_zone)

    @classmethod
    def read(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Raises SettingInvalid when a number is not a positive one, the opening hours cannot be read, or the
        payment provider is not there."""
        settings = cls(
            data=Path(env.get("HOLDFAST_DATA") or ".holdfast"),
            shop_database_url=env.get("SHOP_DATABASE_URL") or None,
            refund_policy=Path(policy) if (policy := env.get("REFUND_POLICY")) else None,
            knowledge_folder=Path(folder) if (folder := env.get("KNOWLEDGE_FOLDER")) else None,
            knowledge_min_score=_positive(env, "KNOWLEDGE_MIN_SCORE", 0.25),
            payment_provider=_provider(env),
            stripe_api_key=env.get("STRIPE_API_KEY") or None,
            stripe_api_base=env.get("STRIPE_API_BASE") or None,
            openai_api_key=env.get("OPENAI_API_KEY") or None,
            openai_base_url=env.get("OPENAI_BASE_URL") or None,
            openai_model=env.get("OPENAI_MODEL") or DEFAULT_MODEL,
            openai_embedding_model=env.get("OPENAI_EMBEDDING_MODEL") or DEFAULT_EMBEDDING_MODEL,
            context_tokens=int(_positive(env, "AGENT_CONTEXT_TOKENS", 12_000)),
            model_turns=int(_positive(env, "AGENT_MODEL_TURNS", 8)),
            tool_calls=int(_positive(env, "AGENT_TOOL_CALLS", 16)),
            model_attempts=int(_positive(env, "AGENT_MODEL_ATTEMPTS", 3)),
            model_idle_s=_positive(env, "AGENT_MODEL_IDLE_S", 20.0),
            model_total_s=_positive(env, "AGENT_MODEL_TOTAL_S", 120.0),
            retry_wait_s=_positive(env, "AGENT_RETRY_WAIT_S", 10.0),
            answer_chars=int(_positive(env, "AGENT_ANSWER_CHARS", 8_000)),
            opening_hours=env.get("AGENT_OPENING_HOURS") or "",
            time_zone=env.get("AGENT_TIME_ZONE") or "UTC",
            tech_support_url=env.get("TECH_SUPPORT_URL") or None,
            tech_support_key=env.get("TECH_SUPPORT_KEY") or None,
            tech_support_timeout_s=_positive(env, "TECH_SUPPORT_TIMEOUT_S", 60.0),
            server_url=env.get("AGENT_SERVER_URL") or DEFAULT_SERVER,
            server_key=env.get("AGENT_SERVER_KEY") or None,
        )
        settings.check_hours()
        return settings

    def check_hours(self) -> None:
        """Raises SettingInvalid when nobody could say whether somebody is there."""
        try:
            self.hours.in_words("en")
        except HoursInvalid as error:
            raise SettingInvalid(f"AGENT_OPENING_HOURS, AGENT_TIME_ZONE: {error}.") from error


def _provider(env: Mapping[str, str]) -> Literal["simulated", "stripe"]:
    name = env.get("PAYMENT_PROVIDER") or "simulated"
    if name == "simulated":
        return "simulated"
    if name != "stripe":
        raise SettingInvalid(f"PAYMENT_PROVIDER must be simulated or stripe, not {name!r}.")
    if not env.get("STRIPE_API_KEY"):
        raise SettingInvalid("PAYMENT_PROVIDER=stripe needs STRIPE_API_KEY, the secret key of your account.")
    return "stripe"


def _positive(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        raise SettingInvalid(f"{name} must be a number, not {text!r}.") from None
    if not 0 < value < 10**9 or (isinstance(default, int) and value != int(value)):
        raise SettingInvalid(f"{name} must be a positive {type(default).__name__}, not {text!r}.")
    return value
