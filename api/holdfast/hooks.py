"""What the platform may ask of a project beside its graphs."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

# Items of the store, by the rest of their namespace and by their keys.
Shared = Mapping[tuple[str, ...], Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Hooks:
    """The hooks of a project; it need not have any.

    `erase` takes a person's data out of what the project itself keeps and says how much of each kind; it is
    told the subject and, if it names it, the `tenant`. `check` raises RuntimeError, with a sentence, while
    the project's own business cannot work. `share` says what the graphs of all tenants may read in the store.
    """

    erase: Callable[..., Awaitable[dict[str, int]]] | None = None
    check: Callable[[], Awaitable[None]] | None = None
    share: Callable[[], Awaitable[Shared]] | None = None

    @property
    def erases_by_tenant(self) -> bool:
        return self.erase is not None and "tenant" in inspect.signature(self.erase).parameters

    @property
    def names(self) -> list[str]:
        return [name for name, hook in vars(self).items() if hook is not None]


NO_HOOKS = Hooks()
