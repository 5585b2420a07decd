"""Which keys langgraph.json may have, at any depth, and which of them nothing is done about."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, get_args

from holdfast.http import Http, Part
from holdfast.memory import StoreConfig
from holdfast.outgoing import Outgoing

logger = logging.getLogger(__name__)

Effect = Literal["unknown", "without effect", "needless"]


class Unread(NamedTuple):
    """A key that nothing is done about, by its path, as in `auth.paths`."""

    path: str
    effect: Effect


class Readable(Protocol):
    def unread(self, found: Any, above: str = "") -> Iterator[Unread]: ...


@dataclass(frozen=True)
class Shape:
    """An object: what is read of it, and which official keys are not, as `Part` has them.

    None is for what is no object, or one whose keys are looked at elsewhere.
    """

    read: Mapping[str, Readable | None]
    without_effect: tuple[str, ...] = ()
    needless: tuple[str, ...] = ()

    @classmethod
    def of(cls, part: type[Part]) -> "Shape":
        read = {name: inside(field.annotation) for name, field in part.model_fields.items()}
        return cls(read, part.WITHOUT_EFFECT, part.NEEDLESS)

    def unread(self, found: Any, above: str = "") -> Iterator[Unread]:
        for key, value in found.items() if isinstance(found, dict) else ():
            if key not in self.read:
                yield Unread(above + key, self._effect(key))
            elif shape := self.read[key]:
                yield from shape.unread(value, f"{above}{key}.")

    def _effect(self, key: str) -> Effect:
        if key in self.without_effect:
            return "without effect"
        return "needless" if key in self.needless else "unknown"


@dataclass(frozen=True)
class Each:
    """An object whose keys are names that the project gives, each for an object of the same shape."""

    shape: Shape

    def unread(self, found: Any, above: str = "") -> Iterator[Unread]:
        for name, value in found.items() if isinstance(found, dict) else ():
            yield from self.shape.unread(value, f"{above}{name}.")


def inside(annotation: Any) -> Shape | None:
    """The shape of a part within a part."""
    for one in (annotation, *get_args(annotation)):
        if isinstance(one, type) and issubclass(one, Part):
            return Shape.of(one)
    return None


def leaves(*names: str) -> dict[str, Readable | None]:
    return dict.fromkeys(names)


# What has expired goes by itself, however often it was to be looked for.
THREAD_TTL = Shape(leaves("default_ttl", "strategy"), needless=("sweep_interval_minutes", "sweep_limit"))
SERDE = Shape(leaves("allowed_msgpack_modules"), ("allowed_json_modules", "pickle_fallback"))
FILE = Shape(
    {
        **leaves("$schema", "env"),
        "graphs": Each(Shape(leaves("path", "graph", "description"))),
        "auth": Shape(leaves("path"), ("openapi", "cache"), ("disable_studio_auth",)),  # Studio signs in too
        "checkpointer": Shape({"ttl": THREAD_TTL, "serde": SERDE}, ("path",)),
        "holdfast": Shape(leaves("hooks", "crons")),
        "http": Shape.of(Http),
        "store": Shape.of(StoreConfig),
        "webhooks": Shape.of(Outgoing),
    },
    ("encryption",),
    (  # for those who build an image
        *("api_version", "base_image", "dependencies", "dockerfile_lines", "image_distro", "keep_pkg_tools"),
        *("node_version", "pip_config_file", "pip_installer", "python_version"),
        *("ui", "ui_config"),
    ),
)


def warn(config: Mapping[str, Any]) -> None:
    """Names what is mistyped, and what somebody may count on in vain."""
    for key in FILE.unread(config):
        if key.effect == "unknown":
            logger.warning("unknown key in langgraph.json", extra={"key": key.path})
        elif key.effect == "without effect":
            logger.warning("a key of langgraph.json has no effect here", extra={"key": key.path})
