"""What happens, told to the webhooks that want it."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from holdfast.core.platform import Platform
from holdfast.events import dump
from holdfast.redis import outbox
from holdfast.redis.outbox import Notice
from holdfast.settings import Settings, WebhookEvent


def addresses(settings: Settings, event: WebhookEvent, own: str | None = None) -> list[str]:
    """Who is told of an event: `own`, and the standing webhooks of the installation that want it."""
    return list(dict.fromkeys([*([own] if own else []), *settings.told_of(event)]))


def notice(settings: Settings, event: WebhookEvent, payload: Mapping[str, Any]) -> Notice:
    """What the standing webhooks are told of an event, for a script that makes it happen.

    A script that has the keys of `lua.box_keys` calls `post` of `outbox.lua` with the notice's arguments:
    then there is never the event without its letters. Where nobody wants it, it does nothing.
    """
    return Notice(str(uuid4()), event, addresses(settings, event), dump(dict(payload)))


async def post(platform: Platform, event: WebhookEvent, thread_id: str, payload: Mapping[str, Any]) -> None:
    """Tells the standing webhooks of an event that has happened by itself."""
    made = notice(platform.settings, event, payload)
    if made.addresses:
        await outbox.post(platform.client, platform.keys, thread_id, made)
