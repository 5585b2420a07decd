"""The figures: read from one TOML file, and refused with a sentence when they make no policy."""

import tomllib
from collections.abc import Mapping, Set
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from tools.errors import RefundRefused
from tools.money import CURRENCY, parse_amount
from tools.policy.rules import OWNER, Figures, RefundPolicy, Repeats, Tier

SHIPPED_FILE = Path(__file__).parent.parent / "refund_policy.toml"


class PolicyInvalid(ValueError):
    """The file is no refund policy; the sentence says what is wrong where."""


def read_policy(path: Path = SHIPPED_FILE) -> RefundPolicy:
    """The policy in this file. Raises PolicyInvalid."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyInvalid(f"The refund policy {path} cannot be read: {error}") from error
    try:
        return policy_from(found)
    except PolicyInvalid as error:
        raise PolicyInvalid(f"The refund policy {path} cannot be used: {error}") from error


def policy_from(found: Mapping[str, Any]) -> RefundPolicy:
    check_keys(found, "the file", {"version", "returns", "repeats", "tiers", "currencies"})
    returns, repeats = found["returns"], found["repeats"]
    check_keys(returns, "returns", {"days", "reasons"})
    check_keys(repeats, "repeats", {"days", "of_order", "of_customer"})
    if not isinstance(found["tiers"], list) or not isinstance(found["currencies"], Mapping):
        raise PolicyInvalid(
            "tiers are [[tiers]], each in its own, and currencies are [currencies.CNY] and so on."
        )
    tiers = tuple(tier_from(rank, tier) for rank, tier in enumerate(found["tiers"]))
    names = [tier.name for tier in tiers]
    if not names or len({*names, "budget"}) <= len(names):
        raise PolicyInvalid('there must be tiers, each with a name of its own that is not "budget".')
    currencies = {code: figures_from(code, figures, names) for code, figures in found["currencies"].items()}
    return RefundPolicy(
        version=count(found, "version", "the file"),
        return_window=timedelta(days=count(returns, "days", "returns")),
        reasons=texts(returns, "reasons", "returns"),
        tiers=tiers,
        repeats=Repeats(**{name: count(repeats, name, "repeats") for name in repeats}),
        currencies=currencies,
    )


def tier_from(rank: int, found: Mapping[str, Any]) -> Tier:
    where = f"tier {rank + 1}"
    needed = {"name", "roles", "deciders", "expires_after_hours", "reason"}
    check_keys(found, where, needed, {"exclude_requester", "remind_after_hours", "escalate_to"})
    if found["deciders"] not in (1, 2):
        raise PolicyInvalid(f"deciders of {where} must be 1 or 2.")
    roles = texts(found, "roles", where)
    if OWNER in roles and found.get("exclude_requester"):
        raise PolicyInvalid(f"{where} asks the owner and excludes the requester, who is the same.")
    remind = count(found, "remind_after_hours", where) if "remind_after_hours" in found else None
    return Tier(
        name=text(found, "name", where),
        rank=rank,
        roles=roles,
        deciders=found["deciders"],
        exclude_requester=found.get("exclude_requester", False) is True,
        expires_after=timedelta(hours=count(found, "expires_after_hours", where)),
        remind_after=timedelta(hours=remind) if remind else None,
        escalate_to=texts(found, "escalate_to", where) if "escalate_to" in found else (),
        reason=text(found, "reason", where),
    )


def figures_from(code: str, found: Mapping[str, Any], names: list[str]) -> Figures:
    where = f"currencies.{code}"
    if not CURRENCY.fullmatch(code):
        raise PolicyInvalid(f"{where} is not named like a currency, such as CNY.")
    check_keys(found, where, {*names[:-1], "budget"})
    limits = [amount(found, name, where, code) for name in (*names[:-1], "budget")]
    if any(higher < lower for lower, higher in pairwise(limits)):
        raise PolicyInvalid(f"the amounts of {where} must rise from tier to tier, the budget last.")
    return Figures(tuple(limits[:-1]), limits[-1])


def check_keys(found: Any, where: str, needed: set[str], optional: Set[str] = frozenset()) -> None:
    if not isinstance(found, Mapping):
        raise PolicyInvalid(f"{where} must be a table.")
    missing, unknown = needed - found.keys(), found.keys() - needed - optional
    if missing or unknown:
        says = [f"lacks {', '.join(sorted(missing))}"] if missing else []
        says += [f"has {', '.join(sorted(unknown))}, which means nothing here"] if unknown else []
        raise PolicyInvalid(f"{where} {' and '.join(says)}.")


def amount(found: Mapping[str, Any], name: str, where: str, currency: str) -> int:
    try:
        return parse_amount(found[name], currency).amount
    except RefundRefused:
        raise PolicyInvalid(f'{name} of {where} must be an amount of it, as text such as "100".') from None


def count(found: Mapping[str, Any], name: str, where: str) -> int:
    value = found[name]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 100_000:
        raise PolicyInvalid(f"{name} of {where} must be a positive whole number.")
    return value


def text(found: Mapping[str, Any], name: str, where: str) -> str:
    value = found[name]
    if not isinstance(value, str) or not 0 < len(value) <= 32 or not value.isprintable():
        raise PolicyInvalid(f"{name} of {where} must be a short text.")
    return value


def texts(found: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    values = found[name]
    if not isinstance(values, list) or not values:
        raise PolicyInvalid(f"{name} of {where} must be a list of texts.")
    return tuple(text({name: value}, name, where) for value in values)
