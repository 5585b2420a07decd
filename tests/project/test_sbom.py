"""The bill of materials names everything that is passed on, and the licenses allow it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.licenses import EXCEPTIONS, complaints, permitted
from deploy.locks import LICENSES, Package, read_lock
from tests.gates import ROOT, no_machine_path, no_registry
from tests.project.test_packaging import EXTRAS, declared, locked


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    output = tmp_path_factory.mktemp("dist") / "made" / "holdfast.cdx.json"
    command = [sys.executable, "-m", "deploy.sbom", "--output", str(output)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return output.read_text()


@pytest.fixture(scope="module")
def bill(written: str) -> dict[str, Any]:
    return json.loads(written)  # type: ignore[no-any-return]


def test_it_is_cyclonedx(written: str) -> None:
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(written)
    assert problem is None, str(problem)[:500]


def test_every_package_of_the_lock_is_in_it_with_version_and_license(bill: dict[str, Any]) -> None:
    found: dict[str, set[str]] = {}
    for component in bill["components"]:
        found.setdefault(component["name"], set()).add(component["version"])
        assert component["licenses"][0]["expression"], component
        assert component["purl"] == f"pkg:pypi/{component['name']}@{component['version']}"
    assert found == locked("requirements.lock")
    assert len(found) > 80


def test_what_depends_on_what_is_in_it(bill: dict[str, Any]) -> None:
    known = {component["bom-ref"] for component in bill["components"]}
    needs = {one["ref"]: set(one["dependsOn"]) for one in bill["dependencies"]}
    own = needs.pop(bill["metadata"]["component"]["bom-ref"])
    assert needs.keys() == known
    assert own | set().union(*needs.values()) <= known
    listed = {one.name.lower() for group in ("base", *EXTRAS) for one in declared(group)}
    assert {ref.partition("@")[0].removeprefix("pkg:pypi/") for ref in own} == listed
    reached, left = set(own), list(own)
    while left:
        more = needs[left.pop()] - reached
        reached |= more
        left += more
    assert known == reached, "and it says why each of them is there"


def test_it_is_the_same_whenever_and_wherever_it_is_made(written: str, tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    command = [sys.executable, "-m", "deploy.sbom", "--output", str(again)]
    environment = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert again.read_text() == written
    assert list(no_registry({"bill": written})) + list(no_machine_path({"bill": written})) == []
    assert not re.search(r"https?://|\d{4}-\d\d-\d\dT|timestamp|/home|/tmp|/usr", written)


# licenses


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_license_is_permissive_or_argued(lock: str) -> None:
    assert list(complaints(read_lock(lock))) == []


def test_every_exception_and_every_license_read_by_hand_is_of_a_package_in_a_lock() -> None:
    passed_on, tools = (
        {package.name for package in read_lock(lock)}
        for lock in ("requirements.lock", "requirements-dev.lock")
    )
    assert EXCEPTIONS.keys() | LICENSES.keys() <= passed_on | tools
    assert EXCEPTIONS.keys() & passed_on == {"certifi", "orjson", "psycopg", "psycopg-binary"}


@pytest.mark.parametrize(
    ("license", "fine"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-3.0-only", True),
        ("MIT AND PSF-2.0", True),
        ("MIT AND GPL-3.0-only", False),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", False),
        ("LGPL-3.0-only", False),
        ("Elastic-2.0", False),
        ("Apache-2.0 WITH LLVM-exception", False),
        ("Proprietary", False),
        ("UNKNOWN", False),
        ("", False),
    ],
)
def test_what_is_permitted(license: str, fine: bool) -> None:
    assert permitted(license) is fine


def test_a_package_that_says_nothing_is_not_permitted() -> None:
    unknown = Package("never-installed", "1.0")
    assert list(complaints([unknown])) == ["never-installed is under no license that its metadata name"]
