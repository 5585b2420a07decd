"""What a lock file holds, and what the installed packages say of themselves."""

import re
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
ENTRY = re.compile(r"^([\w.-]+)==([^\s;\\]+)(?: ; ([^\\\n]+?))? \\$", re.M)
EXTRA = re.compile(r'extra == "([^"]+)"')

# Read in the package's own files, where it is not installed on every platform or its metadata do not say.
LICENSES = {
    "async-timeout": "Apache-2.0",
    "colorama": "BSD-3-Clause",
    "cronsim": "BSD-3-Clause",
    "cycler": "BSD-3-Clause",
    "httpx2-jsfetch": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "kiwisolver": "BSD-3-Clause",
    "kubernetes-validate": "Apache-2.0",
    "mergedeep": "MIT",
    "pgserver": "Apache-2.0",
    "pyasn1-modules": "BSD-2-Clause",
    "pywin32": "PSF-2.0",
    "tzdata": "Apache-2.0",
}

# The other ways in which metadata say it.
NAMES = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PSFL": "PSF-2.0",
}


@dataclass(frozen=True, order=True)
class Package:
    name: str
    version: str
    marker: str = ""

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{self.name}@{self.version}"

    @property
    def license(self) -> str:
        """As an SPDX expression, or as the package says it where that is none."""
        told = stated(self.name)
        return LICENSES.get(self.name) or NAMES.get(told, told)


def distribution(name: str) -> Distribution | None:
    """None for a package that this platform does not need."""
    try:
        return Distribution.from_name(name)
    except PackageNotFoundError:
        return None


def stated(name: str) -> str:
    """The license that metadata state: an expression, or the first line of a text, or a classifier."""
    if (found := distribution(name)) is None:
        return ""
    classifiers = found.metadata.get_all("Classifier") or []
    listed = [text.rpartition(" :: ")[2] for text in classifiers if " :: OSI Approved :: " in text]
    said = [found.metadata[field] for field in ("License-Expression", "License") if field in found.metadata]
    text = next(filter(None, (*said, *listed)), "")
    return text.strip().partition("\n")[0].strip()


def needs(name: str, extras: frozenset[str]) -> list[Requirement]:
    """What a package needs with these extras, whatever the platform."""
    found = distribution(name)
    listed = map(Requirement, (found.requires if found else None) or ())
    return [one for one in listed if set(EXTRA.findall(str(one.marker or ""))) <= extras]


def read_lock(name: str) -> list[Package]:
    """Every package of a lock file, also those of other platforms."""
    entries = ENTRY.findall((ROOT / name).read_text())
    return sorted(Package(canonicalize_name(name), version, marker) for name, version, marker in entries)
