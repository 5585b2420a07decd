"""The peers: `langgraph dev` and others, in environments of their own that are made on first use."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

REQUIREMENT = "langgraph-cli[inmem]"
NAMES = ("langgraph-api", "langgraph-cli", "langgraph-runtime-inmem", "langgraph")
INSTALL_TIMEOUT_S = 900
NO_POSTGRES = "pgserver, which brings Postgres, has no wheel for this Python: use 3.11 or 3.12"


class NoPeer(Exception):
    """Says why there is nothing to compare with."""


def program(folder: Path) -> Path:
    """The program `langgraph`. Raises `NoPeer`."""
    found = environment(folder, [REQUIREMENT]).with_name("langgraph")
    if not found.is_file():
        raise NoPeer(f"{found} is missing: remove {folder} and try again.")
    return found


def environment(folder: Path, requirements: Sequence[str], version: str = "") -> Path:
    """The Python of an environment with these packages: one of this `version`, or the one that runs this.

    When they are missing, or others are there, pip installs them from the index that it is set up with.
    Raises `NoPeer`.
    """
    python, stamp, wanted = folder / "bin" / "python", folder / ".installed", "\n".join(requirements)
    if not stamp.is_file() or stamp.read_text() != wanted:
        sys.stderr.write(f"installing {', '.join(requirements)} into {folder}\n")
        run([base_python(version), "-m", "venv", "--clear", str(folder)])
        run([str(python), "-m", "pip", "install", "--quiet", *requirements])
        stamp.write_text(wanted)
    return python


def base_python(version: str) -> str:
    """Raises `NoPeer` where there is none of that version."""
    if not version:
        return sys.executable
    installed = Path.home().glob(f".pyenv/versions/{version}*/bin/python")
    for python in (f"python{version}", *map(str, sorted(installed))):
        with suppress(NoPeer):  # a name on the PATH may be a shim of a version that is not active
            run([python, "-c", "import venv, ensurepip"])
            return python
    raise NoPeer(f"it needs Python {version}, and none was found")


def versions(folder: Path, names: Sequence[str] = NAMES) -> dict[str, str]:
    code = "import importlib.metadata as m, sys; print(*(m.version(name) for name in sys.argv[1:]))"
    found = run([str(folder / "bin" / "python"), "-c", code, *names]).split()
    return dict(zip(names, found, strict=True))


def run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=True)
    except subprocess.CalledProcessError as error:
        raise NoPeer((error.stderr.strip().splitlines() or ["no reason given"])[-1]) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoPeer(str(error)) from error
    return done.stdout
