"""The table: how each route is asked for things, by the kinds of `tests.tenancy.belongings.MISSING`.

`$thread` stands for the id of a thread, and so on. A route that is not here fails `test_reference.py`.
"""

import uuid
from dataclasses import replace

from holdfast.project import id_of_graph
from tests.servers import said
from tests.tenancy.a2a_cases import A2A_CASES, BY_NAME
from tests.tenancy.belongings import KEYED, YEARLY
from tests.tenancy.case import ANSWER, Case, Json

HI: Json = {"assistant_id": "echo", "input": said("hi")}
NEW_THREAD = str(uuid.uuid4())
BY_OWN: Json = {**HI, "assistant_id": "$assistant"}
RESUME: Json = {
    "assistant_id": "approve",
    "command": {"resume": {"$interrupt": ANSWER}},
    "strict_resume": True,
}
KEY = {"Idempotency-Key": "$key"}
TO_MCP = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
LAST = {"Last-Event-ID": "$event"}
CHIEF = "chief"  # one of the roles that the requests of this matrix ask
ASKING, LATER = {"thread_id": "$asking"}, {"thread_id": "$later", "run_id": "$later_run"}
DEAD = {"thread_id": "$dead", "run_id": "$dead_run"}
AT: Json = {"checkpoint_id": "$checkpoint", "checkpoint_ns": "", "checkpoint_map": {"": "$checkpoint"}}
ITEM: Json = {"namespace": ["$shelf"], "key": "$item"}
NO_TIME = 1e-5  # minutes: an item that is gone before somebody else asks
INSIDE: Json = {"configurable": {"thread_id": "$thread", "checkpoint_id": "$checkpoint", "run_id": "$run"}}
FILTERS: list[Json] = [
    {"ids": ["$thread"]},
    {"metadata": {"note": "$word"}},
    {"ids": ["$thread"], "values": {"messages": [{"content": "$word"}]}},
]
CRON_FILTERS: list[Json] = [
    {"thread_id": "$scheduled"},
    {"metadata": {"note": "$cron_word"}},
    {"assistant_id": "$assistant"},
]
# Without config and context: in those of its own assistants everybody finds again what it has named there.
ALL_ASSISTANTS: Json = {"limit": 1000, "select": ["assistant_id", "name", "metadata"]}
ASSISTANT_FILTERS: list[Json] = [{"metadata": {"note": "$assistant_word"}}, {"name": "$assistant_word"}]
HISTORY: Json = {
    "metadata": {"graph_id": "echo"},
    "supersteps": [{"updates": [{"values": said("hi"), "as_node": "__input__"}]}],
}
CHANNELS: Json = {"channels": ["values", "lifecycle", "messages", "input", "custom"]}

# To make something under an id that is taken cannot be answered as if the id were free: whoever has it.
TAKEN, ALSO_TAKEN, ITEM_TAKEN = "thread_exists", "assistant_exists", "item_taken"
HIDDEN = "thread_not_found"


def runs(tells: str) -> list[Case]:
    """The ways to start a run on a thread, each with another kind of id."""
    return [
        Case({**HI, "if_not_exists": "create"}, apart=HIDDEN, changes=True),
        Case(RESUME, path=ASKING, changes=True),
        Case({**HI, "checkpoint": AT, "metadata": {"note": "$word"}}, changes=True),
        Case({**HI, "checkpoint_id": "$checkpoint", "config": INSIDE}, changes=True),
        Case(KEYED, headers=KEY, path={"thread_id": "$keyed"}, tells=tells, changes=True),
        Case(BY_OWN, changes=True),
    ]


def stateless(tells: str) -> list[Case]:
    return [
        Case(KEYED, headers=KEY, tells=tells, changes=True),
        Case({**HI, "config": INSIDE}, changes=True, inert=True),
        Case(BY_OWN, changes=True),
        Case({**HI, "command": {"resume": {"$interrupt": ANSWER}}}, inert=True),
    ]


def chats(tells: str) -> list[Case]:
    return [
        Case({"message": "hi", "session_id": "$session"}, tells=tells, changes=True),
        Case({"resume": {"$chat_request": ANSWER}, "session_id": "$session"}, tells=tells, changes=True),
    ]


def mcp(name: str, **arguments: Json) -> Case:
    """A call of a tool, by the protocol that has no session; the answer is a stream."""
    params = {"name": name, "arguments": arguments}
    return Case({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, headers=TO_MCP)


def command(method: str, **params: Json) -> Json:
    return {"id": 1, "method": method, "params": params}


CASES: dict[str, list[Case]] = {
    # threads
    "POST /threads": [
        Case({"thread_id": "$thread"}, apart=TAKEN),
        Case({"thread_id": "$thread", "if_exists": "do_nothing"}, apart=TAKEN),
        Case({**HISTORY, "thread_id": "$thread", "if_exists": "do_nothing"}, apart=TAKEN),
    ],
    "POST /threads/search": [
        *map(Case, FILTERS),
        Case({"ids": ["$thread"], "extract": {"word": "values.messages[0].content"}}),
        Case({"limit": 5}, tells="thread", changes=True),
    ],
    "POST /threads/count": [*map(Case, FILTERS)],
    "POST /threads/prune": [
        Case({"thread_ids": ["$thread"]}, changes=True),
        Case({"thread_ids": ["$thread"], "strategy": "keep_latest"}, changes=True),
    ],
    "POST /threads/{thread_id}/copy": [Case()],
    "GET /threads/{thread_id}": [Case(), Case(query={"include": "ttl"})],
    "PATCH /threads/{thread_id}": [
        Case({"metadata": {"mine": True}, "ttl": {"ttl": 5}}, changes=True),
        Case({"metadata": {}}, headers={"Prefer": "return=minimal"}, changes=True),
    ],
    "DELETE /threads/{thread_id}": [Case(changes=True)],
    "PUT /threads/{thread_id}/hold": [
        Case(changes=True),
        Case({"role": "operator", "ask": True}, changes=True),
    ],
    "DELETE /threads/{thread_id}/hold": [Case(path={"thread_id": "$held"}, changes=True)],
    "PUT /threads/{thread_id}/rating": [
        Case({"score": 5}, changes=True),
        Case({"score": 1, "comment": "$word"}, changes=True),
    ],
    "GET /threads/{thread_id}/storage": [Case()],
    "GET /threads/{thread_id}/state": [
        Case(query={"subgraphs": "true"}),
        Case(query={"checkpoint_id": "$checkpoint"}),
    ],
    "GET /threads/{thread_id}/state/{checkpoint_id}": [Case(), Case(query={"subgraphs": "true"})],
    "POST /threads/{thread_id}/state/checkpoint": [Case({"checkpoint": AT, "subgraphs": True})],
    "POST /threads/{thread_id}/state": [
        Case({"values": {"log": ["x"]}}, changes=True),
        Case({"values": {"log": ["x"]}, "checkpoint_id": "$checkpoint"}, changes=True),
        Case({"values": {"log": ["x"]}, "checkpoint": AT}, changes=True),
    ],
    "GET /threads/{thread_id}/history": [
        Case(query={"limit": "10"}),
        Case(query={"limit": "10", "before": "$checkpoint"}),
    ],
    "POST /threads/{thread_id}/history": [
        Case({"limit": 10, "metadata": {"run_id": "$run"}}),
        Case({"limit": 10, "before": INSIDE}),
        Case({"limit": 10, "checkpoint": AT}),
    ],
    "GET /threads/{thread_id}/stream": [
        Case(headers=LAST, endless=True),
        Case(query={"after": "$event", "made": "$made"}, endless=True),
    ],
    # runs
    "POST /threads/{thread_id}/runs": runs("keyed_run"),
    "POST /threads/{thread_id}/runs/wait": runs("keyed"),
    "POST /threads/{thread_id}/runs/stream": runs("keyed_run"),
    "GET /threads/{thread_id}/runs": [Case(), Case(query={"status": "success", "select": "run_id"})],
    "GET /threads/{thread_id}/runs/{run_id}": [Case()],
    "GET /threads/{thread_id}/runs/{run_id}/timeline": [Case(), Case(path=LATER)],
    "DELETE /threads/{thread_id}/runs/{run_id}": [Case(changes=True), Case(path=LATER, changes=True)],
    "GET /threads/{thread_id}/runs/{run_id}/join": [Case(query={"cancel_on_disconnect": "true"})],
    "GET /threads/{thread_id}/runs/{run_id}/stream": [
        Case(headers={"Last-Event-ID": "-"}),
        Case(headers=LAST, query={"stream_mode": "values"}),
    ],
    "POST /threads/{thread_id}/runs/{run_id}/cancel": [
        Case(path=LATER, query={"wait": "true"}, changes=True),
        Case(path=LATER, query={"action": "rollback"}, changes=True),
    ],
    "POST /runs": stateless("keyed_alone"),
    "POST /runs/wait": stateless("keyed_alone"),
    "POST /runs/stream": stateless("keyed_alone"),
    "POST /runs/batch": [
        Case([{**HI, "config": INSIDE}], inert=True),
        Case([{**HI, "command": {"resume": {"$interrupt": ANSWER}}}], inert=True),
        Case([BY_OWN], changes=True),
    ],
    "POST /runs/cancel": [
        Case({"thread_id": "$later", "run_ids": ["$later_run"]}, changes=True),
        Case({"thread_id": "$later", "run_ids": ["$later_run"]}, query={"action": "rollback"}, changes=True),
    ],
    # runs and what is not tried again, for staff
    "GET /runs": [
        Case(query={"limit": "1000"}, tells="later_run", by_staff=True),
        Case(query={"status": "failed", "limit": "1000"}, tells="dead_run", by_staff=True),
    ],
    "GET /threads/{thread_id}/runs/{run_id}/standing": [Case(by_staff=True), Case(path=LATER, by_staff=True)],
    "POST /threads/{thread_id}/runs/{run_id}/retry": [Case(path=DEAD, changes=True, by_staff=True)],
    "GET /dead-letters": [
        Case(query={"limit": "1000"}, tells="dead_run", by_staff=True),
        Case(query={"kind": "run"}, tells="dead_run", by_staff=True),
    ],
    "GET /dead-letters/{letter_id}": [Case(by_staff=True)],
    "POST /dead-letters/{letter_id}/retry": [Case(changes=True, by_staff=True)],
    "DELETE /dead-letters/{letter_id}": [Case(changes=True, by_staff=True)],
    # crons
    "POST /threads/{thread_id}/runs/crons": [
        Case({**YEARLY, "input": said("hi")}, changes=True),
        Case({**YEARLY, "config": INSIDE}, changes=True),
        Case({**YEARLY, **BY_OWN}, changes=True),
        Case({**YEARLY, "command": {"resume": {"$interrupt": ANSWER}}}, path=ASKING, changes=True),
    ],
    "POST /runs/crons": [
        Case({**YEARLY, "config": INSIDE}, inert=True),
        Case({**YEARLY, **BY_OWN}, changes=True),
        Case({**YEARLY, "command": {"resume": {"$interrupt": ANSWER}}}, inert=True),
    ],
    "POST /runs/crons/search": [
        *map(Case, CRON_FILTERS),
        # Without the payloads: in those of its own crons everybody finds again what it has named there.
        Case({"limit": 1000, "select": ["cron_id", "thread_id", "user_id", "metadata"]}, tells="cron"),
    ],
    "POST /runs/crons/count": [*map(Case, CRON_FILTERS)],
    "GET /runs/crons/{cron_id}": [Case()],
    "PATCH /runs/crons/{cron_id}": [
        Case({"metadata": {"mine": True}, "enabled": True}, changes=True),
        Case({"schedule": "@yearly", "config": INSIDE}, changes=True),
    ],
    "DELETE /runs/crons/{cron_id}": [Case(changes=True)],
    # assistants
    "POST /assistants": [
        Case({"graph_id": "echo", "assistant_id": "$assistant"}, apart=ALSO_TAKEN),
        Case({"graph_id": "echo", "assistant_id": "$assistant", "if_exists": "do_nothing"}, apart=ALSO_TAKEN),
        Case({"graph_id": "echo", "config": INSIDE}, inert=True),
    ],
    "POST /assistants/search": [*map(Case, ASSISTANT_FILTERS), Case(ALL_ASSISTANTS, tells="assistant")],
    "POST /assistants/count": [*map(Case, ASSISTANT_FILTERS[:1])],
    "GET /assistants/{assistant_id}": [Case()],
    "PATCH /assistants/{assistant_id}": [Case({"name": "mine", "config": INSIDE}, changes=True)],
    "DELETE /assistants/{assistant_id}": [Case(query={"delete_threads": "true"}, changes=True)],
    "POST /assistants/{assistant_id}/versions": [Case({"metadata": {"note": "$assistant_word"}})],
    "POST /assistants/{assistant_id}/latest": [Case({"version": 1}, changes=True)],
    "GET /assistants/{assistant_id}/graph": [Case(query={"xray": "true"})],
    "GET /assistants/{assistant_id}/schemas": [Case()],
    "GET /assistants/{assistant_id}/subgraphs": [Case(query={"namespace": "child"})],
    "GET /assistants/{assistant_id}/subgraphs/{namespace}": [Case(query={"recurse": "true"})],
    # approvals
    "GET /approvals": [
        Case(query={"thread_id": "$asking", "status": "all"}, role=CHIEF),
        Case(query={"assignee": "$claimer", "limit": "1000"}, role=CHIEF),
        Case(query={"status": "all", "limit": "1000"}, tells="request", role=CHIEF),
    ],
    "GET /approvals/stream": [Case(headers={"Last-Event-ID": "0"}, endless=True, role=CHIEF)],
    "GET /approvals/{approval_id}": [Case(role=CHIEF)],
    "POST /approvals/{approval_id}/claim": [
        Case(changes=True, role=CHIEF),
        Case({"seconds": 60}, changes=True, role=CHIEF),
    ],
    "POST /approvals/{approval_id}/release": [Case(changes=True, role=CHIEF)],
    "POST /approvals/{approval_id}/decisions": [
        Case({"type": "approve"}, changes=True, role=CHIEF),
        Case({"type": "reject", "message": "no"}, changes=True, role=CHIEF),
    ],
    # protocol v3
    "POST /threads/{thread_id}/commands": [
        Case(command("run.start", **HI), apart=HIDDEN, changes=True),
        Case(command("run.start", **BY_OWN), path={"thread_id": NEW_THREAD}, changes=True),
        Case(command("run.start", **HI, checkpoint=AT, config=INSIDE), apart=HIDDEN, changes=True),
        Case(command("input.respond", interrupt_id="$interrupt", response=ANSWER), path=ASKING, changes=True),
        Case(command("agent.getTree", run_id="$run")),
        Case(command("state.get", namespace=[], keys=["messages"])),
        Case(command("state.listCheckpoints", limit=5)),
        Case(command("state.listCheckpoints", before="$checkpoint")),
        Case(command("state.fork", checkpoint_id="$checkpoint", input=said("hi")), changes=True),
    ],
    "POST /threads/{thread_id}/stream/events": [
        Case(CHANNELS, endless=True),
        Case({**CHANNELS, "since": "$seq"}, endless=True),
        Case({**CHANNELS, "since_event_id": "$seq.1.1"}, endless=True),
        Case(CHANNELS, headers={"Last-Event-ID": "$seq"}, endless=True),
    ],
    # the short door
    "POST /chat": chats("chat"),
    "POST /chat/stream": chats("chat"),
    "POST /chat/async": chats("chat_task"),
    "GET /chat/result/{task_id}": [Case()],
    **A2A_CASES,
    # agents that call this one
    "POST /mcp": [
        Case({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers=TO_MCP, tells="tool"),
        replace(mcp("echo", **said("hi"), thread_id="$thread"), apart=HIDDEN, changes=True),
        replace(mcp("$tool", **said("hi")), changes=True),
        mcp("answer", thread_id="$thread"),
        replace(mcp("answer", thread_id="$asking", answers={"$request": ANSWER}), changes=True),
    ],
    # the store
    "PUT /store/items": [Case({**ITEM, "value": {}, "ttl": NO_TIME}, apart=ITEM_TAKEN, changes=True)],
    "GET /store/items": [Case(query={"namespace": "$shelf", "key": "$item"})],
    "DELETE /store/items": [Case(ITEM, silent=True, changes=True)],
    "POST /store/items/search": [
        Case({"namespace_prefix": ["$shelf"], "query": "$item_word"}),
        Case({"filter": {"note": "$item_word"}}),
        Case({"limit": 1000}, tells="item"),
    ],
    "POST /store/namespaces": [
        Case({"prefix": ["$shelf"]}),
        Case({"suffix": ["$shelf"]}),
        Case({"limit": 1000}, tells="shelf"),
    ],
    # people
    "POST /subjects/erase": [Case({"subject": "$subject"}, changes=True, by_staff=True)],
}

ECHO = str(id_of_graph("echo"))
OF_GRAPH = {"assistant_id": ECHO}

# Routes that name nothing which could be somebody's, or are asked for nothing that is, each with the reason.
# They are asked by everybody all the same: what they say must hold nobody's words.
NOBODYS: dict[str, tuple[str, Case]] = {
    **{
        f"GET {path}": ("it says of the process what everybody may know", Case())
        for path in ("/ok", "/livez", "/readyz", "/info", "/")
    },
    "GET /.well-known/agent-card.json": ("a graph's card is the same for all", Case(query=BY_NAME)),
    "GET /a2a/{assistant_id}/.well-known/agent-card.json": (
        "a graph's card is the same for all",
        Case(path=BY_NAME),
    ),
    **{
        f"GET /.well-known/oauth-protected-resource{of}": ("who issues tokens is the same for all", Case())
        for of in ("", "/mcp")
    },
    "GET /docs": ("where it leads is the same for all", Case()),
    "GET /ui": ("a page is the same for all", Case()),
    "GET /ui/{name:path}": ("a file of the pages is the same for all", Case()),
    "GET /openapi.json": ("the reference is the same for all", Case()),
    **{
        operation: ("the project's graphs are assistants of nobody: the same for all", case)
        for operation, case in {
            "POST /assistants/search": Case({"metadata": {}, "name": "echo", "graph_id": "echo"}),
            "POST /assistants/count": Case({"metadata": {"created_by": "system"}}),
            "POST /assistants": Case({"graph_id": "echo", "assistant_id": ECHO, "if_exists": "do_nothing"}),
            "GET /assistants/{assistant_id}": Case(path=OF_GRAPH),
            "POST /assistants/{assistant_id}/versions": Case({}, path=OF_GRAPH),
            "GET /assistants/{assistant_id}/graph": Case(query={"xray": "true"}, path=OF_GRAPH),
            "GET /assistants/{assistant_id}/schemas": Case(path=OF_GRAPH),
            "GET /assistants/{assistant_id}/subgraphs": Case(query={"namespace": "child"}, path=OF_GRAPH),
            "GET /assistants/{assistant_id}/subgraphs/{namespace}": Case(
                query={"recurse": "true"}, path=OF_GRAPH
            ),
        }.items()
    },
}

# Routes that say of a tenant as a whole what is for its staff: no things, and nobody's name or words.
FIGURES: dict[str, Case] = {"GET /stats": Case(query={"days": "31"}), "GET /operations": Case()}

# Routes that tell callers of themselves.
OWN: dict[str, Case] = {"GET /me": Case()}

# The WebSocket, which OpenAPI has no words for: it says what POST on the same path does, see
# `tests/tenancy/test_sockets.py`.
SOCKET = "SocketRoute /threads/{thread_id}/stream/events"

# Routes that the reference does not name.
UNLISTED = {"GET /", "GET /docs", "GET /ui", "GET /ui/{name:path}", "GET /openapi.json", SOCKET}

# Routes that are not there under the sign-in of this matrix, each with the reason.
ELSEWHERE = {"POST /dev/token": "it lets everybody be anybody: under HOLDFAST_AUTH=dev, on loopback, only"}
