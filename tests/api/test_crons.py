"""Crons as the official client uses them."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from langgraph_sdk.errors import BadRequestError, NotFoundError, UnprocessableEntityError

from tests.api.wire import Json, refusal
from tests.servers import Live, live, said

YEARLY = "0 0 1 1 *"
FIELDS = {
    *("cron_id", "assistant_id", "thread_id", "user_id", "end_time", "schedule", "timezone", "payload"),
    *("next_run_date", "metadata", "on_run_completed", "enabled", "created_at", "updated_at"),
}
ECHO = "046b5dc7-2108-582c-9c6c-31d556d138f0"


async def test_a_cron_on_a_thread(server: Live) -> None:
    sdk = server.sdk("ann")
    thread_id = (await sdk.threads.create())["thread_id"]
    end = datetime(2100, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    made: Json = await sdk.crons.create_for_thread(
        thread_id,
        "echo",
        schedule="0 9 * * *",
        timezone=ZoneInfo("America/New_York"),
        input=said("hi"),
        metadata={"topic": "news"},
        config={"tags": ["daily"]},
        end_time=end,
        multitask_strategy="reject",
        stream_mode="updates",
    )
    assert set(made) == FIELDS
    assert made["assistant_id"] == ECHO
    assert made["thread_id"] == thread_id
    assert made["user_id"] == "ann"
    assert (made["schedule"], made["timezone"], made["enabled"]) == ("0 9 * * *", "America/New_York", True)
    assert made["end_time"] == "2100-01-01T10:00:00+00:00"
    assert made["on_run_completed"] is None
    assert made["metadata"] == {"topic": "news"}
    assert made["payload"] == {
        "assistant_id": ECHO,
        "schedule": "0 9 * * *",
        "input": said("hi"),
        "metadata": {"topic": "news"},
        "config": {"tags": ["daily"]},
        "multitask_strategy": "reject",
        "stream_mode": ["updates"],
    }
    due = datetime.fromisoformat(made["next_run_date"])
    assert due.utcoffset() == timedelta()
    assert (due.astimezone(ZoneInfo("America/New_York")).hour, due.minute, due.second) == (9, 0, 0)
    assert timedelta() < due - datetime.now(UTC) <= timedelta(hours=25)
    [found] = await sdk.crons.search(thread_id=thread_id)
    assert found == made


async def test_a_cron_without_a_thread(server: Live) -> None:
    sdk = server.sdk("ann")
    made: Json = await sdk.crons.create(ECHO, schedule=YEARLY, input={}, timezone=UTC)
    assert (made["thread_id"], made["on_run_completed"], made["timezone"]) == (None, "delete", "UTC")
    year = datetime.now(UTC).year + 1
    assert made["next_run_date"] == f"{year}-01-01T00:00:00+00:00"
    kept: Json = await sdk.crons.create("echo", schedule=YEARLY, on_run_completed="keep", enabled=False)
    assert (kept["on_run_completed"], kept["enabled"], kept["next_run_date"]) == ("keep", False, None)
    await sdk.crons.delete(made["cron_id"])
    with pytest.raises(NotFoundError):
        await sdk.crons.delete(made["cron_id"])
    assert [one["cron_id"] for one in await sdk.crons.search()] == [kept["cron_id"]]


async def test_a_cron_is_changed(server: Live) -> None:
    sdk = server.sdk("ann")
    end = datetime(2100, 1, 1, tzinfo=UTC)
    made: Json = await sdk.crons.create(
        "echo", schedule=YEARLY, input={"a": 1}, metadata={"a": 1}, end_time=end
    )
    cron_id = made["cron_id"]
    changed: Json = await sdk.crons.update(
        cron_id, input={"b": 2}, metadata={"b": 2}, config={"tags": ["x"]}, on_run_completed="keep"
    )
    assert changed["metadata"] == {"a": 1, "b": 2}
    assert changed["payload"]["input"] == {"b": 2}
    assert changed["payload"]["config"] == {"tags": ["x"]}
    assert changed["on_run_completed"] == "keep"
    assert changed["updated_at"] > made["updated_at"]
    same = ("cron_id", "schedule", "next_run_date", "end_time", "created_at", "enabled", "user_id")
    assert [changed[name] for name in same] == [made[name] for name in same]
    changed = await sdk.crons.update(cron_id, schedule="30 6 * * *", timezone="Asia/Kolkata")
    due = datetime.fromisoformat(changed["next_run_date"])
    assert (due.hour, due.minute) == (1, 0)
    changed = await sdk.crons.update(cron_id, enabled=False)
    assert (changed["enabled"], changed["next_run_date"]) == (False, None)
    changed = await sdk.crons.update(cron_id, enabled=True)
    assert changed["next_run_date"] == due.isoformat()
    changed = await sdk.crons.update(cron_id, end_time=datetime(2020, 1, 1, tzinfo=UTC))
    assert (changed["end_time"], changed["next_run_date"]) == ("2020-01-01T00:00:00+00:00", None)
    changed = await sdk.crons.update(cron_id, end_time=None)
    assert (changed["end_time"], changed["next_run_date"]) == (None, due.isoformat())
    assert await sdk.crons.search() == [changed]


async def test_a_cron_whose_end_is_past_is_taken_and_never_due(server: Live) -> None:
    sdk = server.sdk("ann")
    past = datetime(2020, 1, 1, tzinfo=UTC)
    made: Json = await sdk.crons.create("echo", schedule="* * * * *", end_time=past)
    assert (made["end_time"], made["next_run_date"]) == (past.isoformat(), None)


async def test_crons_are_found(server: Live) -> None:
    sdk = server.sdk("ann")
    thread_id = (await sdk.threads.create())["thread_id"]
    one: Json = await sdk.crons.create("echo", schedule=YEARLY, metadata={"n": 1, "of": {"a": 1}})
    two: Json = await sdk.crons.create("ask", schedule="0 0 1 6 *", metadata={"n": 2}, enabled=False)
    three: Json = await sdk.crons.create_for_thread(
        thread_id, "echo", schedule="0 0 1 6 *", metadata={"n": 3}
    )
    ids = [cron["cron_id"] for cron in (one, two, three)]
    queries: list[tuple[Json, list[int]]] = [
        ({}, [2, 1, 0]),
        ({"assistant_id": ECHO}, [2, 0]),
        ({"assistant_id": "ask"}, [1]),
        ({"assistant_id": str(uuid.uuid4())}, []),
        ({"thread_id": thread_id}, [2]),
        ({"metadata": {"n": 2}}, [1]),
        ({"metadata": {"of": {"a": 1}}}, [0]),
    ]
    for query, places in queries:
        assert [cron["cron_id"] for cron in await sdk.crons.search(**query)] == [ids[i] for i in places]
        assert await sdk.crons.count(**query) == len(places)
    assert [cron["cron_id"] for cron in await sdk.crons.search(enabled=False)] == [ids[1]]
    by_time = await sdk.crons.search(sort_by="next_run_date", sort_order="asc", select=["cron_id", "enabled"])
    assert [cron["cron_id"] for cron in by_time][2] == ids[1], "what is never due comes last"
    assert all(set(cron) == {"cron_id", "enabled"} for cron in by_time)
    async with server.http("ann") as http:
        page = await http.post("/runs/crons/search", json={"limit": 2})
        assert (page.headers["x-pagination-total"], page.headers["x-pagination-next"]) == ("3", "2")
        page = await http.post("/runs/crons/search", json={"limit": 2, "offset": 2})
        assert page.headers["x-pagination-total"] == "3"
        assert "x-pagination-next" not in page.headers


NOWHERE = "7d9f3c1e-5a2b-4f6d-8e9a-0b1c2d3e4f50"


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"schedule": "bad"}, 422, "Invalid cron schedule: 'bad'"),
        ({"schedule": "0 0 30 2 *"}, 422, "Invalid cron schedule"),
        ({"schedule": 5}, 422, "schedule"),
        ({"schedule": None}, 422, "schedule"),
        ({"timezone": "Mars/Base"}, 422, "Invalid timezone: 'Mars/Base'"),
        ({"timezone": 1}, 422, "timezone"),
        ({"end_time": "tomorrow"}, 422, "end_time: must be a time"),
        ({"end_time": "0001-01-01T00:00:00+14:00"}, 422, "end_time: must be a time"),
        ({"end_time": 5}, 422, "end_time"),
        ({"enabled": "yes"}, 422, "enabled"),
        ({"on_run_completed": "forget"}, 422, "on_run_completed"),
        ({"multitask_strategy": "wait"}, 422, "multitask_strategy"),
        ({"stream_mode": "everything"}, 422, "stream_mode"),
        ({"assistant_id": NOWHERE}, 404, f"Assistant {NOWHERE} not found"),
        ({"assistant_id": "nobody"}, 404, "nobody"),
        ({"config": {"configurable": {"a": 1}}, "context": {"a": 1}}, 400, "config.configurable or context"),
    ],
)
async def test_what_is_no_cron(server: Live, body: Json, status: int, sentence: str) -> None:
    asked = {"assistant_id": "echo", "schedule": YEARLY, **body}
    async with server.http("ann") as http:
        answer = refusal(await http.post("/runs/crons", json=asked))
        assert answer[0] == status
        assert sentence in answer[1]
        assert (await http.post("/runs/crons/count", json={})).json() == 0


async def test_a_cron_needs_its_thread(server: Live) -> None:
    async with server.http("ann") as http:
        asked = {"assistant_id": "echo", "schedule": YEARLY}
        assert refusal(await http.post(f"/threads/{NOWHERE}/runs/crons", json=asked))[0] == 404
        assert refusal(await http.post("/threads/x/runs/crons", json=asked))[0] == 422
        assert (await http.post("/runs/crons/search", json={"thread_id": NOWHERE})).json() == []
    for missing in ("assistant_id", "schedule"):
        async with server.http("ann") as http:
            body = {key: value for key, value in asked.items() if key != missing}
            assert refusal(await http.post("/runs/crons", json=body))[0] == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"unknown": 1}, 400),
        ({"schedule": "bad"}, 422),
        ({"timezone": "bad"}, 422),
        ({"schedule": None}, 422),
        ({"timezone": None}, 422),
        ({"enabled": None}, 422),
        ({"input": None}, 422),
        ({"metadata": None}, 422),
        ({"on_run_completed": None}, 422),
        ({"stream_mode": "everything"}, 422),
        ({"context": {"a": 1}}, 400),
    ],
)
async def test_what_is_no_change(server: Live, body: Json, status: int) -> None:
    async with server.http("ann") as http:
        config = {"configurable": {"b": 1}}
        asked = {"assistant_id": "echo", "schedule": YEARLY, "config": config}
        made = (await http.post("/runs/crons", json=asked)).json()
        path = f"/runs/crons/{made['cron_id']}"
        assert refusal(await http.patch(path, json=body))[0] == status
        assert (await http.get(path)).json() == made


@pytest.mark.parametrize("path", ["/runs/crons", "/threads/{}/runs/crons"])
async def test_a_webhook_is_refused_before_a_tick_would_be(server: Live, path: str) -> None:
    async with server.http("ann") as http:
        path = path.format((await http.post("/threads", json={})).json()["thread_id"])
        asked = {"assistant_id": "echo", "schedule": YEARLY}
        forbidden = {"webhook": "https://169.254.169.254/x"}
        refused = await http.post(path, json={**asked, **forbidden})
        assert (refused.status_code, refused.json()["code"]) == (422, "target_refused")
        assert (await http.post("/runs/crons/count", json={})).json() == 0

        made = (await http.post(path, json={**asked, "webhook": "https://hooks.example/x"})).json()
        cron = f"/runs/crons/{made['cron_id']}"
        refused = await http.patch(cron, json=forbidden)
        assert (refused.status_code, refused.json()["code"]) == (422, "target_refused")
        assert (await http.get(cron)).json() == made


async def test_an_input_is_refused_before_a_tick_would_be(server: Live) -> None:
    long = said("x" * (server.platform.settings.max_message_chars + 1))
    async with server.http("ann") as http:
        asked = {"assistant_id": "echo", "schedule": YEARLY}
        refused = await http.post("/runs/crons", json={**asked, "input": long})
        assert (refused.status_code, refused.json()["code"]) == (413, "too_large")
        made = (await http.post("/runs/crons", json=asked)).json()
        assert (await http.patch(f"/runs/crons/{made['cron_id']}", json={"input": long})).status_code == 413


async def test_a_cron_whose_webhook_is_not_allowed_any_more_can_be_disabled(
    server: Live, redis_url: str
) -> None:
    asked = {"assistant_id": "echo", "schedule": YEARLY, "webhook": "https://hooks.example/x"}
    async with server.http("ann") as http:
        made = (await http.post("/runs/crons", json=asked)).json()
    narrower = live(redis_url, worker=False, webhook_ports=[8443], prefix=server.platform.keys.prefix)
    async with narrower as later, later.http("ann") as http:
        assert (await http.post("/runs/crons", json=asked)).status_code == 422
        changed = await http.patch(f"/runs/crons/{made['cron_id']}", json={"enabled": False})
        assert changed.json()["enabled"] is False


async def test_ids_that_are_none(server: Live) -> None:
    async with server.http() as http:
        for call in (http.get, http.delete):
            assert refusal(await call("/runs/crons/x")) == (422, "Invalid cron ID: must be a UUID")
            assert refusal(await call(f"/runs/crons/{NOWHERE}")) == (404, f"Cron with ID {NOWHERE} not found")
        assert (await http.patch(f"/runs/crons/{NOWHERE}", json={"enabled": True})).status_code == 404


async def test_the_client_sees_errors_as_its_own(server: Live) -> None:
    sdk = server.sdk()
    with pytest.raises(UnprocessableEntityError):
        await sdk.crons.create("echo", schedule="bad")
    with pytest.raises(NotFoundError):
        await sdk.crons.create_for_thread(NOWHERE, "echo", schedule=YEARLY)
    made: Json = await sdk.crons.create("echo", schedule=YEARLY)
    with pytest.raises(BadRequestError):
        await sdk.crons.update(made["cron_id"])


async def test_only_the_server_says_what_is_reserved(server: Live) -> None:
    async with server.http("ann") as http:
        config = {"configurable": {"langgraph_auth_user": {"identity": "eve"}, "kept": 1}}
        asked = {
            "assistant_id": "echo",
            "schedule": YEARLY,
            "config": config,
            "user_id": "eve",
            "owner": "eve",
            "metadata": {"holdfast_x": 1, "a": 1},
            "command": {"resume": 1},
            "after_seconds": 5,
        }
        made = (await http.post("/runs/crons", json=asked)).json()
    assert made["user_id"] == "ann"
    assert made["metadata"] == {"a": 1}
    assert made["payload"]["config"] == {"configurable": {"kept": 1}}
    assert not {"command", "after_seconds"} & made["payload"].keys()


async def test_a_tenant_has_so_many_crons(redis_url: str) -> None:
    async with live(redis_url, worker=False, max_crons_of_tenant=2) as server, server.http("ann") as http:
        asked = {"assistant_id": "echo", "schedule": YEARLY}
        made = [await http.post("/runs/crons", json=asked) for _ in range(3)]
        assert [answer.status_code for answer in made] == [200, 200, 429]
        await http.delete(f"/runs/crons/{made[0].json()['cron_id']}")
        assert (await http.post("/runs/crons", json=asked)).status_code == 200


async def test_two_changes_at_once_are_both_made(server: Live) -> None:
    async with server.http("ann") as http:
        made = (await http.post("/runs/crons", json={"assistant_id": "echo", "schedule": YEARLY})).json()
        path = f"/runs/crons/{made['cron_id']}"
        bodies: list[Json] = [{"metadata": {str(n): n}} for n in range(20)]
        await asyncio.gather(*(http.patch(path, json=body) for body in bodies))
        assert (await http.get(path)).json()["metadata"] == {str(n): n for n in range(20)}
