"""`holdfast check`, and the start of every process: which keys of langgraph.json nothing is done about."""

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from holdfast.cli.checking import check
from tests.cli.test_start_refused import project

GRAPH = (
    "from langgraph.graph import StateGraph\n"
    "graph = StateGraph(dict).add_node('n', lambda state: state).set_entry_point('n')\n"
)
AUTH = "from langgraph_sdk import Auth\nauth = Auth()\n"
CONFIG: dict[str, Any] = {
    "$schema": "https://langgra.ph/schema.json",
    "graphs": {"a": {"path": "./broken_keys.py:graph", "zzz": 1}},
    "auth": {"path": "./broken_auth.py:auth", "paths": "./auth.py:auth", "openapi": {}},
    "checkpointer": {
        "q": 1,
        "serde": {"pickle_fallback": True},
        "ttl": {"defualt_ttl": 5, "sweep_interval_minutes": 10},
    },
    "dependencies": ["."],
    "encryption": {"path": "./encryption.py:encryption"},
    "env": {"broken_any": "1"},
    "holdfast": {"zz": 1},
    "http": {"cors": {"allow_origin": []}, "mount_prefix": "/api"},
    "store": {"zz": 1, "ttl": {"zz": 1, "default_ttl": 5, "sweep_interval_minutes": 1}},
    "stores": {"index": {}},
    "webhooks": {"url": {"allowed_domain": [], "disable_loopback": True}},
}
UNKNOWN = [
    *("auth.paths", "checkpointer.q", "checkpointer.ttl.defualt_ttl", "graphs.a.zzz", "holdfast.zz"),
    *("http.cors.allow_origin", "store.ttl.zz", "store.zz", "stores", "webhooks.url.allowed_domain"),
]
COUNTED_ON = [
    *("auth.openapi", "checkpointer.serde.pickle_fallback", "encryption", "http.mount_prefix"),
    "webhooks.url.disable_loopback",
]
NEEDLESS = ["checkpointer.ttl.sweep_interval_minutes", "dependencies", "store.ttl.sweep_interval_minutes"]


@pytest.mark.usefixtures("restored")
def test_keys_that_nothing_is_done_about_are_named_by_their_paths(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = project(tmp_path, CONFIG, broken_keys=GRAPH, broken_auth=AUTH)
    said = io.StringIO()
    asyncio.run(check(Path(path), Console(file=said, width=1000)))
    assert said.getvalue().splitlines()[-2:] == [
        f"without effect here: {', '.join(sorted([*COUNTED_ON, *NEEDLESS]))}",
        f"unknown: {', '.join(UNKNOWN)}",
    ]
    told: dict[str, list[str]] = {}
    for record in caplog.records:
        told.setdefault(record.message, []).append(getattr(record, "key", ""))
    assert {message: sorted(keys) for message, keys in told.items()} == {
        "unknown key in langgraph.json": UNKNOWN,
        "a key of langgraph.json has no effect here": COUNTED_ON,
    }
