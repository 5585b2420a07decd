"""Every error of the platform: the tree first, each docstring the sentence that a caller reads.

HoldfastError
├── BadRequest 400
├── Unauthorized 401
│   └── InvalidToken
├── Forbidden 403
│   └── ScopeMissing
├── Refused           (by the project's own rules: status and sentence are theirs)
├── NotFound 404
│   ├── ThreadNotFound
│   ├── RunNotFound
│   ├── ApprovalNotFound
│   ├── CronNotFound
│   └── AssistantNotFound
├── Conflict 409
│   ├── ThreadExists
│   ├── AssistantExists
│   ├── ItemTaken
│   ├── ThreadBusy
│   ├── NothingToCopy
│   ├── Held
│   ├── NotHeld
│   ├── NotRetryable
│   ├── Contended
│   └── NothingPending
│       └── Decided
├── TooLarge 413
├── Invalid 422
│   ├── Unstorable
│   └── TargetRefused
├── TooMany 429
│   ├── RateLimited
│   ├── TooManyRuns
│   ├── TooManyStreams
│   ├── TooManyItems
│   └── TokensSpent
├── Unavailable 503
├── Unreadable 500
├── IncompatibleGraph (a run ends with it: its graph has changed under it)
├── Fenced            (never reaches a caller: the worker lost its thread)
└── StartError        (one sentence for the terminal, exit code 2)
"""

import math
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, ClassVar

NOTHING: Mapping[str, Any] = MappingProxyType({})
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def words(value: object, form: Callable[[object], str] = str) -> str:
    """What an exception says of itself, or anything else, as text that can be written down.

    Its `__str__` or `__repr__` may be a project's own code, and raise.
    """
    try:
        said = form(value)
    except Exception:  # whatever it raises
        said = f"<{type(value).__name__} whose {form.__name__}() failed>"
    return said.encode("utf-8", "replace").decode()


def challenge(scheme: str) -> Mapping[str, str]:
    return MappingProxyType({"WWW-Authenticate": scheme})


class HoldfastError(Exception):
    """Something went wrong."""

    status: int = 500
    code: ClassVar[str] = "internal_error"
    headers: Mapping[str, str] = NO_HEADERS
    more: Mapping[str, Any] = NOTHING  # what else a caller is told, beside `detail` and `code`

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        super().__init__(self.detail)


class BadRequest(HoldfastError):
    """The request cannot be carried out as it stands."""

    status = 400
    code = "bad_request"


class Unauthorized(HoldfastError):
    """Who is calling is not known: send a valid token."""

    status = 401
    code = "unauthorized"
    headers = challenge('Bearer realm="holdfast"')


class InvalidToken(Unauthorized):
    """The token is not valid: get a new one."""

    code = "invalid_token"
    headers = challenge('Bearer realm="holdfast", error="invalid_token"')


class Forbidden(HoldfastError):
    """The caller may not do this."""

    status = 403
    code = "forbidden"


class ScopeMissing(Forbidden):
    """This API key may read and not write: use one that was created with --scope write."""

    code = "insufficient_scope"
    headers = challenge('Bearer realm="holdfast", error="insufficient_scope", scope="write"')


class Refused(HoldfastError):
    """The project's own rules refuse this."""

    code = "refused"

    def __init__(
        self, status: int, detail: str | None = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> None:
        super().__init__(detail)
        self.status = status
        asked = Unauthorized.headers if status == HTTPStatus.UNAUTHORIZED else NO_HEADERS
        self.headers = {**asked, **headers}


class NotFound(HoldfastError):
    """There is no such thing."""

    status = 404
    code = "not_found"


class ThreadNotFound(NotFound):
    """Thread not found: create it first or check its id."""

    code = "thread_not_found"


class RunNotFound(NotFound):
    """Run not found on this thread."""

    code = "run_not_found"


class ApprovalNotFound(NotFound):
    """Approval not found: its id is `<thread_id>:<request_id>`."""

    code = "approval_not_found"


class CronNotFound(NotFound):
    """Cron not found: check its id."""

    code = "cron_not_found"


class AssistantNotFound(NotFound):
    """Assistant not found: use an assistant id, or the name of a graph in langgraph.json."""

    code = "assistant_not_found"


class Conflict(HoldfastError):
    """The thing is not in a state that allows this."""

    status = 409
    code = "conflict"


class ThreadExists(Conflict):
    """A thread with this id exists already: send if_exists=do_nothing to use it."""

    code = "thread_exists"


class AssistantExists(Conflict):
    """An assistant with this id exists already: send if_exists=do_nothing to use it."""

    code = "assistant_exists"


class ItemTaken(Conflict):
    """An item of this key is somebody else's: choose another key or namespace."""

    code = "item_taken"


class ThreadBusy(Conflict):
    """A run is active on this thread: wait for it, cancel it, or choose another multitask_strategy."""

    code = "thread_busy"


class NothingToCopy(Conflict):
    """Thread not found: there is nothing to copy."""

    code = "thread_not_found"


class Held(Conflict):
    """Somebody else has taken this thread over."""

    code = "held"

    def __init__(self, hold: Mapping[str, Any]) -> None:
        super().__init__(f"{hold['by']} has had this thread since {hold['since']}.")
        self.more = {"hold": hold}


class NotHeld(Conflict):
    """No person is asked for on this thread, and none has it."""

    code = "not_held"


class NotRetryable(Conflict):
    """Only a run that has failed, and after which nothing was run on its thread, can be tried again."""

    code = "not_retryable"


class Contended(Conflict):
    """Others change this all the time, so nothing was changed: try again in a moment."""

    code = "contended"


class NothingPending(Conflict):
    """The request that this answers is not waiting any more."""

    code = "no_such_interrupt"


class Decided(NothingPending):
    """The request that this answers was decided: says by whom and when."""

    def __init__(self, request_id: str, by: Sequence[str], at: str) -> None:
        what = f"was decided by {', '.join(by)}" if by else "expired"
        super().__init__(f"This request {what} at {at}.")
        self.request_id = request_id


class TooLarge(HoldfastError):
    """The request body is too large."""

    status = 413
    code = "too_large"


class Invalid(HoldfastError):
    """The request is not well formed."""

    status = 422
    code = "invalid"


class Unstorable(Invalid):
    """The value cannot be stored so that it comes back as it was."""

    code = "unstorable_value"


class TargetRefused(Invalid):
    """This address may not be called: use https and a host that everybody can reach."""

    code = "target_refused"


class TooMany(HoldfastError):
    """Too many requests: try again later."""

    status = 429
    code = "too_many"

    def __init__(self, detail: str | None = None, retry_after_s: float = 1) -> None:
        super().__init__(detail)
        self.retry_after_s = max(1, math.ceil(retry_after_s))


class RateLimited(TooMany):
    """Too many requests in a short time: try again in a moment."""

    code = "rate_limited"


class TooManyRuns(TooMany):
    """Too many runs are waiting or running: try again when one has ended."""

    code = "too_many_runs"


class TooManyStreams(TooMany):
    """Too many streams are open: close one first."""

    code = "too_many_streams"


class TooManyItems(TooMany):
    """A tenant may have no more items: delete some, or have HOLDFAST_MAX_ITEMS_OF_TENANT raised."""

    code = "too_many_items"


class TokensSpent(TooMany):
    """The tokens of models that a caller may use a day are used: try again tomorrow."""

    code = "token_budget_spent"


class Unavailable(HoldfastError):
    """The server cannot do this for the moment: try again."""

    status = 503
    code = "unavailable"

    def __init__(self, detail: str | None = None, reason: str = "") -> None:
        super().__init__(detail)
        self.reason = reason


class Unreadable(HoldfastError):
    """Stored state cannot be read: it was changed outside of Holdfast, or its types are gone."""

    code = "unreadable_state"


class IncompatibleGraph(HoldfastError):
    """The graph has changed so that it cannot go on where this thread was left."""

    code = "incompatible_graph"


class Fenced(HoldfastError):
    """This worker no longer holds the thread: another one has claimed it."""

    code = "fenced"


class StartError(HoldfastError):
    """Holdfast cannot start."""

    code = "start_error"
