"""How many tokens of models a caller may use a day: counted by the workers, looked at before a run."""

from holdfast.errors import TokensSpent
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from holdfast.redis.limits import spent
from holdfast.redis.records import Caller


async def check_tokens(client: Client, keys: Keys, caller: Caller, budget: int) -> None:
    """Raises `TokensSpent` until midnight (UTC) once the day's are used. A budget of 0 is none."""
    if not budget:
        return
    used, left_s = await spent(client, keys, caller.tenant, caller.subject)
    if used >= budget:
        raise TokensSpent(
            f"A caller may use {budget} tokens of models a day, and {used} are used: "
            f"try again after midnight UTC, in {left_s} s.",
            left_s,
        )
