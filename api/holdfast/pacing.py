"""How long something that many do waits."""

import secrets


def jittered(seconds: float) -> float:
    """About so long, so that not all come at once."""
    return seconds * (0.75 + secrets.randbelow(500) / 1000)
