"""The machine that Holdfast is to run on: its ports, its open files, its disk."""

import os
import resource
import shutil
import socket
from pathlib import Path

import httpx

from holdfast.cli.doctor.findings import Finding, fail, ok, warn
from holdfast.cli.top import size
from holdfast.settings import Settings

FEW_FILES = 4096
LITTLE_DISK, NO_DISK = 1024**3, 100 * 1024**2
ANSWER_S = 2.0


async def examine(settings: Settings, host: str, port: int) -> list[Finding]:
    found = [await examine_port(host, port), examine_files()]
    return found if settings.redis_url else [*found, examine_disk(settings.data)]


async def examine_port(host: str, port: int) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
        except OSError as error:
            return await explain_port(host, port, error)
    return ok("port", f"{port} on {host} is free")


async def explain_port(host: str, port: int, error: OSError) -> Finding:
    if await is_holdfast(host, port):
        return ok("port", f"a Holdfast serves at {port} on {host}")
    return fail(
        "port",
        f"Port {port} on {host} cannot be used ({error.strerror}): stop what runs there, or choose another "
        "with --port.",
    )


async def is_holdfast(host: str, port: int) -> bool:
    shown = f"[{host}]" if ":" in host else host
    try:
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(), timeout=ANSWER_S) as http:
            info = (await http.get(f"http://{shown}:{port}/info")).json()
    except (httpx.HTTPError, ValueError):
        return False
    return isinstance(info, dict) and (info.get("host") or {}).get("name") == "holdfast"


def examine_files() -> Finding:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY or most >= FEW_FILES:
        return ok("open files", f"up to {'any number' if most == resource.RLIM_INFINITY else most}")
    return warn(
        "open files",
        f"At most {most} files may be open, and each caller is one: raise the limit (ulimit -n).",
    )


def examine_disk(data: Path) -> Finding:
    """Where the Valkey of `holdfast dev` keeps its data."""
    folder = next(one for one in (data, *data.resolve().parents) if one.exists())
    if not os.access(folder, os.W_OK):
        return fail("disk", f"The data folder {data} cannot be written: set HOLDFAST_DATA.")
    free = shutil.disk_usage(folder).free
    told = f"{size(free)} free for {data}"
    if free < NO_DISK:
        return fail("disk", f"There is too little space, {told}: make room, or set HOLDFAST_DATA.")
    if free < LITTLE_DISK:
        return warn("disk", f"There is little space, {told}: make room, or set HOLDFAST_DATA.")
    return ok("disk", told)
