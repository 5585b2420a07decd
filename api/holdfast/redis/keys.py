"""Every Redis key, built in one place.

All keys of a thread carry the hash tag of its lane, so that one script can change them together,
on a cluster too.
"""

from binascii import crc_hqx
from datetime import date
from functools import cache
from itertools import count
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

    def contents(self, thread_id: str) -> list[str]:
        """What a thread has beside its record and its requests, in the order in which scripts take it."""
        kinds = self.runs, self.run_order, self.events, self.checkpoints, self.checkpoint_index
        return [kind(thread_id) for kind in kinds]

    def lapsing(self, thread_id: str) -> list[str]:
        """All that goes when the thread's time is up, in the order of `lapsing_of` in `thread.lua`."""
        return [self.thread(thread_id), *self.contents(thread_id), self.approvals(thread_id)]

    def idempotency(self, thread_id: str, key: str) -> str:
        """Hash: the run that was made under an Idempotency-Key, and the digest of what was asked.

        `key` is made of digests: the caller's, a point, and that of what the caller sent.
        """
        return f"{self._thread('idempotency', thread_id)}:{key}"

    def departed(self, thread_id: str) -> str:
        """String: a digest of whose thread this was, while the events of its only run are still kept."""
        return self._thread("departed", thread_id)

    def approvals(self, thread_id: str) -> str:
        """Hash: the thread's requests, several fields each: `<request_id>`, `<request_id>:status`..."""
        return self._thread("approvals", thread_id)

    def cron(self, cron_id: str) -> str:
        """Hash: a cron. That of a thread has an id of the thread's lane."""
        return self._thread("cron", cron_id)

    def batch(self, batch_id: str) -> str:
        """Hash: the runs of a batch while it is made, and what becomes of them."""
        return self._thread("batch", batch_id)

    def assistant(self, assistant_id: str) -> str:
        """Hash: an assistant, with the content of the version in use."""
        return self._thread("assistant", assistant_id)

    def assistant_versions(self, assistant_id: str) -> str:
        """Hash: the latest versions of an assistant by number, each the time (us) and the content."""
        return self._thread("assistant-versions", assistant_id)

    def letters(self, thread_id: str) -> str:
        """Hash: what webhooks are to be told of the thread, or could not be: `<id>`, `<id>:attempts`..."""
        return self._thread("letters", thread_id)

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
        """Hash: how many runs have not ended of a tenant, of a `<tenant>\\x1f<caller>`; under "" of all."""
        return f"{self._bases[lane]}queued"

    def timers(self, lane: int) -> str:
        """Sorted set by due time (ms): what is to happen then; see `redis/timers.py`."""
        return f"{self._bases[lane]}timers"

    def crons(self, lane: int, tenant: str, owner: str = "") -> str:
        """Sorted set by time of creation (us): the crons of an owner or, without one, of the tenant."""
        return f"{self._bases[lane]}crons:{quote(tenant, safe='')}:{quote(owner, safe='')}"

    def assistants(self, lane: int, tenant: str, owner: str = "") -> str:
        """Sorted set by time of creation (us): the assistants of an owner or, without one, of the tenant."""
        return f"{self._bases[lane]}assistants:{quote(tenant, safe='')}:{quote(owner, safe='')}"

    def tokens(self, lane: int, tenant: str, subject: str) -> str:
        """String, until midnight UTC: the tokens that a caller has used today, by runs in the lane."""
        return f"{self._bases[lane]}tokens:{quote(tenant, safe='')}:{quote(subject, safe='')}"

    def outbox(self, lane: int) -> str:
        """Sorted set by due time (ms): letters to be delivered; also the channel that tells of new ones."""
        return f"{self._bases[lane]}outbox"

    def disk(self, lane: int) -> str:
        """String: written by who wants to know that all that was written before is on disk."""
        return f"{self._bases[lane]}disk"

    def dead(self, lane: int) -> str:
        """Sorted set by time (ms): letters that were given up."""
        return f"{self._bases[lane]}dead"

    def failed(self, lane: int, tenant: str) -> str:
        """Sorted set by time (us): the threads of a tenant whose last run failed."""
        return f"{self._bases[lane]}failed:{quote(tenant, safe='')}"

    def given_up(self, lane: int, tenant: str) -> str:
        """Sorted set by time (us): those of them whose run has used up its attempts."""
        return f"{self._bases[lane]}given-up:{quote(tenant, safe='')}"

    def threads(self, lane: int) -> str:
        """Sorted set, all scores 0: what the lane's threads are looked for by, see `thread_index.lua`."""
        return f"{self._bases[lane]}threads"

    def thread_terms(self, lane: int) -> str:
        """Hash: by thread what of it stands in `threads`, so that it can be taken out without its record."""
        return f"{self._bases[lane]}thread-terms"

    def thread_expiry(self, lane: int) -> str:
        """Sorted set by due time (ms): the lane's threads that expire."""
        return f"{self._bases[lane]}thread-expiry"

    def thread_updates(self, lane: int, tenant: str) -> str:
        """Sorted set by the time of the last update (us): a tenant's threads, `<created_at> <thread_id>`."""
        return f"{self._bases[lane]}thread-updates:{quote(tenant, safe='')}"

    def every_index(self, lane: int, kind: str) -> str:
        """Pattern of all the lane's indexes of a kind, one for each tenant or owner."""
        return f"{self._bases[lane]}{kind}:*"

    def registry(self, lane: int) -> str:
        """Set: ids of the threads that have checkpoints."""
        return f"{self._bases[lane]}registry"

    def sweep(self, lane: int, kind: str) -> str:
        """String: how far the search for what has expired has come in the lane's indexes of a kind."""
        return f"{self._bases[lane]}sweep:{kind}"

    def cancels(self, lane: int) -> str:
        """Pub/sub channel: runs to be cancelled at once."""
        return f"{self._bases[lane]}cancels"

    def open_approvals(self, lane: int, tenant: str) -> str:
        """Sorted set by due time (ms): requests that wait, each `<thread_id>\\x1f<request_id>`."""
        return f"{self._bases[lane]}open-approvals:{quote(tenant, safe='')}"

    def asked(self, lane: int) -> str:
        """Sorted set by time of asking (us): all requests that wait, named as in `open_approvals`."""
        return f"{self._bases[lane]}asked"

    def closed_approvals(self, lane: int, tenant: str) -> str:
        """Sorted set by time (us): requests of a tenant that wait no more."""
        return f"{self._bases[lane]}closed-approvals:{quote(tenant, safe='')}"

    def stats(self, lane: int, tenant: str, day: date) -> str:
        """Hash: what happened on a day in the lane, as `stats.lua` counts it."""
        return f"{self._bases[lane]}stats:{quote(tenant, safe='')}:{day.isoformat()}"

    def feed(self, lane: int, tenant: str) -> str:
        """What stands for a thread's id in the keys of the log of what happens to a tenant's requests."""
        name = f"approvals:{quote(tenant, safe='')}"
        return next(found for n in count() if self.lane(found := f"{name}:{n}") == lane)

    # the store: all that a tenant keeps in it is in one lane, that of the tenant's name
    def _store(self, kind: str, tenant: str) -> str:
        return f"{self._bases[self.lane(tenant)]}store-{kind}:{quote(tenant, safe='')}"

    def store_items(self, tenant: str, namespace: str) -> str:
        """Hash: the items of a namespace by their keys, as `item.lua` packs them."""
        return f"{self._store('items', tenant)}:{quote(namespace, safe='')}"

    def store_vectors(self, tenant: str, namespace: str) -> str:
        """Hash: what of these items is searched by meaning, as vectors."""
        return f"{self._store('vectors', tenant)}:{quote(namespace, safe='')}"

    def store_namespaces(self, tenant: str) -> str:
        """Sorted set, all scores 0: the namespaces that hold items."""
        return self._store("namespaces", tenant)

    def store_people(self, tenant: str) -> str:
        """Sorted set, all scores 0: each person with each of the items of which they are owner or author."""
        return self._store("people", tenant)

    def store_expiry(self, lane: int) -> str:
        """Sorted set by due time (ms): the items of the lane's tenants that expire."""
        return f"{self._bases[lane]}store-expiry"

    def audit(self, lane: int) -> str:
        """Stream, for ever: the lane's audit trail."""
        return f"{self._bases[lane]}audit"

    def pseudonyms(self, lane: int) -> str:
        """Hash, for ever: the pseudonyms in the audit trail, by `[tenant, subject]`."""
        return f"{self._bases[lane]}pseudonyms"

    def people(self, lane: int) -> str:
        """Hash, for ever: who stands behind the pseudonyms in the audit trail, until erased."""
        return f"{self._bases[lane]}people"

    def lasting(self, lane: int) -> list[str]:
        """All that is kept for ever: what was done to requests for approval, and by whom."""
        return [self.audit(lane), self.pseudonyms(lane), self.people(lane)]

    # a tenant, wherever its threads are: what its callers use is counted together with what it uses
    def _tenant(self, kind: str, tenant: str, subject: str | None) -> str:
        base = f"{self.prefix}:{{tenant:{quote(tenant, safe='')}}}:{kind}"
        return base if subject is None else f"{base}:{quote(subject, safe='')}"

    def rate(self, tenant: str, subject: str | None = None) -> str:
        """String: when a tenant, or one of its callers, may make as many requests at once as ever (us)."""
        return self._tenant("rate", tenant, subject)

    def streams(self, tenant: str, subject: str | None = None) -> str:
        """Sorted set by the end of their leases (ms): open streams of a tenant, or of one of its callers."""
        return self._tenant("streams", tenant, subject)

    # the installation
    def installation(self) -> str:
        """Hash: what every process must agree on (number of lanes), the version of the records, and the
        digest of what has embedded the shared items."""
        return f"{self.prefix}:installation"

    def declared_crons(self) -> str:
        """Hash: the ids of the crons that langgraph.json asks for, by their names."""
        return f"{self.prefix}:declared-crons"

    def shared_lock(self) -> str:
        """String, for a minute: who brings up to date what the project shares with all tenants."""
        return f"{self.prefix}:shared-lock"

    def secret(self, name: str) -> str:
        """String: a secret that the processes of one installation share."""
        return f"{self.prefix}:secret:{name}"

    def api_key(self, key_id: str) -> str:
        """Hash: an API key, with the digest of its secret."""
        return f"{self.prefix}:api-key:{key_id}"

    def api_keys(self) -> str:
        """Set: the ids of all API keys."""
        return f"{self.prefix}:api-keys"
