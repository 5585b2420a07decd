"""Who Holdfast is measured beside, as far as this machine can have them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bench import peer, servers
from bench.measures import AEGRA, PEER
from bench.peer import NoPeer
from bench.servers import ROOT, Server

CACHE = ROOT / ".cache"


@dataclass(frozen=True, slots=True)
class Kind:
    """A peer: what pip installs for it, and how its program is started with a folder for its data."""

    name: str
    folder: Path
    requirements: tuple[str, ...]
    packages: tuple[str, ...]
    program: str
    start: Callable[[Path, Path], AbstractContextManager[Server]]
    python: str = ""
    on_postgres: bool = False

    def versions(self) -> dict[str, str]:
        return peer.versions(self.folder, self.packages)


KINDS = (
    Kind(
        PEER,
        CACHE / "bench-peer",
        (peer.REQUIREMENT,),
        peer.NAMES,
        "langgraph",
        servers.langgraph_dev,
    ),
    Kind(
        AEGRA,
        CACHE / "bench-aegra",
        ("aegra-cli", "aegra-api>=0.11,<0.12"),
        ("aegra-api", "langgraph", "langgraph-checkpoint-postgres"),
        "aegra",
        servers.aegra,
        python="3.12",
        on_postgres=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer that is installed."""

    kind: Kind
    program: Path

    def start(self, folder: Path) -> AbstractContextManager[Server]:
        return self.kind.start(folder, self.program)


Peers = Mapping[str, Peer]  # by name


def find_peers(tell: Callable[[str], None]) -> Peers:
    return {found.kind.name: found for found in find(tell)}


def find(tell: Callable[[str], None]) -> Iterator[Peer]:
    for kind in KINDS:
        try:
            if kind.on_postgres and find_spec("pgserver") is None:
                raise NoPeer(peer.NO_POSTGRES)
            python = peer.environment(kind.folder, kind.requirements, kind.python)
        except NoPeer as reason:
            tell(f"{kind.name} cannot be installed, so there is nothing of it to compare with: {reason}")
            continue
        yield Peer(kind, python.with_name(kind.program))
