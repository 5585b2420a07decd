"""The project's own rules: the `@auth.on` handlers of the `langgraph_sdk.Auth` that langgraph.json names.

The handler that fits best decides: for this action on this resource, for all of the resource, for the
action on all resources, for everything. It says yes (None, True), no (False), or which things of the caller's
tenant may be used, by their metadata. Where there is no handler, the platform's own rule holds: a caller uses
what is the caller's, and staff what is their tenant's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal
from uuid import UUID

from langgraph_sdk import Auth
from langgraph_sdk.auth.types import AuthContext, Handler

from holdfast.auth.handlers import call
from holdfast.errors import Forbidden, words
from holdfast.redis.records import Caller, Condition

Resource = Literal["threads", "assistants", "crons", "store"]
Action = Literal[
    "create", "read", "update", "delete", "search", "create_run", "put", "get", "list_namespaces"
]
IDS = ("thread_id", "run_id", "assistant_id", "cron_id")

DENIED = "The project's rules do not allow this."


class User(Mapping[str, Any]):
    """A caller as handlers see it: what the project's sign-in told, as attributes and as keys."""

    def __init__(self, caller: Caller) -> None:
        self._told = {"display_name": caller.subject, "permissions": [], **describe_user(caller)}

    def __getattr__(self, name: str) -> Any:
        try:
            return self._told[name]
        except KeyError:
            raise AttributeError(f"The user has no {name!r}.") from None

    def __getitem__(self, name: str) -> Any:
        return self._told[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._told)

    def __len__(self) -> int:
        return len(self._told)


def describe_user(caller: Caller) -> dict[str, Any]:
    """A caller as graphs are told of it (`configurable.langgraph_auth_user`)."""
    return {
        **caller.user,
        "identity": caller.subject,
        "tenant": caller.tenant,
        "roles": list(caller.roles),
        "is_authenticated": True,
    }


class Rules:
    def __init__(self, auth: Auth | None) -> None:
        self._handlers: dict[tuple[str, str], list[Handler]] = auth._handlers if auth else {}
        self._for_all: list[Handler] = auth._global_handlers if auth else []

    async def admit(
        self, caller: Caller, resource: Resource, action: Action, value: dict[str, Any]
    ) -> Caller:
        """The caller, with the conditions under which this may be done; the handler may change `value`.

        A caller who was admitted before is not asked about again: what belongs to one request is one action.
        Raises `Forbidden` and `Refused`.
        """
        if caller.conditions is not None:
            return caller
        handler = self._find(resource, action)
        if handler is None:
            return caller
        for name in IDS:
            if isinstance(value.get(name), str):
                value[name] = UUID(value[name])
        user = User(caller)
        context = AuthContext(permissions=user.permissions, user=user, resource=resource, action=action)
        try:
            answer = await call(handler, {"ctx": context, "value": value})
        except AssertionError as error:  # as the official documentation writes a no
            raise Forbidden(words(error) or DENIED) from error
        return replace(caller, conditions=read_conditions(answer))

    def _find(self, resource: str, action: str) -> Handler | None:
        for place in ((resource, action), (resource, "*"), ("*", action)):
            if place in self._handlers:
                return self._handlers[place][-1]
        return self._for_all[-1] if self._for_all else None


def read_conditions(answer: Any) -> tuple[Condition, ...]:
    """Raises `Forbidden` for a no, and `TypeError` for an answer that is none: then nothing is allowed."""
    if answer is None or answer is True:
        return ()
    if answer is False:
        raise Forbidden(DENIED)
    if not isinstance(answer, Mapping):
        raise TypeError(
            f"An @auth.on handler returned {type(answer).__name__}: return None, a bool or a filter."
        )
    return tuple(one for field, asked in answer.items() for one in read_condition(field, asked))


def read_condition(field: str, asked: Any) -> Iterator[Condition]:
    if not isinstance(asked, Mapping):
        yield Condition(field, asked)
        return
    if not asked:
        raise TypeError(f"An @auth.on handler filters {field!r} by nothing.")
    for operator, value in asked.items():
        if operator not in ("$eq", "$contains"):
            raise TypeError(f"An @auth.on handler filters by {operator!r}: only $eq and $contains are known.")
        yield Condition(field, value, operator == "$contains")
