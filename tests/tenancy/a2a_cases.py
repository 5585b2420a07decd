"""How the door for other agents is asked for things."""

from collections.abc import Mapping
from typing import Any

from tests.tenancy.case import ANSWER, PATH, Case, Json

NO_TASK = "TASK_NOT_FOUND"
BY_NAME = {"assistant_id": "echo"}
TO_APPROVE = {"assistant_id": "approve"}
PUSH: Json = {"taskId": "$thread:$run", "id": "one", "url": "https://hooks.example/news"}


def a2a(method: str, path: Mapping[str, str] = BY_NAME, **more: Any) -> Case:
    """A call by JSON-RPC; what is `more` and no part of a case are its parameters."""
    about = {name: more.pop(name) for name in ("apart", "changes", "tells") if name in more}
    return Case({"jsonrpc": "2.0", "id": 1, "method": method, "params": more}, path=path, **about)


OLD_TELL: Json = {
    "kind": "message",
    "messageId": "m",
    "role": "user",
    "parts": [{"kind": "text", "text": "hi"}],
    "taskId": "$thread:$run",
}


def tell(*parts: Json, **about: Json) -> Json:
    return {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}, *parts], **about}


A2A_CASES: dict[str, list[Case]] = {
    "GET /.well-known/agent-card.json": [Case(query={"assistant_id": "$assistant"})],
    "GET /a2a/{assistant_id}/.well-known/agent-card.json": [Case()],
    "POST /a2a/{assistant_id}": [
        a2a("SendMessage", message=tell(contextId="$thread"), apart=NO_TASK, changes=True),
        a2a("SendMessage", PATH, message=tell(), changes=True),
        a2a("SendMessage", message=tell(taskId="$thread:$run"), changes=True),
        a2a(
            "SendMessage",
            TO_APPROVE,
            message=tell({"data": {"$request": ANSWER}}, taskId="$asking:$asking_run"),
            changes=True,
        ),
        a2a("SendStreamingMessage", message=tell(taskId="$thread:$run"), changes=True),
        a2a("message/send", message=OLD_TELL, changes=True),
        a2a("GetTask", id="$thread:$run"),
        a2a("GetTask", TO_APPROVE, id="$asking:$asking_run"),
        a2a("tasks/get", id="$thread:$run"),
        a2a("ListTasks", contextId="$thread"),
        a2a("ListTasks", tells="thread", changes=True),
        a2a("CancelTask", id="$later:$later_run", changes=True),
        a2a("CancelTask", TO_APPROVE, id="$asking:$asking_run", changes=True),
        a2a("SubscribeToTask", id="$thread:$run"),
        a2a("CreateTaskPushNotificationConfig", **PUSH, changes=True),
        a2a("GetTaskPushNotificationConfig", taskId="$pushed:$pushed_run", id="one"),
        a2a("ListTaskPushNotificationConfigs", taskId="$pushed:$pushed_run"),
        a2a("DeleteTaskPushNotificationConfig", taskId="$pushed:$pushed_run", id="one", changes=True),
    ],
}
