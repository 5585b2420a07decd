"""Marked secrets in every place that a request has, and a search for them in all that the processes write."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import orjson

from tests.chaos.sites import Report
from tests.chaos.valkeys import Valkey
from tests.chaos.zygote import Zygote
from tests.logs.asking import KINDS, MARK, Scene, answer_as_a_model, begin_a_run, left_open
from tests.servers import free_port, holdfast, wait_ready
from tests.waiting import wait_until

CONFIG = Path(__file__).parent / "served" / "langgraph.json"
PASSWORD = f"{MARK}-redis-password"
AT_ONCE = 8
SHOWN, LENGTH = 20, 300


class Guarded(Valkey):
    """A server with a user whose password is a secret."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "everysec")
        self.url = f"unix://keeper:{PASSWORD}@{folder / 'v.sock'}"

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        return super()._run([*command, "--user", "keeper", "on", f">{PASSWORD}", "~*", "&*", "+@all"])


@dataclass
class Heard:
    """All that a process has written, on either stream."""

    text: str = ""

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def logged(self) -> list[dict[str, object]]:
        return [orjson.loads(line) for line in self.lines if line.startswith("{")]


@asynccontextmanager
async def heard(*command: str, **environment: str) -> AsyncIterator[Heard]:
    """A process, told to stop at the end and heard until it has."""
    found = Heard()
    async with holdfast(*command, "--config", str(CONFIG), **environment) as process:
        assert process.stdout
        reading = asyncio.create_task(process.stdout.read())
        try:
            yield found
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            found.text = (await asyncio.wait_for(reading, 30)).decode(errors="replace")
            await process.wait()


@dataclass
class Outcome:
    processes: Mapping[str, Heard]
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    scene: Scene | None = None

    def secrets(self) -> set[str]:
        return {MARK.lower(), *(self.scene.tokens if self.scene else ())}

    def hits(self) -> list[str]:
        """Every line, and every answer to somebody else, that holds a secret."""
        said = [(name, line) for name, process in self.processes.items() for line in process.lines]
        told = [("somebody else", body) for body in (self.scene.told_to_others if self.scene else ())]
        return [
            f"{name}: {text}"
            for name, text in (*said, *told)
            if any(secret.lower() in text.lower() for secret in self.secrets())
        ]


async def play(requests: int, folder: Path, errors: Literal["types", "full"] = "types") -> Outcome:
    async with AsyncExitStack() as stack:
        short = stack.enter_context(TemporaryDirectory(prefix="hf-", dir="/tmp"))
        valkey = Guarded(Path(short))
        await valkey.start()
        stack.callback(valkey.kill)
        model = await stack.enter_async_context(await asyncio.start_server(answer_as_a_model, "127.0.0.1", 0))
        environment = {
            "REDIS_URL": valkey.url,
            "HOLDFAST_DATA": str(folder / "data"),
            "HOLDFAST_LOG_FORMAT": "json",
            "HOLDFAST_ACCESS_LOG": "on",
            "HOLDFAST_LOG_ERRORS": errors,
            "HOLDFAST_MAX_BODY_BYTES": "20000",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{model.sockets[0].getsockname()[1]}/v1",
            "OPENAI_API_KEY": f"{MARK}-model-key",
            "AGENT_MODEL_ATTEMPTS": "2",
            "AGENT_RETRY_WAIT_S": "0.05",
        }
        port = free_port()
        api = await stack.enter_async_context(heard("serve", "--port", str(port), **environment))
        worker = await stack.enter_async_context(heard("worker", **environment))
        url = f"http://127.0.0.1:{port}"
        await wait_ready(url)
        outcome = Outcome({"serve": api, "worker": worker})
        await drive(outcome, url, range(requests // 2))
        await without_redis(outcome, url, valkey)
        await drive(outcome, url, range(requests // 2, requests))
    return outcome


async def drive(outcome: Outcome, url: str, requests: range) -> None:
    """Requests of each kind in turn, several at once."""
    numbers = iter(requests)
    async with left_open(url, outcome.scene) as scene:
        outcome.scene = scene

        async def work() -> None:
            for number in numbers:
                kind = KINDS[number % len(KINDS)]
                status = await kind.ask(scene)
                outcome.statuses[f"{status}"] += 1
                if status not in kind.expected:
                    outcome.wrong.append(f"{kind.ask.__name__} was answered {status}")

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))


async def without_redis(outcome: Outcome, url: str, valkey: Valkey) -> None:
    """While a run is at work Redis goes away, is asked for in vain, and comes back."""
    async with left_open(url, outcome.scene, timeout=20) as scene:
        await begin_a_run(scene)
        valkey.kill()
        asked = [kind.ask(scene) for kind in KINDS if kind.without_redis]
        found = await asyncio.gather(*asked, return_exceptions=True)
        for path in ("/readyz", "/ok?check_db=1", "/info", "/livez"):
            scene.told_to_others.append((await scene.http.get(path)).text)
        await valkey.start()
        outcome.statuses.update(f"{one} without Redis" for one in found if isinstance(one, int))

        async def ready() -> bool:
            return (await scene.http.get("/readyz")).status_code == 200

        await wait_until(ready, "the server is ready again", 30, every_s=0.1)


async def leaks(_zygote: Zygote, folder: Path, share: float) -> Report:
    outcome = await play(max(50, round(1000 * share)), folder)
    report = Report(
        problems=[
            *(hit[:LENGTH] for hit in outcome.hits()[:SHOWN]),
            *sorted(set(outcome.wrong)),
            *silent(outcome),
        ]
    )
    report.figures |= {"requests": outcome.statuses.total(), "hits": len(outcome.hits())}
    report.figures |= {f"lines of {name}": len(heard.lines) for name, heard in outcome.processes.items()}
    report.figures |= {f"answered {status}": count for status, count in sorted(outcome.statuses.items())}
    return report


def silent(outcome: Outcome) -> list[str]:
    """What should have been logged and was not: a log that says nothing holds no secret either."""
    told = Counter(
        str(line["message"]) for process in outcome.processes.values() for line in process.logged()
    )
    expected = (
        *("request", "run failed", "unexpected error", "pub/sub connection lost"),
        *("something failed in the background", "a thread failed", "an exception could not be raised"),
        *("Python warns", "The model did not answer.", "Invalid HTTP request received."),
    )
    return [f"nothing was logged as: {message}" for message in expected if not told[message]]
