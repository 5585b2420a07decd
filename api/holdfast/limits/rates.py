"""How many requests a caller and a tenant may make: buckets in Redis, which all replicas take from."""

import asyncio
import math

from holdfast.errors import RateLimited, Unavailable
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from holdfast.redis.limits import Bucket, Lack, take
from holdfast.redis.records import Caller
from holdfast.settings import Settings

BURST_S = 2
MOST_NOTED = 10_000


class Rates:
    """Takes each request out of the buckets of its caller and of its tenant, in one call to Redis.

    What was refused is remembered here until there will be a token again: a caller who does not let up costs
    Redis nothing.
    """

    def __init__(self, client: Client, keys: Keys, settings: Settings) -> None:
        self._client = client
        self._keys = keys
        self._of_caller = settings.rate_of_caller, settings.burst_of_caller
        self._of_tenant = settings.rate_of_tenant, settings.burst_of_tenant
        self._lacking: dict[str, float] = {}  # until when, by the clock of the loop

    async def take(self, caller: Caller) -> None:
        """Raises `RateLimited`, and `Unavailable` when Redis does not answer."""
        buckets = self._buckets(caller)
        if not buckets:
            return
        lack = self._known(buckets) or await self._taken(buckets)
        if lack:
            self._remember(lack)
            raise RateLimited(self._sentence(lack, caller), lack.wait_s)

    def _buckets(self, caller: Caller) -> list[Bucket]:
        found = []
        if self._of_caller[0]:
            found.append(bucket(self._keys.rate(caller.tenant, caller.subject), *self._of_caller))
        if self._of_tenant[0]:
            found.append(bucket(self._keys.rate(caller.tenant), *self._of_tenant))
        return found

    def _known(self, buckets: list[Bucket]) -> Lack | None:
        now = asyncio.get_running_loop().time()
        for one in buckets:
            if (wait_s := self._lacking.get(one.key, now) - now) > 0:
                return Lack(one, wait_s)
        return None

    async def _taken(self, buckets: list[Bucket]) -> Lack | None:
        try:
            return await take(self._client, buckets)
        except Unavailable as error:
            if error.reason == "unreachable":
                raise
            return None  # what cannot be counted can still be read

    def _remember(self, lack: Lack) -> None:
        now = asyncio.get_running_loop().time()
        if len(self._lacking) >= MOST_NOTED:
            self._lacking = {key: until for key, until in self._lacking.items() if until > now}
        if len(self._lacking) < MOST_NOTED:
            self._lacking[lack.bucket.key] = now + lack.wait_s

    def _sentence(self, lack: Lack, caller: Caller) -> str:
        _, rate, burst = lack.bucket
        whose = "A caller" if lack.bucket.key != self._keys.rate(caller.tenant) else "A tenant"
        return (
            f"{whose} may make {rate:g} requests a second, and {burst} at once after a pause: "
            f"try again in {max(1, math.ceil(lack.wait_s))} s."
        )


def bucket(key: str, rate: float, burst: int) -> Bucket:
    return Bucket(key, rate, burst or max(1, math.ceil(rate * BURST_S)))
