"""The project's own nginx configuration, run on this machine in front of whatever listens on given ports."""

import re
import socket
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.gates import ROOT
from tests.programs import need_program

KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True)
class Nginx:
    http_url: str
    https_url: str
    certificate: Path

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)


@contextmanager
def running_nginx(folder: Path, ports: Sequence[int], **directives: str) -> Iterator[Nginx]:
    """deploy/nginx.conf in front of two replicas. `directives` replace the value of those it has."""
    program = need_program("nginx", package="nginx")
    make_secrets(folder / "secrets")
    http, https = free_port(), free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(on_this_machine(folder, http, https, ports, directives))
    command = (str(program), "-p", str(folder), "-c", str(configuration))
    call(*command)  # comes back when the ports are open
    try:
        certificate = folder / "secrets" / "tls_certificate"
        yield Nginx(f"http://localhost:{http}", f"https://localhost:{https}", certificate)
    finally:
        call(*command, "-s", "stop")


def make_secrets(folder: Path) -> None:
    need_program("openssl", package="openssl")
    call("sh", str(ROOT / "deploy" / "make-secrets.sh"), str(folder))


def on_this_machine(
    folder: Path, http: int, https: int, ports: Sequence[int], directives: dict[str, str]
) -> str:
    """Rewrites the addresses and folders of deploy/nginx.conf, and nothing else of it but `directives`."""
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    for number, port in enumerate(ports, 1):
        text = text.replace(f"api{number}:8123", f"127.0.0.1:{port}")
    text = text.replace("listen 80;", f"listen 127.0.0.1:{http};")
    text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{https} ssl")
    text = text.replace("/run/secrets/", f"{folder}/secrets/")
    text = text.replace("/tmp/nginx.pid", f"{folder}/nginx.pid")
    text = re.sub("error_log .*;", f"error_log {folder}/error.log warn;", text)
    for name, value in directives.items():
        text, found = re.subn(rf"\b{name} [^;]*;", f"{name} {value};", text)
        assert found == 1, f"deploy/nginx.conf has {found} directives {name}"
    paths = "".join(f"  {kind}_temp_path {folder}/{kind};\n" for kind in KINDS)
    return text.replace("http {\n", "http {\n" + paths)


def call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port
