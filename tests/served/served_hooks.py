"""A project's hooks over a folder, which the variable SERVED_PEOPLE names: a file for each person it knows.

A file `wait` holds an erasure up, `broken` lets it fail, `problem` holds what is wrong with the business.
"""

import asyncio
import os
from pathlib import Path


def place() -> Path:
    return Path(os.environ["SERVED_PEOPLE"])


async def erase(subject: str) -> dict[str, int]:
    while (place() / "wait").exists():  # noqa: ASYNC110 - another process takes it away
        await asyncio.sleep(0.01)
    if (place() / "broken").exists():
        raise ValueError(f"cannot forget {subject}")
    person = place() / subject
    known = person.exists()
    person.unlink(missing_ok=True)
    return {"people": 1} if known else {}


async def check() -> None:
    problem = place() / "problem"
    if problem.exists():
        raise RuntimeError(problem.read_text())
    if (place() / "broken").exists():
        raise ValueError("the password is secret")
