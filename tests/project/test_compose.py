import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.settings import Settings
from tests.gates import ROOT
from tests.nginx import make_secrets

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("api1", "api2", "worker")


def test_the_compose_file_keeps_to_the_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run(
        [*command, "docker-compose.yml"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_two_apis_and_two_workers_share_one_redis() -> None:
    assert {"nginx", "redis", "postgres", *OURS} == set(SERVICES)
    assert SERVICES["api1"]["command"] == SERVICES["api2"]["command"]
    assert SERVICES["worker"]["deploy"]["replicas"] == 2
    for name in OURS:
        assert set(SERVICES[name]["depends_on"]) == {"redis", "postgres"}
        assert "ports" not in SERVICES[name]


def test_only_nginx_is_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["nginx"]


def test_the_replicas_that_nginx_knows_are_services_on_their_port() -> None:
    replicas = re.findall(r"server (\w+):(\d+)", (ROOT / "deploy" / "nginx.conf").read_text())
    assert [name for name, _ in replicas] == ["api1", "api2"]
    for name, port in replicas:
        assert SERVICES[name]["command"][-1] == port


def test_nobody_calls_without_signing_in() -> None:
    """The image and the stack listen on every address, so neither may let everybody in."""
    (by_image,) = re.findall(r"HOLDFAST_AUTH=(\w+)", (ROOT / "Dockerfile").read_text())
    for name in OURS:
        by_stack = SERVICES[name]["environment"]["HOLDFAST_AUTH"]
        assert re.fullmatch(r"\$\{HOLDFAST_AUTH:-(\w+)\}", by_stack)[1] == by_image == "keys"  # type: ignore[index]


def test_all_that_nginx_may_be_told_of_a_caller_is_kept_out() -> None:
    """Whoever turns the gateway mode on behind this nginx finds its headers emptied."""
    settings = Settings.model_validate({})
    configuration = (ROOT / "deploy" / "nginx.conf").read_text()
    for header in (
        settings.gateway_subject_header,
        settings.gateway_tenant_header,
        settings.gateway_roles_header,
    ):
        assert f'proxy_set_header {header} "";' in configuration


def test_redis_keeps_what_it_is_given() -> None:
    command = SERVICES["redis"]["command"][-1]
    for setting in ("appendonly yes", "maxmemory-policy noeviction", "requirepass", "dir /data"):
        assert setting in command
    assert "redis:/data" in SERVICES["redis"]["volumes"]


def test_secrets_come_from_files_that_make_secrets_writes(tmp_path: Path) -> None:
    make_secrets(tmp_path / "secrets")
    written = {path.name for path in (tmp_path / "secrets").iterdir()}
    declared = {name: secret["file"] for name, secret in COMPOSE["secrets"].items()}
    assert declared == {name: f"deploy/secrets/{name}" for name in written}
    used = {name for service in SERVICES.values() for name in service.get("secrets", ())}
    assert used == set(declared)


def test_secrets_are_random_belong_together_and_are_kept(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    make_secrets(one)
    make_secrets(other)
    password = (one / "redis_password").read_text()
    assert re.fullmatch("[0-9a-f]{48}", password)
    assert (one / "REDIS_URL").read_text() == f"redis://:{password}@redis:6379/0"
    assert (one / "postgres_password").read_text() in (one / "SHOP_DATABASE_URL").read_text()
    assert password != (other / "redis_password").read_text()
    assert one.stat().st_mode & 0o077 == 0
    (one / "OPENAI_API_KEY").write_text("a key")
    before = {path.name: path.read_text() for path in one.iterdir()}
    make_secrets(one)
    assert {path.name: path.read_text() for path in one.iterdir()} == before


@pytest.mark.parametrize(("secret", "seen"), [("from file", "from file"), ("", "from outside")])
def test_a_secret_file_becomes_the_setting_of_its_name(tmp_path: Path, secret: str, seen: str) -> None:
    (tmp_path / "OPENAI_API_KEY").write_text(secret)
    (tmp_path / "redis_password").write_text("not a setting")
    done = subprocess.run(
        ["/bin/sh", str(ROOT / "deploy" / "entrypoint.sh"), "env"],
        env={"SECRETS": str(tmp_path), "OPENAI_API_KEY": "from outside", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"OPENAI_API_KEY={seen}\n" in done.stdout
    assert "not a setting" not in done.stdout


def test_the_image_gets_all_that_it_copies_and_runs_as_nobody_special() -> None:
    text = (ROOT / "Dockerfile").read_text()
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.M)
        for source in line.split()[:-1]
        if not source.startswith("--")
    }
    assert copied == let_in
    assert all((ROOT / source).exists() for source in copied)
    assert re.findall(r"^USER (\w+)$", text, re.M) == ["holdfast"]
    assert "/ok" in re.findall(r"^HEALTHCHECK.*\n.*$", text, re.M)[0]


def test_the_image_runs_the_python_that_the_project_supports() -> None:
    (version,) = re.findall(r"^ARG PYTHON=([\d.]+)$", (ROOT / "Dockerfile").read_text(), re.M)
    assert f"Programming Language :: Python :: {version}" in (ROOT / "pyproject.toml").read_text()
