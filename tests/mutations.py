"""Takes mechanisms out, one at a time, and expects a test to go red: `make check-mutations`.

Each mutation is made in a copy of the project; the names of the tests that must notice stand beside it. These
must pass first with nothing taken out.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
SCRIPTS = "api/holdfast/redis/scripts"
TIMEOUT_S = 180
LISTED = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]


@dataclass(frozen=True)
class Mutation:
    name: str
    file: str
    old: str
    new: str
    tests: str


MUTATIONS = (
    Mutation(
        "an append compares no token",
        f"{SCRIPTS}/write.lua",
        "if at[1] ~= token then",
        "if false then",
        "tests/engine/test_queue.py",
    ),
    Mutation(
        "a worker claims by an entry that has passed to another",
        f"{SCRIPTS}/claim.lua",
        "if #redis.call('XPENDING'",
        "if 1 + #redis.call('XPENDING'",
        "tests/engine/test_claims.py",
    ),
    Mutation(
        "a second entry takes a thread from its worker",
        f"{SCRIPTS}/claim.lua",
        "held[2] ~= ARGV[2] then",
        "false then",
        "tests/engine/test_claims.py",
    ),
    Mutation(
        "a claim does not begin its lease",
        f"{SCRIPTS}/claim.lua",
        "  redis.call('XCLAIM'",
        "  local _ = (function() end)('XCLAIM'",
        "tests/engine/test_claims.py",
    ),
    Mutation(
        "a frozen worker that wakes up may write",
        f"{SCRIPTS}/checkpoint_common.lua",
        "if (redis.call('HGET', FENCE, 'token') or '') ~= token then",
        "if false then",
        "tests/chaos/test_chaos.py -k zombies",
    ),
    Mutation(
        "a run that is given up keeps its saver",
        "api/holdfast/checkpoint/saver.py",
        'self.token = "revoked"',
        "pass",
        "tests/chaos/test_drain.py",
    ),
    Mutation(
        "leases run out under work",
        f"{SCRIPTS}/renew.lua",
        "redis.call('XCLAIM'",
        "local _ = (function() end)('XCLAIM'",
        "tests/chaos/test_chaos.py -k takeovers",
    ),
    Mutation(
        "nobody takes over what a dead worker left",
        "api/holdfast/worker.py",
        "await self._start(await self._queue.reclaim(",
        "await self._start([] and await self._queue.reclaim(",
        "tests/chaos/test_chaos.py -k takeovers",
    ),
    Mutation(
        "the last run in line is claimed first",
        f"{SCRIPTS}/claim.lua",
        "redis.call('LINDEX', queue, 0)",
        "redis.call('LINDEX', queue, -1)",
        "tests/chaos/test_chaos.py -k chaos",
    ),
    Mutation(
        "an end compares no token",
        f"{SCRIPTS}/finish.lua",
        "if redis.call('HGET', thread, 'token') ~= token then",
        "if false then",
        "tests/engine/test_queue.py",
    ),
    Mutation(
        "a repeated append writes again",
        f"{SCRIPTS}/write.lua",
        "if written == from then",
        "if written >= from then",
        "tests/engine/test_queue.py",
    ),
    Mutation(
        "a repeated claim counts again",
        f"{SCRIPTS}/claim.lua",
        "if string.match(token, ':(.*)$') == ARGV[3] then",
        "if false then",
        "tests/engine/test_queue.py",
    ),
    Mutation(
        "a repeated end ends the next run too",
        f"{SCRIPTS}/finish.lua",
        "if redis.call('HGET', runs, run .. ':finished') == token then return {'ok'} end",
        "",
        "tests/engine/test_queue.py",
    ),
    Mutation(
        "parking does not look for a decision",
        f"{SCRIPTS}/finish.lua",
        "if #decided > 1 then return decided end",
        "",
        "tests/engine/test_queue.py",
    ),
    Mutation(
        "a request is decided by whoever comes last",
        f"{SCRIPTS}/submit.lua",
        "if made then return",
        "if false then return",
        "tests/engine/test_queue.py",
    ),
    Mutation(
        "a plain question is answered by everybody who found it waiting",
        f"{SCRIPTS}/submit.lua",
        "if not waiting[ARGV[i]] then",
        "if false then",
        "tests/api/test_answer_races.py",
    ),
    Mutation(
        "a state is told although something came after it was read",
        f"{SCRIPTS}/note_state.lua",
        "if at[3] ~= ARGV[4] then",
        "if false then",
        "tests/engine/test_note_state.py",
    ),
    Mutation(
        "a reader of a thread goes on from a place that the log does not reach back to",
        "api/holdfast/core/thread_stream.py",
        "not await self._goes_on(record)",
        "False",
        "tests/api/test_thread_stream_cursors.py",
    ),
    Mutation(
        "a lease is not renewed",
        f"{SCRIPTS}/renew.lua",
        "redis.call('XCLAIM'",
        "local _ = (function() end)('XCLAIM'",
        "tests/engine/test_queue.py",
    ),
    Mutation(
        "two runs of a thread are ready at once",
        f"{SCRIPTS}/submit.lua",
        "if #line == 0 then dispatch",
        "if true then dispatch",
        "tests/engine/test_queue.py",
    ),
    Mutation(
        "the sequence begins anew with each log",
        f"{SCRIPTS}/thread.lua",
        "local epoch, seq = at[1] or '0', tonumber(at[2] or 0)",
        "local epoch, seq = at[1] or '0', redis.call('XLEN', events)",
        "tests/engine/test_queue.py",
    ),
    Mutation(
        "readers do not read the log after a cut",
        "api/holdfast/redis/stream.py",
        "                reader.look()  # what was",
        "                pass  # what was",
        "tests/engine/test_hub_connection.py",
    ),
    Mutation(
        "a route lets everybody in",
        "api/holdfast/routes/base.py",
        "            await self.let_in(read)",
        "            pass",
        "tests/auth/test_doors.py",
    ),
    Mutation(
        "a key for reading may write",
        "api/holdfast/routes/base.py",
        'if "write" not in caller.scopes and',
        "if False and",
        "tests/auth/test_api_keys.py",
    ),
    Mutation(
        "a token that is known outlives its key",
        "api/holdfast/auth/tokens.py",
        "if not self._keys.holds(known.key) or",
        "if",
        "tests/auth/test_rotation.py",
    ),
    Mutation(
        "a token may last for ever",
        "api/holdfast/auth/tokens.py",
        "> demands.max_lifetime_s",
        "> 1e99",
        "tests/auth/test_bad_tokens.py",
    ),
    Mutation(
        "a token of several keys needs no name",
        "api/holdfast/auth/keyring.py",
        "return self._keys if len(self._keys) == 1 else ()",
        "return self._keys",
        "tests/auth/test_bad_tokens.py",
    ),
    Mutation(
        "an API key counts with any secret",
        f"{SCRIPTS}/find_api_key.lua",
        "known[1] ~= ARGV[1]",
        "false",
        "tests/auth/test_api_keys.py",
    ),
    Mutation(
        "everybody is the gateway",
        "api/holdfast/auth/gateway.py",
        "if not self._is_gateway(",
        "if False and not self._is_gateway(",
        "tests/auth/test_gateway.py",
    ),
    Mutation(
        "what the project's rules allow is not looked at",
        "api/holdfast/redis/records.py",
        "            and self.meets(thread.metadata)",
        "",
        "tests/auth/test_project.py",
    ),
    Mutation(
        "silent streams are not pinged",
        "api/holdfast/routes/sse.py",
        'self._pinging = asyncio.create_task(self._write_ping(), name="ping")',
        "pass",
        "tests/api/test_streams.py -k silent",
    ),
    Mutation(
        "a stream that was cut goes on one event too early",
        "api/holdfast/core/following.py",
        "return place if place <= followed.after else now",
        "return Place(place.epoch, place.seq - 1) if place <= followed.after else now",
        "tests/chaos/test_chaos.py -k reconnects",
    ),
    Mutation(
        "a frame is sent again after its own number",
        "api/holdfast/core/protocol.py",
        "if seq > self.since and",
        "if seq >= self.since and",
        "tests/chaos/test_chaos.py -k reconnects",
    ),
    Mutation(
        "a connection whose client takes nothing is only closed",
        "api/holdfast/cli/server.py",
        "                reset(transport)",
        "                pass",
        "tests/chaos/test_chaos.py -k deaf",
    ),
    Mutation(
        "a channel that nobody reads is still followed",
        "api/holdfast/redis/stream.py",
        'await self._send("SUNSUBSCRIBE", channel)',
        "pass",
        "tests/chaos/test_chaos.py -k crowd",
    ),
    Mutation(
        "a checkpoint compares no token",
        f"{SCRIPTS}/checkpoint_common.lua",
        "if (redis.call('HGET', FENCE, 'token') or '') ~= token then",
        "if false then",
        "tests/checkpoint/test_fence.py",
    ),
    Mutation(
        "a run is at its end when no node is next",
        "api/holdfast/execute/feeding.py",
        "if all(task.interrupts for task in snapshot.tasks)",
        "if not snapshot.next",
        "tests/faults/test_half_steps.py -k dies",
    ),
    Mutation(
        "a thread is at rest when no node is next",
        "api/holdfast/execute/ending.py",
        '"interrupted" if snapshot.tasks else',
        '"interrupted" if snapshot.next else',
        "tests/faults/test_half_steps.py -k cancelled",
    ),
    Mutation(
        "a run is cancelled again, but not its nodes",
        "api/holdfast/execute/stopping.py",
        "nodes.tasks - {run} or {run}",
        "{run}",
        "tests/faults/test_stops.py -k swallows",
    ),
    Mutation(
        "a node that is left behind may still write checkpoints",
        "api/holdfast/execute/attempt.py",
        "        self._left = True\n        self._source.revoke()",
        "        self._left = True",
        "tests/faults/test_stops.py -k too_late",
    ),
    Mutation(
        "a node that is left behind may still write events",
        "api/holdfast/execute/attempt.py",
        "if self._left or self._lost:",
        "if self._lost:",
        "tests/faults/test_stops.py -k too_late",
    ),
    Mutation(
        "a consumer is taken out with its entries",
        f"{SCRIPTS}/forget_consumers.lua",
        " and it.pending == 0",
        "",
        "tests/engine/test_consumers.py",
    ),
    Mutation(
        "expired threads stay on the lists that name them",
        f"{SCRIPTS}/prune.lua",
        "if redis.call('EXISTS', KEYS[i]) == 0",
        "if false",
        "tests/engine/test_sweep.py",
    ),
    Mutation(
        "an erased name is taken out under a run",
        f"{SCRIPTS}/checkpoint_replace.lua",
        "if refused then return refused end",
        "",
        "tests/checkpoint/test_nameless.py",
    ),
    Mutation(
        "the events of a stateless run outlive an erasure",
        "api/holdfast/core/erasure.py",
        "    forget_departed,  # events",
        "    # events",
        "tests/api/test_erasure.py",
    ),
)


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of the project as it stands."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copy = Path(folder)
        for name in subprocess.check_output(LISTED, cwd=ROOT, text=True).splitlines():
            if (ROOT / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, copy / name)
        yield copy


def mutated(mutation: Mutation) -> str | None:
    """None when a test noticed; otherwise what is wrong."""
    with copied() as copy:
        file = copy / mutation.file
        text = file.read_text()
        if text.count(mutation.old) != 1:
            return f"{mutation.file} has {text.count(mutation.old)} places that read {mutation.old!r}"
        file.write_text(text.replace(mutation.old, mutation.new))
        code, said = run(copy, mutation.tests)
    if code == 1 and " failed" in said:
        return None
    return "no test went red" if code == 0 else f"the tests did not run:\n{said[-2000:]}"


def unchanged(tests: str) -> str | None:
    """None when the tests pass with nothing taken out: only then does their going red say anything."""
    with copied() as copy:
        code, said = run(copy, tests)
    return None if code == 0 else f"red with nothing taken out:\n{said[-2000:]}"


def run(copy: Path, tests: str) -> tuple[int, str]:
    """The exit code of pytest, and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests.split()],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": f"{copy / 'api'}{os.pathsep}{copy}"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def main() -> int:
    wanted = sys.argv[1:]
    chosen = [one for one in MUTATIONS if not wanted or any(word in one.name for word in wanted)]
    noticing = sorted({one.tests for one in chosen})
    with ThreadPoolExecutor(2) as pool:
        sound = pool.map(unchanged, noticing)
        noticed = pool.map(mutated, chosen)
        results = [("green", tests, problem) for tests, problem in zip(noticing, sound, strict=True)]
        results += [("red", one.name, problem) for one, problem in zip(chosen, noticed, strict=True)]
    for color, name, problem in results:
        sys.stdout.write(f"{color if problem is None else 'WRONG':5}  {name}\n")
        if problem:
            sys.stdout.write(f"       {problem}\n")
    return int(any(problem for _, _, problem in results))


if __name__ == "__main__":
    sys.exit(main())
