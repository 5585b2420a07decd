"""Processes that are watched for what would leave the machine."""

import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import DEVNULL
from dataclasses import dataclass
from pathlib import Path

from tests.servers import clean_environment

HOOK = Path(__file__).parent
NOWHERE = "192.0.2.1"  # an address for documentation, by RFC 5737


@dataclass(frozen=True)
class Watch:
    """`environment` is for the processes; what they tried is in `tried`."""

    notes: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(HOOK), "EGRESS_NOTES": str(self.notes)}

    @property
    def tried(self) -> list[str]:
        """Raises `FileNotFoundError` when no process was watched."""
        return [line for line in self.notes.read_text().splitlines() if line != "watched"]

    async def try_to_leave(self) -> None:
        code = f"import socket; socket.create_connection(('{NOWHERE}', 80))"
        environment = {**clean_environment(), **self.environment}
        process = await create_subprocess_exec(sys.executable, "-c", code, env=environment, stderr=DEVNULL)
        assert await process.wait() != 0
