"""What the project says of its business: told at /readyz, which does not depend on it."""

from pathlib import Path

import httpx
import pytest

from holdfast.core import checkup
from tests.api.wire import Json
from tests.servers import SERVED, live
from tests.waiting import wait_until

HOOKED = SERVED.with_name("hooked.json")


async def test_a_business_that_cannot_work_is_told_and_makes_nobody_unready(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVED_PEOPLE", str(tmp_path))
    monkeypatch.setattr(checkup, "AGAIN_S", 0.01)
    async with live(redis_url, config=HOOKED, worker=False) as server, server.http() as http:
        await tells(http, {"ok": True})
        (tmp_path / "problem").write_text("The till is locked: bring the key.")
        await tells(http, {"ok": True, "warning": "The till is locked: bring the key."})
        (tmp_path / "problem").unlink()
        (tmp_path / "broken").touch()
        await tells(http, {"ok": True, "warning": "The check of the business failed with ValueError."})
        (tmp_path / "broken").unlink()
        await tells(http, {"ok": True})


async def tells(http: httpx.AsyncClient, expected: Json) -> None:
    async def told() -> bool:
        response = await http.get("/readyz")
        assert response.status_code == 200
        told: Json = response.json()
        assert all(check["ok"] for check in told.pop("checks"))
        return bool(told == expected)

    await wait_until(told, f"/readyz says {expected}")


async def test_nobody_waits_for_a_check_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "ANSWER_S", 0.05)
    asked = 0

    async def hang() -> None:
        nonlocal asked
        asked += 1
        await wait_until(never, "nothing", 60)

    async def never() -> bool:
        return False

    business = checkup.Checkup(hang)
    assert [business.problem() for _ in range(3)] == [None] * 3

    async def told() -> bool:
        return business.problem() is not None

    await wait_until(told, "the check was given up")
    assert business.problem() == "The check of the business failed with TimeoutError."
    assert asked == 1, "not asked again before its time"
