"""The command `holdfast`."""

import sys

from holdfast.cli.loading import part
from holdfast.errors import HoldfastError


def main() -> None:
    """Runs a command; what cannot start or be done says why in one sentence and exits with 2."""
    try:
        part("commands").app()
    except HoldfastError as error:
        sys.stderr.write(f"holdfast: {' '.join(error.detail.split())}\n")
        sys.exit(2)


__all__ = ["main"]
