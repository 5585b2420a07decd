"""The peer: `langgraph dev`, in an environment of its own that is made on first use."""

import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

REQUIREMENT = "langgraph-cli[inmem]"
NAMES = ("langgraph-api", "langgraph-cli", "langgraph-runtime-inmem", "langgraph")
INSTALL_TIMEOUT_S = 900


class NoPeer(Exception):
    """Says why there is nothing to compare with."""


def program(folder: Path) -> Path:
    """The program `langgraph`, installed by pip, from the index that pip is set up with, when it is missing.

    Raises `NoPeer`.
    """
    found, stamp = folder / "bin" / "langgraph", folder / ".installed"
    if not stamp.is_file():
        sys.stderr.write(f"installing {REQUIREMENT} into {folder}\n")
        venv.create(folder, with_pip=True, clear=True)
        run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", REQUIREMENT])
        stamp.touch()
    if not found.is_file():
        raise NoPeer(f"{found} is missing: remove {folder} and try again.")
    return found


def versions(folder: Path) -> dict[str, str]:
    code = "import importlib.metadata as m, sys; print(*(m.version(name) for name in sys.argv[1:]))"
    found = run([str(folder / "bin" / "python"), "-c", code, *NAMES]).split()
    return dict(zip(NAMES, found, strict=True))


def run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=True)
    except subprocess.CalledProcessError as error:
        raise NoPeer((error.stderr.strip().splitlines() or ["no reason given"])[-1]) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoPeer(str(error)) from error
    return done.stdout
