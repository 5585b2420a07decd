"""What metrics and traces cost: `python -m bench.telemetry` prints it.

Four servers are up at once: one that tells nothing, one with metrics, one with metrics and traces as many as
by default, one with all traces. They are loaded in turn, for a moment each. What a run costs is the processor
time of the server and its Valkey, the ratio that of the sums of a round, and the figure the median of the
rounds.
"""

import http.server
import signal
import statistics
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bench import servers
from bench.load import Scenario, drive, streaming
from bench.memory import tree
from bench.rest import SUPPORT
from bench.servers import BENCH
from bench.streams import cpu_s

ROUNDS = 5
TURNS = 30  # of each server in a round: so short that what else the machine does is there for all
TURN_S = 0.2
AT_ONCE = 10
WARM_UP_S = 3.0
BAR = 3.0  # percent
WHERE_IS_IT = {"messages": [{"role": "user", "content": "Where is my order 12345?"}]}

Loads = dict[str, tuple[Path, Scenario]]
LOADS: Loads = {
    "an empty node": (BENCH, streaming("noop", ["values"])),
    "3 steps, 40 tokens": (BENCH, streaming("tokens", ["values", "messages-tuple"])),
    "the agent, a tool, two answers": (
        SUPPORT,
        streaming("support", ["values", "messages-tuple"], WHERE_IS_IT),
    ),
}
OFF, METRICS, BOTH, ALL = "off", "metrics", "metrics and traces", "metrics and all traces"
SERVERS = (OFF, METRICS, BOTH, ALL)


class Null(http.server.BaseHTTPRequestHandler):
    """Takes what collectors take, and looks at none of it."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@dataclass
class Spent:
    cpu_s: float = 0.0
    runs: int = 0

    @property
    def ms(self) -> float:
        """A run's."""
        return 1000 * self.cpu_s / self.runs


@dataclass(frozen=True)
class Loaded:
    """A server that is loaded."""

    port: int
    pid: int
    metrics_port: int | None

    def load(self, scenario: Scenario, seconds: float) -> int:
        """How many runs it did."""
        stage = drive(self.port, scenario, AT_ONCE, seconds)
        if stage.failed:
            raise RuntimeError(f"{stage.failed} runs did not end as they should")
        return len(stage.samples)

    def scrape(self) -> None:
        """Once a round: more often than is usual."""
        if self.metrics_port:
            httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics").raise_for_status()

    def cpu_s(self) -> float:
        return sum(map(cpu_s, tree(self.pid)))


@contextmanager
def collector() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Null) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def model(folder: Path) -> Iterator[str]:
    """The demo model in a process of its own: it is not what is measured."""
    port = servers.free_port()
    with servers.process([sys.executable, "-m", "graph.demo", "--port", str(port)], folder):
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def started(folder: Path, config: Path) -> Iterator[dict[str, Loaded]]:
    with ExitStack() as stack:
        agent = {"OPENAI_BASE_URL": stack.enter_context(model(folder / "model")), "OPENAI_API_KEY": "demo"}
        sent_to = f"http://127.0.0.1:{stack.enter_context(collector())}"
        traces = {"HOLDFAST_TRACES": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": sent_to}
        found = {}
        every = {**traces, "OTEL_TRACES_SAMPLER": "parentbased_always_on"}
        for name, told in zip(SERVERS, ({}, {}, traces, every), strict=True):
            port = None if name == OFF else servers.free_port()
            metrics = {"HOLDFAST_METRICS_PORT": str(port)} if port else {}
            settings = {**agent, **metrics, **told}
            at = folder / name.replace(" ", "-")
            server = stack.enter_context(servers.holdfast_dev(at, config, settings=settings))
            found[name] = Loaded(server.port, server.pids["dev"], port)
        yield found


def rounds(loaded: dict[str, Loaded], scenario: Scenario) -> Iterator[dict[str, Spent]]:
    """What a server spends while others are loaded is its own too: traces are sent now and then."""
    for server in loaded.values():
        server.load(scenario, WARM_UP_S)
    for _ in range(ROUNDS):
        spent = {name: Spent(-server.cpu_s()) for name, server in loaded.items()}
        for turn in range(TURNS):
            for name in rotated(list(loaded), turn):
                spent[name].runs += loaded[name].load(scenario, TURN_S)
        for name, server in loaded.items():
            server.scrape()
            spent[name].cpu_s += server.cpu_s()
        yield spent


def rotated(names: Sequence[str], by: int) -> list[str]:
    """So that none of them is always the first."""
    cut = by % len(names)
    return [*names[cut:], *names[:cut]]


def row(name: str, found: Sequence[dict[str, Spent]]) -> str:
    """The median of what a run costs, and of how much more that is than without."""
    ms = statistics.median(spent[name].ms for spent in found)
    if name == OFF:
        return f"{ms:.2f} | | |"
    more = [100 * (spent[name].ms / spent[OFF].ms - 1) for spent in found]
    median = statistics.median(more)
    each = ", ".join(f"{one:+.1f}" for one in more)
    return f"{ms:.2f} | {median:+.1f} % | {each} | {BAR:g} %: {'met' if median <= BAR else 'missed'}"


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that no server stays behind
    say = sys.stdout.write
    say("| load | server | CPU a run, ms | more | in each round, % | bar |\n|---|---|---|---|---|---|\n")
    for load, (config, scenario) in LOADS.items():
        with (
            TemporaryDirectory(prefix="hf-", ignore_cleanup_errors=True) as folder,
            started(Path(folder), config) as up,
        ):
            found = list(rounds(up, scenario))
        for name in SERVERS:
            say(f"| {load} | {name} | {row(name, found)} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
