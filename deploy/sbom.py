"""Writes the software bill of materials, as CycloneDX JSON: `make sbom`.

It is made of requirements.lock and of the installed packages' metadata. The same lock gives the same bytes:
no time, host or path is in it.
"""

import argparse
import json
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.licenses import complaints
from deploy.locks import ROOT, Package, needs, read_lock

LOCK = "requirements.lock"
OUTPUT = ROOT / "dist" / "holdfast.cdx.json"
SERIALS = uuid.UUID("8f0f3c1e-0b7d-5a53-9a0c-2c1f6f4c6b0e")  # any constant will do


def bill() -> dict[str, Any]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    own = Package(project["name"], project["version"])
    packages = read_lock(LOCK)
    parts = {
        "metadata": {"component": describe(own, "application", project["license"])},
        "components": [describe(package, "library", package.license) for package in packages],
        "dependencies": dependencies(own, declared(project), packages),
    }
    serial = uuid.uuid5(SERIALS, json.dumps(parts, sort_keys=True))
    head = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
    }
    return {**head, **parts}


def describe(package: Package, kind: str, license: str) -> dict[str, Any]:
    """A component; one that only some platforms have says which."""
    only = [{"name": "python:marker", "value": package.marker}] if package.marker else []
    return {
        "type": kind,
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "licenses": [{"expression": license}],
        "purl": package.purl,
        **({"properties": only} if only else {}),
    }


def declared(project: dict[str, Any]) -> list[Requirement]:
    extras = project["optional-dependencies"].values()
    return [Requirement(text) for texts in (project["dependencies"], *extras) for text in texts]


def dependencies(own: Package, first: list[Requirement], packages: list[Package]) -> list[dict[str, Any]]:
    """What each package needs, with the extras of it that are asked for anywhere."""
    extras: dict[str, frozenset[str]] = {}
    left = list(first)
    while left:
        one = left.pop()
        name = canonicalize_name(one.name)
        if name not in extras or not one.extras <= extras[name]:
            extras[name] = extras.get(name, frozenset()) | one.extras
            left += needs(name, extras[name])

    def refer(package: Package, needed: list[Requirement]) -> dict[str, Any]:
        names = {canonicalize_name(one.name) for one in needed}
        return {"ref": package.purl, "dependsOn": [one.purl for one in packages if one.name in names]}

    listed = (
        refer(package, needs(package.name, extras.get(package.name, frozenset()))) for package in packages
    )
    return [refer(own, first), *listed]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.sbom", description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    output: Path = parser.parse_args().output
    if refused := list(complaints(read_lock(LOCK))):
        sys.stderr.writelines(f"{sentence}: see deploy/licenses.py\n" for sentence in refused)
        return 1
    made = bill()
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")
    sys.stdout.write(f"{output.name}: {len(made['components'])} components\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
