"""Every Redis key, built in one place.

All keys of a thread carry the hash tag of its lane, so that one script can change them together,
on a cluster too.
"""

from binascii import crc_hqx
from functools import cache
from urllib.parse import quote

SLOTS = 16384


def hash_slot(tag: str) -> int:
    """The cluster slot of a hash tag (CRC16/XMODEM modulo 16384, as in the Redis Cluster specification)."""
    return crc_hqx(tag.encode(), 0) % SLOTS


@cache
def lane_tags(lanes: int) -> tuple[str, ...]:
    """One hash tag a lane, chosen so that their slots spread evenly over the slot space."""
    tags: dict[int, str] = {}
    candidate = 0
    while len(tags) < lanes:
        share = hash_slot(str(candidate)) * lanes // SLOTS
        tags.setdefault(share, str(candidate))
        candidate += 1
    return tuple(tags[share] for share in range(lanes))


class Keys:
    """Builds the keys of one Holdfast installation: `<prefix>:{<lane tag>}:<kind>:<ids>`."""

    def __init__(self, prefix: str = "holdfast", lanes: int = 1) -> None:
        self.prefix = prefix
        self.lanes = lanes
        self._bases = tuple(f"{prefix}:{{{tag}}}:" for tag in lane_tags(lanes))

    def lane(self, thread_id: str) -> int:
        return crc_hqx(thread_id.encode(), 0) % self.lanes

    def _thread(self, kind: str, thread_id: str) -> str:
        return f"{self._bases[self.lane(thread_id)]}{kind}:{thread_id}"

    # a thread
    def thread(self, thread_id: str) -> str:
        """Hash: the thread's record, its fence (`token`, `epoch`) and its event counters."""
        return self._thread("thread", thread_id)

    def runs(self, thread_id: str) -> str:
        """Hash: the thread's runs, several fields each: `<run_id>` (the request), `<run_id>:status`..."""
        return self._thread("runs", thread_id)

    def run_order(self, thread_id: str) -> str:
        """Sorted set, all scores 0: the ids of the thread's runs, which sort by time of creation."""
        return self._thread("run-order", thread_id)

    def queue(self, thread_id: str) -> str:
        """List: ids of the runs that wait or run, the active one first."""
        return self._thread("queue", thread_id)

    def events(self, thread_id: str) -> str:
        """Stream: the thread's events; also the name of its pub/sub channel."""
        return self._thread("events", thread_id)

    def checkpoints(self, thread_id: str) -> str:
        """Hash: checkpoints, channel values and writes of the thread."""
        return self._thread("checkpoints", thread_id)

    def checkpoint_index(self, thread_id: str) -> str:
        """Sorted set, all scores 0: names of the thread's checkpoints and writes in order."""
        return self._thread("checkpoint-index", thread_id)

    def idempotency(self, thread_id: str, key: str) -> str:
        """Hash: the run that was made under an Idempotency-Key, and the digest of what was asked.

        `key` is made of digests: the caller's, a point, and that of what the caller sent.
        """
        return f"{self._thread('idempotency', thread_id)}:{key}"

    def departed(self, thread_id: str) -> str:
        """String: a digest of whose thread this was, while the events of its only run are still kept."""
        return self._thread("departed", thread_id)

    def every(self, kind: str) -> str:
        """Pattern of the keys of a kind."""
        return f"{self.prefix}:{{*}}:{kind}:*"

    # a lane
    def ready(self, lane: int) -> str:
        """Stream with the consumer group `workers`: threads whose next run may start."""
        return f"{self._bases[lane]}ready"

    def waiting(self, lane: int) -> str:
        """Sorted set by turn: threads that wait for a place in `ready`."""
        return f"{self._bases[lane]}waiting"

    def shares(self, lane: int) -> str:
        """Hash: the last turn of each tenant that has threads waiting; under "" the turn that is on now."""
        return f"{self._bases[lane]}shares"

    def queued(self, lane: int) -> str:
        """Hash: how many runs of a tenant have not ended; under "" of all of them."""
        return f"{self._bases[lane]}queued"

    def due(self, lane: int) -> str:
        """Sorted set by due time (ms): runs that start later."""
        return f"{self._bases[lane]}due"

    def threads(self, lane: int, tenant: str, owner: str = "") -> str:
        """Sorted set by time of creation (us): the threads of an owner or, without one, of the tenant."""
        return f"{self._bases[lane]}threads:{quote(tenant, safe='')}:{quote(owner, safe='')}"

    def every_index(self, lane: int) -> str:
        """Pattern of all the lane's indexes of threads."""
        return f"{self._bases[lane]}threads:*"

    def registry(self, lane: int) -> str:
        """Set: ids of the threads that have checkpoints."""
        return f"{self._bases[lane]}registry"

    def sweep(self, lane: int) -> str:
        """String: how far the search for ids of expired threads has come."""
        return f"{self._bases[lane]}sweep"

    def cancels(self, lane: int) -> str:
        """Pub/sub channel: runs to be cancelled at once."""
        return f"{self._bases[lane]}cancels"

    # the installation
    def installation(self) -> str:
        """Hash: what every process must agree on (number of lanes, version of the records)."""
        return f"{self.prefix}:installation"

    def secret(self, name: str) -> str:
        """String: a secret that the processes of one installation share."""
        return f"{self.prefix}:secret:{name}"

    def api_key(self, key_id: str) -> str:
        """Hash: an API key, with the digest of its secret."""
        return f"{self.prefix}:api-key:{key_id}"

    def api_keys(self) -> str:
        """Set: the ids of all API keys."""
        return f"{self.prefix}:api-keys"
