"""What a test needs that pip cannot give: skipped loudly on a developer's machine, never in CI."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from tests.setup.redis_stack import RedisStack, Unobtainable, fetch_redis_stack

SYSTEM_FOLDERS = (
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
)  # where Debian keeps servers, not on every user's PATH


def need_program(name: str, *, package: str) -> Path:
    """Return the path of an installed program, or end the test by saying which apt package holds it."""
    path = os.pathsep.join((os.environ.get("PATH", ""), *SYSTEM_FOLDERS))
    found = shutil.which(name, path=path)
    if found is None:
        refuse(f"{name} is not installed: apt-get install {package}")
    return Path(found)


def need_redis_stack() -> RedisStack:
    """Fetch Redis Stack on first use (see tests/setup/redis_stack.py), or end the test by saying why not."""
    try:
        return fetch_redis_stack()
    except Unobtainable as error:
        refuse(str(error))


def refuse(reason: str) -> NoReturn:
    """End the test that cannot run here: failed where CI is set, else skipped with its reason."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
