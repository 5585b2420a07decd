"""What happens, told to the webhooks that want it."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from holdfast.core.platform import Platform
from holdfast.events import dump
from holdfast.redis import outbox
from holdfast.settings import Settings


def addresses(settings: Settings, event: str, own: str | None = None) -> list[str]:
    """Who is told of an event: `own`, and the standing webhooks of the installation that want it."""
    return list(dict.fromkeys([*([own] if own else []), *settings.told_of(event)]))


async def post(platform: Platform, event: str, thread_id: str, payload: Mapping[str, Any]) -> None:
    """Tells the standing webhooks of an event of a thread; nothing when the thread is gone.

    Whoever changes something by a script, and tells of it, calls `post` of `outbox.lua` in the same script:
    then there is never the one without the other.
    """
    if told := addresses(platform.settings, event):
        await outbox.post(
            platform.client, platform.keys, thread_id, str(uuid4()), event, told, dump(dict(payload))
        )
