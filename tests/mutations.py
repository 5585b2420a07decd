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

from tests.mutants import MUTATIONS, Mutation
from tests.tenancy.mutants import MUTATIONS as OF_TENANCY

ROOT = Path(__file__).parent.parent
TIMEOUT_S = 180
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
    chosen = [
        one for one in (*MUTATIONS, *OF_TENANCY) if not wanted or any(word in one.name for word in wanted)
    ]
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
