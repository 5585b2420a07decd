"""What a process holds, from /proc; where there is none, nothing."""

import os
import sys
from pathlib import Path

from tests.chaos.zygote import Child

KNOWN = sys.platform.startswith("linux")
LISTENING = "0A"


def private_mb(child: Child) -> float:
    """The memory of its own; what it shares with the process that it was forked from does not count."""
    if not KNOWN:
        return 0.0
    rollup = Path(f"/proc/{child.pid}/smaps_rollup").read_text()
    kept = [line for line in rollup.splitlines() if line.startswith(("Private_Dirty", "Private_Clean"))]
    return sum(int(line.split()[1]) for line in kept) / 1024


def resident_mb(child: Child) -> float:
    if not KNOWN:
        return 0.0
    pages = int(Path(f"/proc/{child.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def connections(child: Child, port: int) -> int:
    """How many callers on its port it has not let go of."""
    if not KNOWN:
        return 0
    _, *rows = Path(f"/proc/{child.pid}/net/tcp").read_text().splitlines()
    fields = [row.split() for row in rows]
    inodes = {row[9] for row in fields if row[1].endswith(f":{port:04X}") and row[3] != LISTENING}
    held = {target(file) for file in Path(f"/proc/{child.pid}/fd").iterdir()}
    return sum(f"socket:[{inode}]" in held for inode in inodes)


def target(file: Path) -> str:
    try:
        return os.readlink(file)
    except OSError:  # it was closed just now
        return ""
