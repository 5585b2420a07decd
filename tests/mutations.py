"""Takes mechanisms out, one at a time, and expects a test to go red: `make check-mutations`.

Each mutation is made in a copy of the project; the names of the tests that must notice stand beside it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
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
        "a request takes nothing out of its bucket",
        f"{SCRIPTS}/take.lua",
        "redis.call('SET', key, string",
        "local _ = (key and string",
        "tests/chaos/test_chaos.py -k limits",
    ),
    Mutation(
        "the callers of a tenant share a bucket",
        "api/holdfast/limits/rates.py",
        "self._keys.rate(caller.tenant, caller.subject), *self._of_caller",
        "self._keys.rate(caller.tenant), *self._of_caller",
        "tests/chaos/test_chaos.py -k limits",
    ),
    Mutation(
        "a refused caller takes from the tenant",
        f"{SCRIPTS}/take.lua",
        "if lacking > 0 then return",
        "if lacking == #KEYS then return",
        "tests/engine/test_buckets.py",
    ),
    Mutation(
        "a dropped run stays counted",
        f"{SCRIPTS}/submit.lua",
        "      count_out(lane, runs, other, tenant)\n",
        "",
        "tests/engine/test_counts.py",
    ),
    Mutation(
        "a stream that has ended stays counted",
        "api/holdfast/routes/sse.py",
        "self.counted.close()",
        "pass",
        "tests/api/test_open_streams.py -k a_caller",
    ),
    Mutation(
        "streams of dead replicas stay counted",
        f"{SCRIPTS}/open_stream.lua",
        "  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)\n",
        "",
        "tests/api/test_open_streams.py -k killed",
    ),
    Mutation(
        "a step that runs again spends again",
        f"{SCRIPTS}/spend.lua",
        "redis.call('HGET', KEYS[2], field) or '{}'",
        "'{}'",
        "tests/api/test_token_budget.py -k taken_over",
    ),
    Mutation(
        "a checkpoint compares no token",
        f"{SCRIPTS}/checkpoint_common.lua",
        "if (redis.call('HGET', FENCE, 'token') or '') ~= token then",
        "if false then",
        "tests/checkpoint/test_fence.py",
    ),
)


def run(mutation: Mutation) -> str | None:
    """None when a test noticed; otherwise what is wrong."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copy = Path(folder)
        for name in subprocess.check_output(LISTED, cwd=ROOT, text=True).splitlines():
            if (ROOT / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, copy / name)
        mutated = copy / mutation.file
        text = mutated.read_text()
        if text.count(mutation.old) != 1:
            return f"{mutation.file} has {text.count(mutation.old)} places that read {mutation.old!r}"
        mutated.write_text(text.replace(mutation.old, mutation.new))
        return judge(copy, mutation.tests)


def judge(copy: Path, tests: str) -> str | None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests.split()],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": f"{copy / 'api'}{os.pathsep}{copy}"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode == 1 and " failed" in done.stdout:
        return None
    return (
        "no test went red"
        if done.returncode == 0
        else f"the tests did not run:\n{(done.stdout + done.stderr)[-2000:]}"
    )


def main() -> int:
    wanted = sys.argv[1:]
    chosen = [one for one in MUTATIONS if not wanted or any(word in one.name for word in wanted)]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(run, chosen))
    for mutation, problem in zip(chosen, results, strict=True):
        sys.stdout.write(f"{'red  ' if problem is None else 'GREEN'}  {mutation.name}\n")
        if problem:
            sys.stdout.write(f"       {problem}\n")
    return int(any(results))


if __name__ == "__main__":
    sys.exit(main())
