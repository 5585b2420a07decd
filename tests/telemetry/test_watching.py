"""The dashboard and the rules ask for figures that there are, by labels that they have."""

import re
from collections.abc import Iterator
from typing import Any

import orjson
import yaml

from tests.gates import ROOT
from tests.telemetry.documented import DOCUMENTED

SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
SAMPLES = {
    f"{name}{suffix}": labels for name, (kind, labels) in DOCUMENTED.items() for suffix in SUFFIXES[kind]
}
GIVEN = {"le", "instance", "job"}  # by Prometheus, or by the form
DASHBOARD: Any = orjson.loads((ROOT / "deploy" / "grafana" / "holdfast.json").read_bytes())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RULES: Any = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())["groups"][0]["rules"]


def expressions() -> Iterator[tuple[str, str]]:
    for panel in PANELS:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]
    for rule in RULES:
        yield rule["alert"], rule["expr"]


def test_expressions_ask_for_what_there_is() -> None:
    for where, asked in expressions():
        names = set(re.findall(r"\b(?:holdfast|process)_\w+", asked))
        assert names, where
        assert names <= SAMPLES.keys(), where
        assert labels(asked) <= GIVEN.union(*(SAMPLES[name] for name in names)), where
        assert asked.count("(") == asked.count(")"), where


def labels(asked: str) -> set[str]:
    grouped = {name for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", asked) for name in group.split(", ")}
    chosen = {name for group in re.findall(r"{([^}]*)}", asked) for name in re.findall(r"(\w+)=", group)}
    return grouped | chosen


def test_figures_of_redis_are_never_added_up_over_processes() -> None:
    of_redis = {
        name
        for name in SAMPLES
        if name.startswith(("holdfast_queue_d", "holdfast_queue_o", "holdfast_runs_r"))
    }
    for _, asked in expressions():
        assert not [name for name in of_redis if f"sum({name}" in asked]


def test_each_figure_of_ours_has_its_place_on_the_dashboard() -> None:
    shown = " ".join(target["expr"] for panel in PANELS for target in panel["targets"])
    variables = " ".join(one.get("definition", "") for one in DASHBOARD["templating"]["list"])
    missing = {name for name in DOCUMENTED if name not in shown + variables and name.startswith("holdfast")}
    assert missing == {"holdfast_worker_runs"}, "what workers have is told by holdfast_runs_running"


def test_the_panels_do_not_overlap_and_each_says_what_it_shows() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert all(panel["description"] and panel["fieldConfig"]["defaults"]["unit"] for panel in PANELS)
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_every_rule_says_what_is_wrong_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["labels"]["severity"] in ("warning", "critical")
