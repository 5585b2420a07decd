"""The contract's cases, asked of `langgraph dev`: `make contract-oracle`. Arguments go to pytest."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import peer
from bench.peers import CACHE
from bench.servers import langgraph_dev

HERE = Path(__file__).parent
PROJECT = (HERE / "project" / "langgraph.json", HERE / "project" / "contract_graphs.py")


def main() -> int:
    try:
        program = peer.program(CACHE / "bench-peer")
    except peer.NoPeer as reason:
        sys.stderr.write(f"`langgraph dev` cannot be installed: {reason}\n")
        return 2
    versions = (f"{name} {version}" for name, version in peer.versions(CACHE / "bench-peer").items())
    sys.stderr.write(", ".join(versions) + "\n")
    with (
        TemporaryDirectory(prefix="hf-", ignore_cleanup_errors=True) as folder,
        langgraph_dev(Path(folder), program, PROJECT) as server,
    ):
        command = [sys.executable, "-m", "pytest", "-n0", "-p", "no:randomly", str(HERE), *sys.argv[1:]]
        environment = {**os.environ, "CONTRACT_URL": f"http://127.0.0.1:{server.port}"}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
