"""Under which licenses others' work may be in a lock file."""

from collections.abc import Iterable, Iterator
from typing import Any

from license_expression import ExpressionError, get_spdx_licensing  # type: ignore[import-untyped]

from deploy.locks import Package

LICENSING = get_spdx_licensing()

# What may be passed on in whatever way, with the name of its author.
PERMISSIVE = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python"),
        *("ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Zlib"),
    }
)

# All others, one by one.
EXCEPTIONS = {
    "certifi": "MPL-2.0: certificates, passed on unchanged; only changes to them would have to be published.",
    "orjson": "MPL-2.0 for parts: passed on unchanged; only changes to its files would have to be published.",
    "psycopg": "LGPL-3.0: imported, passed on unchanged, and replaced by installing another version.",
    "psycopg-binary": "LGPL-3.0: as psycopg, of which it is the compiled part.",
    # These are tools: neither imported by what is passed on, nor passed on themselves.
    "codespell": "GPL-2.0: a program that reads our files.",
    "hypothesis": "MPL-2.0: imported by tests alone.",
    "matplotlib": "a license of its own, made after Python's: imported by benchmarks alone.",
    "pathspec": "MPL-2.0: used by the build.",
}


def complaints(packages: Iterable[Package]) -> Iterator[str]:
    """One sentence for each package that may not be there, and for each exception that nothing needs."""
    found = {package.name: package for package in packages}
    for package in found.values():
        if not permitted(package.license) and package.name not in EXCEPTIONS:
            yield f"{package.name} is under {package.license or 'no license that its metadata name'}"
    for name in EXCEPTIONS:
        if name in found and permitted(found[name].license):
            yield f"{name} needs no exception"


def permitted(license: str) -> bool:
    try:
        return bool(license) and holds(LICENSING.parse(license, validate=True))
    except ExpressionError:
        return False


def holds(part: Any) -> bool:
    if isinstance(part, LICENSING.AND):
        return all(map(holds, part.args))
    return any(map(holds, part.args)) if isinstance(part, LICENSING.OR) else str(part) in PERMISSIVE
