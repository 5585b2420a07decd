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
from pathlib import Path

from tests import (
    mutants,
    mutants_of_approvals,
    mutants_of_assistants,
    mutants_of_checkpoints,
    mutants_of_doors,
    mutants_of_figures,
    mutants_of_limits,
    mutants_of_search,
    mutants_of_time,
    mutants_of_wire,
)
from tests.mutants import Mutation
from tests.store import mutants as mutants_of_store
from tests.tenancy import mutants as mutants_of_tenancy
from tests.webhooks import mutants as mutants_of_webhooks

ROOT = Path(__file__).parent.parent
MUTATIONS = (
    *mutants.MUTATIONS,
    *mutants_of_approvals.MUTATIONS,
    *mutants_of_assistants.MUTATIONS,
    *mutants_of_checkpoints.MUTATIONS,
    *mutants_of_doors.MUTATIONS,
    *mutants_of_figures.MUTATIONS,
    *mutants_of_limits.MUTATIONS,
    *mutants_of_search.MUTATIONS,
    *mutants_of_time.MUTATIONS,
    *mutants_of_wire.MUTATIONS,
    *mutants_of_webhooks.MUTATIONS,
    *mutants_of_store.MUTATIONS,
    *mutants_of_tenancy.MUTATIONS,
)
TIMEOUT_S = 600
HUNG = -1
LISTED = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]


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
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests.split()],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": f"{copy / 'api'}{os.pathsep}{copy}"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return HUNG, f"no end within {TIMEOUT_S} s"
    return done.returncode, done.stdout + done.stderr


def main() -> int:
    wanted = sys.argv[1:]
    chosen = [one for one in MUTATIONS if not wanted or any(word in one.name for word in wanted)]
    noticing = sorted({one.tests for one in chosen})
    with ThreadPoolExecutor(2) as pool:
        checks = [("green", tests, pool.submit(unchanged, tests)) for tests in noticing]
        checks += [("red", one.name, pool.submit(mutated, one)) for one in chosen]
        wrong = sum(told(color, name, check.result()) for color, name, check in checks)
    return int(wrong > 0)


def told(color: str, name: str, problem: str | None) -> bool:
    """Says what came of a check; True when it is not as it should be."""
    sys.stdout.write(f"{color if problem is None else 'WRONG':5}  {name}\n")
    if problem:
        sys.stdout.write(f"       {problem}\n")
    sys.stdout.flush()
    return bool(problem)


if __name__ == "__main__":
    sys.exit(main())
