"""What the reference (OpenAPI) says that a request can hold, held against the table of cases."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.routing import APIRoute

from tests.auth.test_doors import routes_of
from tests.tenancy.case import Case
from tests.tenancy.cases import CASES, ELSEWHERE, FIGURES, NOBODYS, OWN, UNLISTED

Json = Any
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

# Names under which a request may hold an id: each has to be in a case of each route that takes it.
IDS = {
    *("thread_id", "run_id", "checkpoint_id", "task_id", "session_id", "interrupt_id", "subject"),
    *("ids", "thread_ids", "run_ids", "checkpoint", "checkpoint_map", "before", "resume", "configurable"),
    *("since", "since_event_id", "last-event-id", "idempotency-key", "assignee", "assistant_id"),
    *("key", "namespace_prefix", "prefix", "suffix", "filter"),
}
# Names under which it holds none.
OTHERS = {
    # how much is asked for, and in which form
    *(
        "limit",
        "offset",
        "feedback_keys",
        "select",
        "sort_by",
        "sort_order",
        "status",
        "subgraphs",
        "prefer",
        "wait",
        "action",
        "include",
        "extract",
    ),
    *(
        "stream_mode",
        "stream_modes",
        "stream_subgraphs",
        "stream_resumable",
        "channels",
        "namespaces",
        "depth",
    ),
    *("checkpoint_ns", "namespace", "xray", "recurse", "cancel_on_disconnect"),
    # what is to be done
    *("input", "update", "goto", "node", "as_node", "context", "config", "tags", "recursion_limit", "ttl"),
    *("interrupt_before", "interrupt_after", "multitask_strategy", "if_exists", "if_not_exists", "message"),
    *("on_disconnect", "on_completion", "durability", "checkpoint_during", "webhook", "after_seconds"),
    *(
        "metadata",
        "values",
        "command",
        "params",
        "strict_resume",
        "supersteps",
        "updates",
        "strategy",
        "response",
        "responses",
        "method",
        "jsonrpc",
        "id",
        "roles",
    ),
    # when, and who
    *("schedule", "timezone", "end_time", "enabled", "on_run_completed", "min_age_s", "seconds", "revision"),
    *("hold", "role", "ask", "note", "kind"),
    *("score", "comment", "days"),
    *("value", "index", "query", "refresh_ttl", "max_depth"),
    # of assistants
    *("graph_id", "name", "description", "version", "delete_threads"),
}


def complaints(app: FastAPI) -> Iterator[str]:
    """A sentence for each route, and each part of a request, that the matrix leaves out."""
    reference = app.openapi()
    listed = {
        f"{method.upper()} {path}": operation
        for path, methods in reference["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }
    yield from lost(served(app), set(listed))
    for name, operation in listed.items():
        if name in {**CASES, **NOBODYS, **FIGURES, **OWN}:
            yield from unasked(name, operation, reference)
        elif name not in ELSEWHERE:
            yield f"{name} has no case: add to CASES in tests/tenancy/cases.py how it names things."
    for name in {*CASES, *NOBODYS, *FIGURES, *OWN} - {*listed, *UNLISTED}:
        yield f"{name} has cases and is no route: take it out of tests/tenancy/cases.py."


def served(app: FastAPI) -> set[str]:
    """Every route there is, in the reference or not."""
    found = set()
    for route in routes_of(app):
        kinds = route.methods if isinstance(route, APIRoute) else [type(route).__name__]
        found |= {f"{kind} {getattr(route, 'path', '?')}" for kind in kinds or ()}
    return found


def lost(routes: set[str], listed: set[str]) -> Iterator[str]:
    for route in sorted(routes - listed - UNLISTED):
        yield f"{route} is not in the reference: list it in UNLISTED in tests/tenancy/cases.py, with a case."
    for route in sorted(UNLISTED & listed):
        yield f"{route} is in the reference: take it out of UNLISTED in tests/tenancy/cases.py."


def unasked(name: str, operation: Json, reference: Json) -> Iterator[str]:
    """What a request to the route may hold that no case of it sends."""
    cases = CASES.get(name) or [{**FIGURES, **OWN}.get(name) or NOBODYS[name][1]]
    sent = {part for case in cases for part in names_of(case)}
    for part in sorted(set(parts(operation, reference))):
        if part not in IDS | OTHERS:
            yield f"{name} takes {part!r}: add it to IDS or to OTHERS in tests/tenancy/reference.py."
        elif name in CASES and part in IDS - sent:
            yield f"{name} takes {part!r}: add a case with somebody else's to tests/tenancy/cases.py."


def names_of(case: Case) -> Iterator[str]:
    yield from keys(case.query)
    yield from (header.lower() for header in case.headers)
    yield from keys(case.body)


def keys(value: Json) -> Iterator[str]:
    """The names under which something of somebody's stands."""
    if isinstance(value, Mapping):
        yield from (name for name, held in value.items() if b"$" in orjson.dumps(held))
    if isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from keys(part)


def parts(operation: Json, reference: Json) -> Iterator[str]:
    """The names of parameters, but for those of the path, and of all fields of the body."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] != "path":
            yield parameter["name"].lower()
    yield from fields(operation.get("requestBody", {}), reference, set())


def fields(schema: Json, reference: Json, seen: set[str]) -> Iterator[str]:
    if isinstance(schema, list):
        for one in schema:
            yield from fields(one, reference, seen)
    if not isinstance(schema, Mapping):
        return
    yield from schema.get("properties", ())
    if (pointer := schema.get("$ref")) and pointer not in seen:
        seen.add(pointer)
        yield from fields(reference["components"]["schemas"][pointer.rsplit("/", 1)[1]], reference, seen)
    for part in schema.values():
        yield from fields(part, reference, seen)
