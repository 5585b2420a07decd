"""Push notifications: news of a task, brought by the courier of webhooks."""

from collections.abc import AsyncIterator

import httpx
import pytest
from a2a.compat.v0_3.conversions import to_compat_task
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError, TaskNotFoundError
from google.protobuf.json_format import ParseDict

from holdfast.core.a2a import older
from holdfast.core.a2a.messages import data_part, message, text_part
from tests.a2a.agents import Agent, Json, agent, reply, state, text, told
from tests.a2a.test_protocol import HI, rpc
from tests.servers import Live, live
from tests.webhooks.receivers import Answer, Receiver, reachable, receiving
from tests.webhooks.test_run_ends import settled


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def served(redis_url: str, receiver: Receiver) -> AsyncIterator[Live]:
    async with live(redis_url, **reachable(receiver)) as server:
        yield server
        await settled(server)


def target(receiver: Receiver, path: str = "/news", **more: Json) -> Json:
    return {"url": f"{receiver.url}{path}", **more}


async def put(other: Agent, task: Json, wanted: Json) -> Json:
    asked = ParseDict({**wanted, "taskId": task["id"]}, pb.TaskPushNotificationConfig())
    return told(await other.client.create_task_push_notification_config(asked))


async def listed(other: Agent, task: Json) -> list[Json]:
    asked = pb.ListTaskPushNotificationConfigsRequest(task_id=task["id"])
    configs: list[Json] = told(await other.client.list_task_push_notification_configs(asked)).get(
        "configs", []
    )
    return configs


async def test_news_of_a_task_is_brought_until_it_has_ended(served: Live, receiver: Receiver) -> None:
    receiver.answers.append(Answer(500))
    wanted = target(receiver, token="t-1", authentication={"scheme": "Bearer", "credentials": "c-1"})
    async with agent(served.url, "approve") as other:
        task = await other.send(text("please"), taskPushNotificationConfig=wanted)
        failed, asked = await receiver.has(2)
        assert failed.id == asked.id, "tried again"
        assert (state(asked.json), asked.json["task"]["id"]) == ("input_required", task["id"])
        assert asked.headers["x-a2a-notification-token"] == "t-1"
        assert asked.headers["authorization"] == "Bearer c-1"
        assert asked.headers["webhook-signature"].startswith("v1,")
        await other.send(text("yes"), task=task["id"])
        *_, done = await receiver.has(3)
        assert state(done.json) == "completed"
        assert done.json["task"]["id"] == task["id"]


async def test_news_of_a_task_that_was_over_before_is_brought_too(served: Live, receiver: Receiver) -> None:
    """So that no run is too quick for it; and whoever reads the log later finds the reply in it."""
    async with agent(served.url, "echo") as other:
        task = await other.send(text("hi"), taskPushNotificationConfig=target(receiver))
        await other.send(text("hi"), message_id="m", taskPushNotificationConfig=target(receiver, "/two"))
        await other.send(text("hi"), message_id="m", taskPushNotificationConfig=target(receiver, "/three"))
        got = {one.path: one.json["task"] for one in await receiver.has(3)}
        assert {path: state(one) for path, one in got.items()} == dict.fromkeys(
            ("/news", "/two", "/three"), "completed"
        )
        assert got["/news"]["id"] == task["id"]
        assert reply(got["/news"]) == "echo: hi"


async def call(http: httpx.AsyncClient, method: str, **params: Json) -> Json:
    """A call as clients of version 0.3 make it, and as the official package answers it."""
    answer = (await http.post("/a2a/approve", json=rpc(method, **params))).json()
    return {name: value for name, value in answer["result"].items() if name != "metadata"}


def bare(told: Json) -> Json:
    """Without what may be left out, and without the time, which the package writes in another way."""
    if isinstance(told, list):
        return [bare(one) for one in told]
    if isinstance(told, dict):
        return {name: bare(one) for name, one in told.items() if one not in ([], {}) and name != "timestamp"}
    return told


async def test_who_asked_in_terms_of_0_3_is_told_in_them(served: Live, receiver: Receiver) -> None:
    secret = {"schemes": ["Bearer"], "credentials": "c-1"}
    asked = {"pushNotificationConfig": target(receiver, "/sent", authentication=secret)}
    parts = [{"kind": "text", "text": "please"}, {"kind": "data", "data": {"n": 1}}]
    async with served.http() as http, agent(served.url, "approve") as other:
        task = await call(http, "message/send", message={**HI, "parts": parts}, configuration=asked)
        [news] = await receiver.has(1)
        assert news.headers["authorization"] == "Bearer c-1"
        assert news.json["status"]["state"] == "input-required"
        assert bare(news.json) == bare(await call(http, "tasks/get", id=task["id"]))
        wanted = {"taskId": task["id"], "pushNotificationConfig": target(receiver, "/set")}
        made = await call(http, "tasks/pushNotificationConfig/set", **wanted)
        assert made["pushNotificationConfig"]["url"] == f"{receiver.url}/set"
        put_away = await call(http, "tasks/pushNotificationConfig/set", **wanted)
        gone = {"id": task["id"], "pushNotificationConfigId": put_away["pushNotificationConfig"]["id"]}
        deleted = await http.post("/a2a/approve", json=rpc("tasks/pushNotificationConfig/delete", **gone))
        assert deleted.json() == {"jsonrpc": "2.0", "id": 7, "result": None}
        await put(other, task, target(receiver, "/newer"))
        await other.send(text("yes"), task=task["id"])
        done = {one.path: one.json for one in (await receiver.has(4))[1:]}
        ended = bare(await call(http, "tasks/get", id=task["id"]))
        assert bare(done["/sent"]) == bare(done["/set"]) == ended
        assert state(done["/newer"]) == "completed"


@pytest.mark.parametrize("value", [{"a": [1]}, [1, "b"], "c", 2.5, None])
def test_a_task_is_told_as_the_official_package_tells_it(value: Json) -> None:
    said = [text_part("hi"), data_part(value)]
    task = {
        "id": "t",
        "contextId": "c",
        "status": {"state": "TASK_STATE_FAILED", "message": message("t", "c", "AGENT", "m", said)},
        "history": [message("t", "c", "USER", "n", said)],
        "artifacts": [{"artifactId": "r", "name": "reply", "parts": said}],
    }
    theirs = to_compat_task(ParseDict(task, pb.Task())).model_dump(
        mode="json", by_alias=True, exclude_none=True
    )
    assert bare(older.task(task)) == bare(theirs)


async def test_a_config_can_be_read_and_taken_away(served: Live, receiver: Receiver) -> None:
    secret = {"scheme": "Bearer", "credentials": "c-1"}
    async with (
        agent(served.url, "approve") as other,
        agent(served.url, "approve", served.headers("bob")) as bob,
    ):
        task = await other.send(text("please"))
        made = await put(other, task, target(receiver, id="one", authentication=secret))
        assert made == {
            **target(receiver),
            "id": "one",
            "taskId": task["id"],
            "authentication": {"scheme": "Bearer"},
        }
        await put(other, task, target(receiver, "/other", id="two"))
        assert [one["id"] for one in await listed(other, task)] == ["one", "two"]
        with pytest.raises(TaskNotFoundError):
            await listed(bob, task)
        gone = pb.DeleteTaskPushNotificationConfigRequest(task_id=task["id"], id="one")
        await other.client.delete_task_push_notification_config(gone)
        with pytest.raises(TaskNotFoundError):
            await other.client.get_task_push_notification_config(
                pb.GetTaskPushNotificationConfigRequest(task_id=task["id"], id="one")
            )
        await other.send(text("no"), task=task["id"])
        [got] = await receiver.has(1)
        assert got.path == "/other"


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/x", "https://169.254.169.254/", "file:///etc/passwd", "https://u:p@example.com/"],
)
async def test_news_goes_nowhere_inside(served: Live, url: str) -> None:
    async with agent(served.url, "approve") as other:
        task = await other.send(text("please"))
        with pytest.raises(InvalidParamsError, match="ebhook"):
            await put(other, task, {"url": url})
        with pytest.raises(InvalidParamsError, match="ebhook"):
            await other.send(text("please"), taskPushNotificationConfig={"url": url})
        assert await listed(other, task) == []


async def test_no_header_is_smuggled_and_no_task_has_too_many(served: Live, receiver: Receiver) -> None:
    async with agent(served.url, "approve") as other:
        task = await other.send(text("please"))
        with pytest.raises(InvalidParamsError, match="header"):
            await put(other, task, target(receiver, token="x\r\nHost: y"))
        for number in range(10):
            await put(other, task, target(receiver, id=str(number)))
        await put(other, task, target(receiver, id="9"))
        with pytest.raises(InvalidParamsError, match="at most 10"):
            await put(other, task, target(receiver, id="10"))


async def test_a_config_is_read_without_its_id_in_0_3_only(served: Live, receiver: Receiver) -> None:
    async with served.http() as http, agent(served.url, "approve") as other:
        task = await other.send(text("please"))
        none = await http.post("/a2a/approve", json=rpc("tasks/pushNotificationConfig/get", id=task["id"]))
        assert none.json()["error"]["code"] == -32001
        made = await put(other, task, target(receiver, id="one"))
        found = await call(http, "tasks/pushNotificationConfig/get", id=task["id"])
        assert (found["taskId"], found["pushNotificationConfig"]["id"]) == (task["id"], made["id"])
        newer = await http.post("/a2a/approve", json=rpc("GetTaskPushNotificationConfig", taskId=task["id"]))
        assert newer.json()["error"]["code"] == -32602
