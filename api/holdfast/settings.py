"""Settings: read once at the edge from the environment and `.env`, then frozen."""

import os
from base64 import b64decode
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args
from urllib.parse import urlencode

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.functional_validators import AfterValidator, BeforeValidator

from holdfast.errors import StartError

PREFIX = "HOLDFAST_"


def split_names(value: object) -> object:
    return (
        tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value
    )


# What webhooks are told.
WebhookEvent = Literal[
    "run.ended", "approval.requested", "approval.voted", "approval.decided", "approval.expired"
]
EVENTS: tuple[WebhookEvent, ...] = get_args(WebhookEvent)
SECRET_BYTES = range(24, 65)  # as the Standard Webhooks specification has them


class StandingWebhook(NamedTuple):
    """An address that is told of all that happens, or of the events that match one of the patterns."""

    url: str
    patterns: tuple[str, ...] = ("*",)

    def wants(self, event: WebhookEvent) -> bool:
        return any(fnmatchcase(event, pattern) for pattern in self.patterns)


def read_webhook(text: Any) -> Any:
    """`https://host/path run.ended approval.*`: an address, and after it the events it is told of."""
    if not isinstance(text, str):
        return text
    url, *patterns = text.split()
    for pattern in patterns:
        if not any(fnmatchcase(event, pattern) for event in EVENTS):
            raise ValueError(f"{pattern} is no event: the events are {', '.join(EVENTS)}")
    return StandingWebhook(url, tuple(patterns) or ("*",))


def read_secret(text: str) -> bytes:
    """The key in a secret such as `whsec_MfKQ...`. Raises ValueError."""
    key = b64decode(text.removeprefix("whsec_"), validate=True)
    if len(key) not in SECRET_BYTES:
        raise ValueError("a secret has 24 to 64 bytes")
    return key


def check_secret(text: str) -> str:
    try:
        read_secret(text)
    except ValueError:
        raise ValueError("a secret is `whsec_` and 24 to 64 random bytes in base64") from None
    return text


Names = Annotated[tuple[str, ...], BeforeValidator(split_names)]
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")]
PublicUrl = Annotated[str, Field(pattern=r"^https?://[^/\s]+(/[^\s?#]*)?$")]
Origins = Annotated[tuple[Origin, ...], BeforeValidator(split_names)]
Webhooks = Annotated[
    tuple[Annotated[StandingWebhook, BeforeValidator(read_webhook)], ...], BeforeValidator(split_names)
]
Secrets = Annotated[tuple[Annotated[str, AfterValidator(check_secret)], ...], BeforeValidator(split_names)]
Ports = Annotated[tuple[Annotated[int, Field(ge=1, le=65_535)], ...], BeforeValidator(split_names)]
Seconds = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """Every setting of the platform; the environment variable is the name in capitals after `HOLDFAST_`.

    Two have names of their own, because other programs use them too: `REDIS_URL` and `CHECKPOINTER`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    redis_ca: Path | None = Field(
        None,
        description="Authority whose certificates a `rediss://` server may have, beside the system's: a file",
    )
    redis_url: str | None = Field(
        None, repr=False, description="Redis or Valkey server; `dev` starts its own without it"
    )
    checkpointer: Literal["holdfast", "langgraph-checkpoint-redis"] = Field(
        "holdfast", description="Which checkpointer keeps the state of threads"
    )
    data: Path = Field(Path(".holdfast"), description="Folder of the embedded server's data")
    prefix: str = Field("holdfast", pattern=r"^[A-Za-z0-9_.-]+$", description="First part of every Redis key")
    lanes: int = Field(1, ge=1, le=1024, description="Shards of threads; 16 or more on a cluster")
    auth: Literal["dev", "jwt", "spiffe", "gateway", "keys", "project"] = Field(
        "dev", description="How callers are known: see security.md; `dev` works on loopback only"
    )
    dev_subject: str = Field("demo", description="Who calls without a token under `HOLDFAST_AUTH=dev`")
    dev_roles: Names = Field(("operator",), description="The roles of that caller, separated by commas")
    staff_roles: Names = Field(("operator",), description="Roles that may use every thread of their tenant")
    hold_roles: Names = Field(
        ("operator",), description="Roles that may take a thread over, beside those of staff; see hand-off.md"
    )
    admin_roles: Names = Field((), description="Roles that may erase a person of their tenant")
    default_tenant: str | None = Field(
        None,
        min_length=1,
        description="Tenant of callers whose sign-in names none; without it they are refused",
    )
    jwt_issuer: str | None = Field(None, description="Who must have issued a token (`iss`)")
    jwt_audience: str | None = Field(None, description="Whom a token must be meant for (`aud`)")
    jwt_strict_audience: bool = Field(
        True, description="Refuse tokens that are meant for others too, and `aud` as a list"
    )
    jwt_secret: str | None = Field(
        None, repr=False, description="Secret that tokens are signed with, 32 bytes or more"
    )
    jwt_jwks_url: str | None = Field(
        None, description="Address of the issuer's key set; `https`, or loopback"
    )
    jwt_jwks_file: Path | None = Field(None, description="The key set as a file")
    jwt_refresh_s: Seconds = Field(300.0, ge=1, description="Seconds between two readings of a key set")
    jwt_algorithms: Names = Field(
        (),
        description="Signatures that count; else HS256 for a secret, and RS256, PS256, ES256, EdDSA for keys",
    )
    jwt_types: Names = Field(
        ("JWT", "at+jwt"), description="What a token's `typ` may be; `absent` allows tokens without one"
    )
    jwt_max_lifetime_s: Seconds = Field(
        86_400.0, description="Longest time from a token's `iat` to its `exp`"
    )
    jwt_leeway_s: float = Field(5.0, ge=0, le=300, description="Seconds that clocks may differ")
    jwt_roles_claim: str = Field(
        "roles", description="Claim with the roles, such as `realm_access.roles`; a list, or words in a text"
    )
    jwt_tenant_claim: str = Field("tenant", description="Claim with the tenant")
    spiffe_trust_domain: str | None = Field(None, description="Trust domain whose workloads may call")
    spiffe_bundle: Path | None = Field(None, description="The trust domain's bundle of JWT keys, as a file")
    spiffe_audience: str | None = Field(None, description="Whom a JWT-SVID must be meant for (`aud`)")
    gateway_addresses: Names = Field(
        (), description="Addresses or networks (CIDR) of the gateways that may say who is calling"
    )
    gateway_subject_header: str = Field(
        "X-Forwarded-User", description="Header in which a gateway says who is calling"
    )
    gateway_tenant_header: str = Field("X-Forwarded-Tenant", description="Header with the caller's tenant")
    gateway_roles_header: str = Field(
        "X-Forwarded-Groups", description="Header with the caller's roles, separated by commas"
    )
    lease_s: Seconds = Field(4.0, ge=0.5, description="Seconds until a silent worker's runs pass to another")
    concurrency: int = Field(200, ge=1, description="Runs that one worker has at once")
    max_attempts: int = Field(
        3, ge=1, description="Attempts after which a run that ends its worker is given up"
    )
    run_timeout_s: Seconds = Field(3600.0, description="Seconds that one attempt at a run may take")
    grace_s: Seconds = Field(
        10.0, description="Seconds that a stopping process gives its runs to reach a step"
    )
    max_runs: int = Field(20_000, ge=0, description="Runs that may wait or run at once; 0 is no limit")
    max_runs_of_tenant: int = Field(10_000, ge=0, description="The same for the runs of one tenant")
    max_runs_of_caller: int = Field(5_000, ge=0, description="The same for the runs of one caller")
    max_crons_of_tenant: int = Field(
        1000, ge=1, description="Crons that a tenant may have; more are refused with 429"
    )
    max_assistants_of_tenant: int = Field(
        1000, ge=1, description="Assistants that a tenant may have; more are refused with 429"
    )
    max_items_of_tenant: int = Field(
        100_000, ge=0, description="Items that a tenant may have in the store; 0 is no limit"
    )
    events_keep_s: int = Field(600, ge=1, description="Seconds that a run's events are kept after its end")
    rate_of_caller: Rate = Field(0, description="Requests a second of one caller; 0 is no limit")
    burst_of_caller: int = Field(
        0, ge=0, description="Requests of one caller at once after a pause; 0 is those of two seconds"
    )
    rate_of_tenant: Rate = Field(0, description="Requests a second of all callers of a tenant; 0 is no limit")
    burst_of_tenant: int = Field(
        0, ge=0, description="Requests of a tenant at once after a pause; 0 is those of two seconds"
    )
    max_streams_of_caller: int = Field(
        0, ge=0, description="Streams of one caller open at once; 0 is no limit"
    )
    max_streams_of_tenant: int = Field(0, ge=0, description="The same for the streams of one tenant")
    daily_tokens_of_caller: int = Field(
        0, ge=0, description="Tokens of models that one caller may use a day (UTC); 0 is no limit"
    )
    send_timeout_s: Seconds = Field(
        30.0, description="Seconds that a client may take nothing of its answer before it is cut"
    )
    max_body_bytes: int = Field(8 * 1024 * 1024, ge=1024, description="Largest request body")
    max_messages: int = Field(1000, ge=0, description="Messages in one input; 0 is no limit")
    max_message_chars: int = Field(
        1_000_000, ge=0, description="Longest text of one message, in characters; 0 is no limit"
    )
    redact: Literal["off", "cards", "emails", "cards,emails"] = Field(
        "off", description="What is taken out of events before they are logged and streamed"
    )
    webhooks: Webhooks = Field(
        (),
        repr=False,  # the address may hold a secret
        description="Addresses told of events, separated by commas; after each, its events, else all: "
        "`https://host/path run.ended approval.*`",
    )
    webhook_secrets: Secrets = Field(
        (),
        repr=False,
        description="What webhooks are signed with, `whsec_` and base64, the newest first; without it a "
        "secret of the installation's own",
    )
    webhook_attempts: int = Field(8, ge=1, le=30, description="Attempts to deliver to a webhook")
    webhook_retry_s: Seconds = Field(
        5.0, description="Seconds to wait after the first attempt; four times as long after each further one"
    )
    webhook_timeout_s: Seconds = Field(10.0, le=120, description="Seconds that a webhook has to answer")
    webhook_keep_s: Seconds = Field(604_800.0, description="Seconds that what could not be delivered is kept")
    webhook_http: bool = Field(False, description="Allow webhooks without TLS")
    webhook_ports: Ports = Field((443, 80), description="Ports that webhooks may be at")
    webhook_allow: Names = Field(
        (),
        description="Hosts and networks (CIDR) that webhooks may be in although they are not public",
    )
    cors_origins: Origins = Field(
        ("*",),
        description="Pages that may call from a browser, as `https://host`, separated by commas; `*` is any",
    )
    public_url: PublicUrl | None = Field(
        None,
        description="Address at which clients reach the server, as `https://host`: agent cards and OAuth "
        "metadata name it",
    )
    allow_eviction: bool = Field(False, description="Start on a Redis that may evict what it keeps")
    log_format: Literal["text", "json"] = Field("text", description="How log lines are written")
    log_errors: Literal["types", "full"] = Field(
        "types",
        description="What log lines say of an exception: its type and place or, for development, all of it",
    )
    access_log: Literal["on", "off"] = Field("off", description="Whether each request is logged")
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65_535,
        description="Port of metrics and probes; without it there are none: see metrics.md",
    )
    metrics_host: str = Field("127.0.0.1", description="Address of that port")
    traces: Literal["off", "otlp"] = Field(
        "off", description="Where traces go: to a collector by OTLP, see traces.md, or nowhere"
    )
    traces_a_second: float = Field(
        10,
        gt=0,
        description="How many new traces a process keeps in a second; `OTEL_TRACES_SAMPLER` goes before",
    )

    @field_validator("redis_url")
    @classmethod
    def trust(cls, url: str | None, info: ValidationInfo) -> str | None:
        """With the authority whose certificates are trusted, as redis-py takes it."""
        authority = info.data.get("redis_ca")
        if url is None or authority is None:
            return url
        if not url.startswith("rediss"):
            raise ValueError("HOLDFAST_REDIS_CA is for rediss://, this address has no TLS")
        return f"{url}{'&' if '?' in url else '?'}{urlencode({'ssl_ca_certs': authority})}"

    def told_of(self, event: WebhookEvent) -> list[str]:
        """The addresses of the standing webhooks that want an event."""
        return [webhook.url for webhook in self.webhooks if webhook.wants(event)]


# What commands say to a server on the way to it: no settings, but they may stand in the same environment.
OF_CLIENTS = ("HOLDFAST_URL", "HOLDFAST_API_KEY", "HOLDFAST_TOKEN")

OWN_NAMES = {"redis_url": "REDIS_URL", "checkpointer": "CHECKPOINTER"}


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return OWN_NAMES.get(field, PREFIX + field.upper())


def read_settings(environment: Mapping[str, str] | None = None, env_file: Path | None = None) -> Settings:
    """Reads the settings; what the environment says goes before what the file says.

    Raises `StartError` for an unknown `HOLDFAST_` name or a value that does not fit.
    """
    given = {name: value for name, value in dotenv_values(env_file).items() if value} if env_file else {}
    given |= os.environ if environment is None else environment
    known = {variable(field): field for field in Settings.model_fields}
    for name in given:
        if name.startswith(PREFIX) and name not in known and name not in OF_CLIENTS:
            raise StartError(f"{name} is not a setting: the settings are {', '.join(sorted(known))}.")
    values = {known[name]: value for name, value in given.items() if name in known and value != ""}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        given_value = f"={values[field]!r}" if Settings.model_fields[field].repr else ""
        raise StartError(f"{variable(field)}{given_value} does not fit: {first['msg']}.") from error
