"""Keeps a Python process on this machine: what would leave it is refused, and noted in the file EGRESS_NOTES.

Every Python loads it that has this folder on PYTHONPATH. Event loops are asyncio's own: the sockets of uvloop
are libuv's, of which no audit hook hears.
"""

import asyncio
import ipaddress
import os
import sys
from typing import Any

import uvloop

NOTES = os.environ["EGRESS_NOTES"]
# Which of an event's arguments is the address, or the name of a host.
ADDRESSES = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
    "socket.gethostbyaddr": 0,
}


def watch(event: str, args: tuple[Any, ...]) -> None:
    if event not in ADDRESSES:
        return
    given = args[ADDRESSES[event]]
    host = given[0] if isinstance(given, tuple) else given
    if not is_here(host):
        note(f"{event} {host}")
        raise PermissionError(f"{event}: {host} is not on this machine.")


def is_here(host: Any) -> bool:
    """Whether it is loopback, or the path of a socket that is a file."""
    name = os.fsdecode(host or "localhost")
    if name == "localhost" or name.startswith(("/", "\0")):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def note(line: str) -> None:
    with open(NOTES, "a") as file:
        file.write(f"{line}\n")


note("watched")
vars(uvloop)["new_event_loop"] = asyncio.new_event_loop
sys.addaudithook(watch)
