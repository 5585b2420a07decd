"""A project that keeps people of several tenants: a file for each, in the folder that KEPT_PEOPLE names."""

import os
from pathlib import Path


def place(subject: str, tenant: str) -> Path:
    return Path(os.environ["KEPT_PEOPLE"]) / f"{tenant}.{subject}"


async def erase(subject: str, tenant: str) -> dict[str, int]:
    known = place(subject, tenant).exists()
    place(subject, tenant).unlink(missing_ok=True)
    return {"people": 1} if known else {}
