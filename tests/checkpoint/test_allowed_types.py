"""Types that no schema names: listed by a project, any at all, or only in a question."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.types import Interrupt

from holdfast.allowed_types import KEY, read_allowed
from holdfast.checkpoint import Serializer
from holdfast.errors import StartError, Unreadable, Unstorable
from tests.checkpoint.probes import ALLOWED, PROBES, Tier, local_class, same
from tests.checkpoint.test_serde import TAMPERED

HERE = Path("langgraph.json")
TIER = [Tier.__module__, "Tier"]


def listing(listed: Any) -> dict[str, Any]:
    return {"checkpointer": {"serde": {KEY: listed}}}


def test_what_a_project_lists_is_stored() -> None:
    allowed = Serializer(read_allowed(HERE, listing([TIER])))
    assert allowed.loads_typed(allowed.dumps_typed([Tier.GOLD])) == [Tier.GOLD]
    for config in ({}, {"checkpointer": None}, {"checkpointer": {"serde": None}}, listing(None), listing([])):
        with pytest.raises(Unstorable, match=rf'\["{TIER[0]}", "Tier"\] under checkpointer.serde.{KEY} '):
            Serializer(read_allowed(HERE, config)).dumps_typed([Tier.GOLD])


@pytest.mark.parametrize(
    "listed", ["shop.models", [["shop.models"]], [["a", "b", "c"]], [["a", 1]], 5, {}], ids=repr
)
def test_a_list_that_is_none(listed: Any) -> None:
    if listed != {}:
        with pytest.raises(StartError, match=f'"{KEY}" must list pairs'):
            read_allowed(HERE, listing(listed))
    with pytest.raises(StartError, match='"serde" must be an object'):
        read_allowed(HERE, {"checkpointer": {"serde": [1]}})


def test_any_type_comes_back() -> None:
    anything = Serializer(read_allowed(HERE, listing(True)))
    for value in PROBES.values():
        assert same(anything.loads_typed(anything.dumps_typed([value])), [value])


@pytest.mark.parametrize("name", [name for name, blob in TAMPERED.items() if blob.startswith(b"Vmsgpack\0")])
def test_where_any_type_is_allowed_nothing_else_is_called(name: str, tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    blob = TAMPERED[name].removeprefix(b"Vmsgpack\0").replace(b"{proof}", str(proof).encode())
    with pytest.raises(Unreadable):
        Serializer(True).loads_typed(("msgpack", blob))
    assert not proof.exists()


def test_a_question_of_any_type_is_kept_as_json() -> None:
    closed, question = Serializer(), {"tiers": [Tier.GOLD], "price": PROBES["Decimal"], "of": local_class()}
    [kept] = closed.loads_typed(closed.dumps_typed([Interrupt(question, "1")]))
    assert (kept.id, kept.value["tiers"], kept.value["price"]) == (
        "1",
        [Tier.GOLD.value],
        str(PROBES["Decimal"]),
    )
    with pytest.raises(Unstorable, match="Tier is not a type"):
        closed.dumps_typed([Tier.GOLD, Interrupt(question, "1")])


def test_a_question_of_types_that_are_allowed_is_kept_as_it_is() -> None:
    serializer = Serializer(ALLOWED)
    [kept] = serializer.loads_typed(serializer.dumps_typed([Interrupt([Tier.GOLD, PROBES["Decimal"]], "1")]))
    assert kept == Interrupt([Tier.GOLD, PROBES["Decimal"]], "1")
