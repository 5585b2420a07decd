"""`holdfast check`: what langgraph.json would serve, said without serving it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from starlette.routing import Route

from holdfast.cli.doctor.project import try_out
from holdfast.lifetimes import strategy_of
from holdfast.project import Project, load_project, read_project
from holdfast.routes.custom import load_app
from holdfast.shape import FILE


async def check(config: Path, screen: Console) -> None:
    """Opens every graph once. Raises `StartError` with the first thing that cannot be served."""
    project = load_project(config)
    for spec in project.graphs.values():
        await try_out(spec)
        screen.print(f"graph {spec.graph_id}: assistant {spec.assistant_id}")
        if spec.description:
            screen.print(f"  {spec.description}")
    for line in describe(project, read_project(config)):
        screen.print(line)


def describe(project: Project, config: Mapping[str, Any]) -> Iterator[str]:
    for cron in project.crons:
        yield f"cron {cron.name}: {cron.graph} at {cron.schedule} {cron.timezone or 'UTC'}"
    if project.auth:
        yield "callers are let in by the project's own auth"
    if hooks := project.hooks.names:
        yield f"hooks: {', '.join(hooks)}"
    if app := load_app(project):
        served = [
            f"{'|'.join(sorted((route.methods or set()) - {'HEAD'}))} {route.path}"
            for route in app.routes
            if isinstance(route, Route) and route.include_in_schema
        ]
        yield f"routes of {project.http.app}: {', '.join(served) or 'none'}"
    yield describe_kept(project.ttl_minutes)
    unread = sorted(FILE.unread(config))
    if ignored := [key.path for key in unread if key.effect != "unknown"]:
        yield f"without effect here: {', '.join(ignored)}"
    if unknown := [key.path for key in unread if key.effect == "unknown"]:
        yield f"unknown: {', '.join(unknown)}"


def describe_kept(minutes: float | None) -> str:
    """How long threads are kept; `minutes` as `lifetimes` has it."""
    if not minutes:
        return "threads are kept until they are deleted"
    if strategy_of(minutes) == "delete":
        return f"threads are kept for {minutes:g} minutes after their last change"
    return f"threads are kept, and {-minutes:g} minutes after a change all but the latest checkpoint goes"
