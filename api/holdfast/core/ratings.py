"""Ratings: whose conversation it is says how it was."""

from datetime import UTC, datetime
from typing import Any

import orjson

from holdfast.core import threads
from holdfast.core.platform import Platform
from holdfast.core.racing import again
from holdfast.errors import Forbidden
from holdfast.limits import check_metadata
from holdfast.redis import ratings
from holdfast.redis.lua import Raced
from holdfast.redis.records import Caller
from holdfast.wire.threads import RatingPut

RATING = "rating"  # under which the thread's metadata shows it
NOT_YOURS = "Only whose conversation it is rates it."


async def put(platform: Platform, caller: Caller, thread_id: str, asked: RatingPut) -> dict[str, Any]:
    """The rating, which takes the place of the one before. Raises `Forbidden` for everybody but the owner."""
    value = {"thread_id": thread_id, "rating": asked.model_dump()}
    caller = await threads.admit(platform, caller, thread_id, "update", value)
    now = datetime.now(UTC)
    rating = {"score": asked.score, "comment": told(platform, asked.comment), "at": now.isoformat()}

    async def rate() -> None:
        thread = await threads.read_record(platform, caller, thread_id)
        if caller.subject != thread.owner:
            raise Forbidden(NOT_YOURS)
        check_metadata({**thread.metadata, RATING: rating})
        shown = orjson.dumps(rating)
        if not await ratings.rate(
            platform.client, platform.keys, thread_id, caller, thread.rated, asked.score, shown, now=now
        ):
            raise Raced(thread_id)

    await again(rate)
    return rating


def told(platform: Platform, comment: str | None) -> str | None:
    """The comment as it is kept: no graph has a use for what is taken out of events."""
    return platform.redactor.text(comment) if comment and platform.redactor else comment
