"""Approvals: what a graph says of a request, and what a client sends about one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from holdfast.errors import Invalid
from holdfast.wire.common import Body, JsonObject, Uuid, sentence

ApprovalStatus = Literal["open", "decided", "expired", "superseded", "withdrawn"]
STATUSES = get_args(ApprovalStatus)
OWNER = "owner"  # among a policy's roles: whoever the thread belongs to

RequestId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._\-]{1,200}$")]


def named(roles: list[str]) -> list[str]:
    if not roles or not all(role.strip() for role in roles):
        raise ValueError("must name at least one role")
    return roles


Roles = Annotated[list[str], AfterValidator(named)]


class Escalation(BaseModel):
    """Who is asked when nobody has answered in time."""

    model_config = ConfigDict(extra="forbid", strict=True)

    escalate: Roles


class Policy(BaseModel):
    """Who may decide a request, how many have to, and until when: the `policy` of an interrupt's payload."""

    model_config = ConfigDict(extra="ignore")

    request_id: RequestId
    version: int | str = 1
    reason: str = ""
    roles: Roles = Field(default_factory=lambda: [OWNER])
    deciders: Annotated[int, Field(ge=1, le=100, strict=True)] = 1
    exclude_requester: bool = False
    expires_at: AwareDatetime | None = None
    remind_at: AwareDatetime | None = None
    on_expiry: Literal["reject"] | Escalation = "reject"
    edit_schema: JsonObject | None = None
    supersedes: str | None = None


def policy_of(payload: Any) -> Mapping[str, Any] | None:
    """What makes an interrupt's payload a request for approval: a policy that names it, or who decides."""
    policy = payload.get("policy") if isinstance(payload, Mapping) else None
    asks = isinstance(policy, Mapping) and policy.keys() & {"request_id", "roles", "deciders"}
    return policy if asks else None


def read_policy(given: Any) -> Policy:
    """Raises `Invalid` with what is wrong with a graph's policy."""
    try:
        return Policy.model_validate(given)
    except ValidationError as error:
        raise Invalid(f"The policy of a request is not well formed: {sentence(error)}.") from None


class ApprovalSearch(BaseModel):
    """Which approvals, and which of them: `min_age_s` is how long one has been waiting at least."""

    status: Literal[ApprovalStatus, "all"] = "open"
    role: str | None = None
    assignee: str | None = None
    graph_id: str | None = None
    action: str | None = None
    thread_id: Uuid | None = None
    min_age_s: Annotated[float, Field(ge=0)] = 0
    sort_by: Literal["due", "created_at"] = "due"
    limit: Annotated[int, Field(ge=1, le=1000)] = 20
    offset: Annotated[int, Field(ge=0)] = 0


class Claim(Body):
    """`seconds` is how long the request is to be the caller's."""

    seconds: Annotated[int, Field(ge=1, le=24 * 3600)] = 300


class Decide(BaseModel):
    """An answer in one of the forms in use; with `revision`, only to the request as it was then."""

    model_config = ConfigDict(extra="allow")

    revision: str | None = None

    @property
    def answer(self) -> dict[str, Any]:
        return self.model_extra or {}


class Vote(BaseModel):
    by: str
    at: datetime
    type: str


class ClaimShown(BaseModel):
    by: str
    until: datetime


class DecisionShown(BaseModel):
    """`value` is what the graph is given; `by` are those whose votes made it."""

    value: Any
    by: list[str]
    at: datetime


class ApprovalShown(BaseModel):
    """A request as lists and the feed show it. `revision` changes with everything that happens to it."""

    approval_id: str
    request_id: str
    thread_id: str
    run_id: str
    assistant_id: str
    graph_id: str
    interrupt_id: str
    status: ApprovalStatus
    revision: str
    title: str
    actions: list[str]
    facts: list[Any]
    reason: str
    version: int | str
    roles: list[str]
    deciders: int
    exclude_requester: bool
    requester: str
    owner: str
    created_at: datetime
    expires_at: datetime | None
    remind_at: datetime | None
    on_expiry: Any
    supersedes: str | None
    claim: ClaimShown | None
    votes: list[Vote]
    decision: DecisionShown | None


class Happening(BaseModel):
    """Something that was done to a request, and by whom ('' = by nobody: the clock, or the run)."""

    at: datetime
    kind: str
    by: str
    said: Any = None


class ApprovalDetail(ApprovalShown):
    """`question` is the interrupt's payload: `action_requests`, `review_configs`, `display`, `policy`."""

    question: Any
    history: list[Happening]
