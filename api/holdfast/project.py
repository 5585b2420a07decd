"""langgraph.json: what is served here. The only joint between the platform and a project."""

import inspect
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, fields
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import orjson
from langchain_core.embeddings import Embeddings
from langchain_core.runnables import RunnableConfig
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph_sdk import Auth
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from holdfast.allowed_types import NO_TYPES, AllowedTypes, read_allowed
from holdfast.errors import AssistantNotFound, Invalid, StartError
from holdfast.exits import contained
from holdfast.hooks import NO_HOOKS, Hooks
from holdfast.http import NO_HTTP, Http, Part
from holdfast.imports import imported, load_target, reason
from holdfast.lifetimes import read_ttl
from holdfast.memory import NO_STORE, StoreConfig, load_embeddings
from holdfast.outgoing import NO_RULES, Outgoing
from holdfast.schedules import read_schedule
from holdfast.shape import warn

# The namespace in which Agent Servers derive the id of a graph's own assistant from the graph's name.
id_of_graph = cache(partial(uuid.uuid5, uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")))

Read = TypeVar("Read", bound=Part)
Factory = Callable[..., Any]


@dataclass(frozen=True)
class GraphSpec:
    """A graph of langgraph.json: compiled, to be compiled, or made for each run by a factory."""

    graph_id: str
    target: Any
    description: str | None = None

    @property
    def assistant_id(self) -> str:
        return str(id_of_graph(self.graph_id))

    @asynccontextmanager
    async def open(self, config: RunnableConfig) -> AsyncIterator[Pregel[Any, Any, Any, Any]]:
        """The graph, compiled; for as long as the context of a factory lasts. Raises `GraphExit`."""
        with contained():
            async with self._made(config) as graph:
                yield graph

    @asynccontextmanager
    async def _made(self, config: RunnableConfig) -> AsyncIterator[Pregel[Any, Any, Any, Any]]:
        made = self.target
        if not isinstance(made, Pregel | StateGraph):
            made = made(config) if inspect.signature(made).parameters else made()
        if isinstance(made, AbstractAsyncContextManager):
            async with made as graph:
                yield compiled(self.graph_id, graph)
            return
        if inspect.isawaitable(made):
            made = await made
        yield compiled(self.graph_id, made)


def compiled(graph_id: str, graph: Any) -> Pregel[Any, Any, Any, Any]:
    if isinstance(graph, StateGraph):
        graph = graph.compile()
    if not isinstance(graph, Pregel):
        raise StartError(
            f"Graph {graph_id!r} is a {type(graph).__name__}: langgraph.json must name a compiled graph, a "
            "StateGraph, or a function that returns one."
        )
    return graph


class DeclaredCron(BaseModel):
    """A cron that langgraph.json asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    graph: str
    schedule: str
    timezone: str | None = None
    input: Any = Field(default_factory=dict)


@dataclass(frozen=True)
class Project:
    folder: Path
    graphs: dict[str, GraphSpec]
    ttl_minutes: float | None  # as `lifetimes` has it
    env_file: Path | None
    auth: Auth | None = None
    hooks: Hooks = NO_HOOKS
    crons: tuple[DeclaredCron, ...] = ()
    http: Http = NO_HTTP
    store: StoreConfig = NO_STORE
    embeddings: Embeddings | None = None  # what `store.index.embed` names
    webhooks: Outgoing = NO_RULES
    allowed_types: AllowedTypes = NO_TYPES

    @property
    def first_graph(self) -> GraphSpec:
        return next(iter(self.graphs.values()))

    def graph(self, graph_id: str) -> GraphSpec:
        try:
            return self.graphs[graph_id]
        except KeyError:
            raise AssistantNotFound(f"Graph {graph_id!r} is not served here.") from None

    @property
    def ttl_s(self) -> int:
        return round((self.ttl_minutes or 0) * 60)


def read_project(path: Path) -> dict[str, Any]:
    """langgraph.json as it stands. Raises `StartError` with what is wrong with it."""
    try:
        config = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise StartError(f"{path} does not exist: name your langgraph.json with --config.") from None
    except (OSError, orjson.JSONDecodeError) as error:
        raise StartError(f"{path} cannot be read: {error}.") from error
    if not isinstance(config, dict):
        raise StartError(f"{path} must hold a JSON object.")
    graphs = config.get("graphs")
    if not isinstance(graphs, dict) or not graphs:
        raise StartError(f'{path} names no graphs: add "graphs": {{"agent": "./agent.py:graph"}}.')
    return config


def env_file(path: Path) -> Path | None:
    """The file with the project's environment, when langgraph.json names one."""
    env = read_project(path).get("env")
    return path.parent / env if isinstance(env, str) and env else None


def load_project(path: Path) -> Project:
    """Imports every graph of langgraph.json. Raises `StartError`."""
    config = read_project(path)
    warn(config)
    ttl_minutes, allowed_types = read_ttl(path, config), read_allowed(path, config)
    folder = path.resolve().parent
    # The folder goes on the path and graphs are imported under their dotted names: a graph loaded by its file
    # would be a second copy of its module, and could not use relative imports.
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    graphs = {name: load_graph(folder, name, entry) for name, entry in config["graphs"].items()}
    auth = load_auth(folder, config.get("auth"))
    own = read_own(path, config)
    hooks, crons = load_hooks(path, folder, own), read_crons(path, own, graphs)
    store = read_part(path, config, "store", StoreConfig)
    return Project(
        folder,
        graphs,
        ttl_minutes,
        env_file(path),
        auth,
        hooks,
        crons,
        read_part(path, config, "http", Http),
        store,
        load_embeddings(folder, store.index),
        read_part(path, config, "webhooks", Outgoing),
        allowed_types,
    )


def read_own(path: Path, config: Any) -> dict[str, Any]:
    """What stands under the key `holdfast`, which is ours. Raises `StartError`."""
    own = config.get("holdfast") or {}
    if not isinstance(own, dict):
        raise StartError(f'{path}: "holdfast" must be an object, as in {{"hooks": "package.module"}}.')
    return own


def read_part(path: Path, config: Any, name: str, part: type[Read]) -> Read:
    """What stands under an official key. Raises `StartError`."""
    try:
        return part.model_validate({} if config.get(name) is None else config[name])
    except ValidationError as error:
        raise StartError(f'{path}: "{name}" cannot be read: {reason(error)}.') from error


def load_auth(folder: Path, entry: Any) -> Auth | None:
    """The `langgraph_sdk.Auth` that `auth.path` names. Raises `StartError`."""
    if entry is None:
        return None
    path = entry.get("path") if isinstance(entry, dict) else entry
    if not path:
        raise StartError('"auth" has no "path": name a langgraph_sdk.Auth, as in {"path": "./auth.py:auth"}.')
    target = load_target(folder, '"auth"', path)
    if not isinstance(target, Auth):
        raise StartError(f'"auth": {path} is a {type(target).__name__}: it must be a langgraph_sdk.Auth.')
    return target


def load_graph(folder: Path, name: str, entry: Any) -> GraphSpec:
    described = entry if isinstance(entry, dict) else {"path": entry}
    target = load_target(folder, f"Graph {name!r}", described.get("path") or described.get("graph"))
    if not callable(target) and not isinstance(target, Pregel | StateGraph):
        compiled(name, target)
    return GraphSpec(name, target, described.get("description"))


def read_crons(
    path: Path, own: Mapping[str, Any], graphs: Mapping[str, GraphSpec]
) -> tuple[DeclaredCron, ...]:
    """What `holdfast.crons` lists. Raises `StartError`."""
    listed = own.get("crons", [])
    try:
        crons = TypeAdapter(tuple[DeclaredCron, ...]).validate_python(tuple(listed))
        for cron in crons:
            read_schedule(cron.schedule, cron.timezone)
    except (TypeError, ValidationError, Invalid) as error:
        raise StartError(f'{path}: "crons" cannot be read: {reason(error)}.') from error
    for cron in crons:
        if cron.graph not in graphs:
            raise StartError(
                f"{path}: the cron {cron.name!r} runs {cron.graph!r}, which is no graph of this file."
            )
    if len({cron.name for cron in crons}) < len(crons):
        raise StartError(f'{path}: each of "crons" must have a name of its own.')
    return crons


def load_hooks(path: Path, folder: Path, own: Mapping[str, Any]) -> Hooks:
    """The module that `holdfast.hooks` names; no hooks without it. Raises `StartError`."""
    source = own.get("hooks", "")
    if not isinstance(source, str):
        raise StartError(
            f'{path}: "hooks" must be the name of a module, as in {{"hooks": "package.module"}}.'
        )
    if not source:
        return NO_HOOKS
    module = imported(folder, "The hooks", source)
    found = {field.name: getattr(module, field.name, None) for field in fields(Hooks)}
    for name, hook in found.items():
        if hook is not None and not inspect.iscoroutinefunction(hook):
            raise StartError(f"The hooks: {name} in {source} must be an async function.")
    return Hooks(**found)
