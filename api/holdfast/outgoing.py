"""`webhooks` of langgraph.json, the official key: where webhooks may go, and what headers they carry."""

import os
import re
from typing import Annotated, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from holdfast.http import Part

Domain = Annotated[str, Field(pattern=r"^(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
Port = Annotated[int, Field(ge=1, le=65535)]

VARIABLE = re.compile(r"\$\{\{\s*env\.(\w+)\s*\}\}")


class Addresses(Part):
    """Each rule holds beside what is true of every webhook here: its host is public."""

    # An address within the server is never called here, whatever this key says.
    WITHOUT_EFFECT: ClassVar = ("disable_loopback",)

    require_https: bool | None = None
    allowed_domains: list[Domain] | None = None
    allowed_ports: list[Port] | None = None
    max_url_length: Annotated[int, Field(ge=1)] | None = None

    def allows_host(self, host: str) -> bool:
        """Whether a host, in lower case, is one of the domains: `*.example.com` is all below it."""
        if self.allowed_domains is None:
            return True
        domains = [domain.lower() for domain in self.allowed_domains]
        return any(host.endswith(domain[1:]) if domain[0] == "*" else host == domain for domain in domains)


class Outgoing(Part):
    """`headers` may name variables, `${{ env.LG_WEBHOOK_KEY }}`: those that begin with `env_prefix`, so that
    a project's file cannot send away whatever the server knows."""

    env_prefix: Annotated[str, Field(min_length=1)] = "LG_WEBHOOK_"
    url: Addresses = Addresses()
    headers: dict[Name, str] = Field(default_factory=dict)

    @field_validator("headers")
    @classmethod
    def fill_in(cls, headers: dict[str, str], others: ValidationInfo) -> dict[str, str]:
        def variable(found: re.Match[str]) -> str:
            return read_variable(found[1], others.data.get("env_prefix", ""))

        filled = {name: VARIABLE.sub(variable, text) for name, text in headers.items()}
        if broken := [name for name, text in filled.items() if not text.isascii() or not text.isprintable()]:
            raise ValueError(f"the header {broken[0]} has characters that no header may have")
        return filled


def read_variable(name: str, prefix: str) -> str:
    if not prefix or not name.startswith(prefix):
        raise ValueError(f"{name} does not begin with {prefix}: no header may show it")
    if name not in os.environ:
        raise ValueError(f"the variable {name} is not set")
    return os.environ[name]


NO_RULES = Outgoing()
