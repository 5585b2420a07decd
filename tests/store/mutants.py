"""What the store rests on, taken out one at a time by `make check-mutations`; see `tests.mutants`."""

from tests.mutants import SCRIPTS, Mutation

MUTATIONS = (
    Mutation(
        "everybody reads every item by its name",
        f"{SCRIPTS}/item_get.lua",
        "not item or not owned(item, ARGV[3])",
        "not item",
        "tests/tenancy/test_matrix.py -k bob-of-north-ann-of-north",
    ),
    Mutation(
        "everybody finds every item by a search",
        "api/holdfast/core/store.py",
        "owner = caller.subject if caller.conditions else caller.owner_filter",
        'owner = ""',
        "tests/tenancy/test_matrix.py -k bob-of-north-ann-of-north",
    ),
    Mutation(
        "an item of somebody else is written over",
        f"{SCRIPTS}/item_put.lua",
        "if kept and not owned(old, ARGV[4]) then return 0 end",
        "",
        "tests/store/test_store.py -k owner",
    ),
    Mutation(
        "an item of somebody else is deleted",
        f"{SCRIPTS}/item_delete.lua",
        "if which == 'owned' and not owned(item, ARGV[5]) then return 0 end",
        "",
        "tests/store/test_store.py -k owner",
    ),
    Mutation(
        "a run sees the store of whoever",
        "api/holdfast/worker.py",
        "platform.store(claim.tenant, claim.owner)",
        'platform.store("north", claim.owner)',
        "tests/store/test_routes.py -k own_tenant",
    ),
    Mutation(
        "a run that has lost its thread writes to the store",
        "api/holdfast/execute/opening.py",
        "        self._store.revoke()\n",
        "",
        "tests/store/test_routes.py -k lost",
    ),
    Mutation(
        "an item is read after its time",
        f"{SCRIPTS}/item.lua",
        "return due and tonumber(due) * 1000 > at_us",
        "return true",
        "tests/store/test_store.py -k expired",
    ),
    Mutation(
        "expired items are never deleted",
        "api/holdfast/redis/sweep.py",
        "due = await store.expire(client, keys, lane, SLICE)",
        "due = 0",
        "tests/store/test_store.py -k expired",
    ),
    Mutation(
        "an item that was put again goes at the time of the one before",
        f"{SCRIPTS}/item_delete.lua",
        "if which == 'expired' and alive(item, KEYS[5], name, now_us()) then return 0 end",
        "",
        "tests/store/test_store.py -k put_again",
    ),
    Mutation(
        "reading keeps no item",
        f"{SCRIPTS}/item_get.lua",
        "ARGV[4] == '1' and",
        "false and",
        "tests/store/test_store.py -k another_ttl",
    ),
    Mutation(
        "an erased person's items stay",
        "api/holdfast/core/erasure.py",
        "    delete_items,  # of the store\n",
        "",
        "tests/api/test_erasure.py -k nothing_in_redis",
    ),
    Mutation(
        "a filter is no filter",
        "api/holdfast/store/filters.py",
        "    match tests:\n",
        "    return lambda _: True\n    match tests:\n",
        "tests/store/test_store.py -k compared",
    ),
)
