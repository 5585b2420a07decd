"""The image as hosts run it: from a folder that holds what it copies, by the command that they are given."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from holdfast.settings import Settings, variable
from tests.gates import ROOT
from tests.servers import clean_environment, end, free_port, wait_ready

DOCKERFILE = (ROOT / "Dockerfile").read_text()
RAILWAY: dict[str, Any] = json.loads((ROOT / "deploy" / "railway.json").read_text())["deploy"]
RENDER: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "render.yaml").read_text())
SERVICES = {service["name"]: service for service in RENDER["services"]}
VOLUME = "/var/lib/holdfast"


def image(folder: Path) -> Path:
    """The last stage's own files where the image has them, and its programs, below `folder`."""
    app, programs = folder / "app", folder / "bin"
    app.mkdir()
    programs.mkdir()
    last = DOCKERFILE.rpartition("FROM ")[2]
    for line in re.findall(r"^COPY (?!--from)(.*)$", last, re.M):
        source, target = [word for word in line.split() if not word.startswith("--")]
        if target.startswith("/usr/local/bin/"):
            shutil.copy(ROOT / source, programs / Path(target).name)
            (programs / Path(target).name).chmod(0o755)
        elif (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, app / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, app / target)
    return folder


def of_the_image(folder: Path) -> dict[str, str]:
    """Its environment, with the folders of this machine."""
    _, _, text = DOCKERFILE.rpartition("ENV ")
    given = dict(re.findall(r"(HOLDFAST_\w+)=(\S+)", text.partition("USER")[0]))
    path = os.pathsep.join((str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]))
    data = given["HOLDFAST_DATA"].replace(VOLUME, str(folder))
    return {**clean_environment(), **given, "HOLDFAST_DATA": data, "PATH": path, "SECRETS": str(folder)}


@asynccontextmanager
async def started(command: str, folder: Path, environment: dict[str, str]) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *shlex.split(command),
        cwd=folder / "app",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        await end(process)


async def test_one_service_with_a_volume_is_all_that_it_takes(tmp_path: Path) -> None:
    folder, port = image(tmp_path), free_port()
    environment = {**of_the_image(folder), "PORT": str(port)}
    url = f"http://127.0.0.1:{port}"
    assert not healthy(port)
    async with started(RAILWAY["startCommand"], folder, environment):
        await wait_ready(url, 60)
        assert await asyncio.to_thread(healthy, port)
        key = await asyncio.to_thread(make_key, folder, environment)
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.get(RAILWAY["healthcheckPath"])).status_code == 200
            assert (await client.post("/threads", json={})).status_code == 401
            signed_in = {"Authorization": f"Bearer {key}"}
            assert (await client.post("/threads", json={}, headers=signed_in)).status_code == 200
            found = await client.post("/assistants/search", json={}, headers=signed_in)
            assert "support" in {assistant["graph_id"] for assistant in found.json()}
    assert (tmp_path / "data").is_dir()


def healthy(port: int) -> bool:
    """What HEALTHCHECK says, asked at another port."""
    [text] = re.findall(r"^HEALTHCHECK.*\\\n\s*CMD (.*)$", DOCKERFILE, re.M)
    program, *arguments = json.loads(text.replace("8123", str(port)))
    assert program == "python"
    done = subprocess.run([sys.executable, *arguments], capture_output=True, timeout=20, check=False)
    return done.returncode == 0


def make_key(folder: Path, environment: dict[str, str]) -> str:
    command = ["with-secrets", "holdfast", "keys", "create", "--subject", "ann"]
    where = {"cwd": folder / "app", "env": environment}
    done = subprocess.run(command, **where, capture_output=True, text=True, timeout=60, check=True)  # type: ignore[call-overload]
    [key] = re.findall(r"\bhf_\S+", done.stdout)
    return str(key)


def test_the_volume_is_where_the_data_is() -> None:
    assert RAILWAY["requiredMountPath"] == VOLUME
    assert f"VOLUME {VOLUME}" in DOCKERFILE
    assert f"HOLDFAST_DATA={VOLUME}/data" in DOCKERFILE
    assert (RAILWAY["numReplicas"], RAILWAY["overlapSeconds"]) == (1, 0), "two would want the same data"


def test_a_host_gives_the_port_that_is_listened_at() -> None:
    for command in (RAILWAY["startCommand"], SERVICES["holdfast-api"]["dockerCommand"]):
        assert shlex.split(command)[-1].endswith('--host 0.0.0.0 --port "$PORT"')


def test_a_fleet_in_one_file_has_all_that_it_needs() -> None:
    assert [service["type"] for service in RENDER["services"]] == ["web", "worker", "keyvalue"]
    assert SERVICES["holdfast-redis"]["maxmemoryPolicy"] == "noeviction"
    [group] = RENDER["envVarGroups"]
    [database] = RENDER["databases"]
    for name in ("holdfast-api", "holdfast-worker"):
        shared, redis, shop = SERVICES[name]["envVars"]
        assert shared == {"fromGroup": group["name"]}
        assert (redis["key"], redis["fromService"]["name"]) == ("REDIS_URL", "holdfast-redis")
        assert (shop["key"], shop["fromDatabase"]["name"]) == ("SHOP_DATABASE_URL", database["name"])
    given = {one["key"] for one in group["envVars"] if one["key"].startswith("HOLDFAST_")}
    assert given <= {variable(field) for field in Settings.model_fields}


@pytest.mark.parametrize("unit", sorted((ROOT / "deploy" / "systemd").iterdir()), ids=lambda path: path.name)
def test_systemd_knows_what_a_unit_asks_of_it(unit: Path, tmp_path: Path) -> None:
    if not (program := shutil.which("systemd-analyze")):
        pytest.skip("systemd-analyze is not installed")
    here = tmp_path / unit.name
    here.write_text(unit.read_text().replace("/opt/holdfast/bin/holdfast", "/bin/true"))
    done = subprocess.run([program, "verify", str(here)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
