"""As `mutants`: the mechanisms of timers and crons."""

from tests.mutants import SCRIPTS, Mutation

MUTATIONS = (
    Mutation(
        "that a tick had its run is forgotten with the run",
        "api/holdfast/core/ticks.py",
        "            once=lua.Once(",
        "            once=None and lua.Once(",
        "tests/api/test_ticks.py -k run_is_gone",
    ),
    Mutation(
        "each worker has a run of its own for a tick",
        "api/holdfast/core/ticks.py",
        'chance = sha256(f"{record.seed}',
        'chance = sha256(f"{id(object())}{record.seed}',
        "tests/api/test_ticks.py",
    ),
    Mutation(
        "a tick overwrites what was changed meanwhile",
        f"{SCRIPTS}/cron_change.lua",
        "if redis.call('HGET', KEYS[1], 'revision') ~= ARGV[1]",
        "if redis.call('EXISTS', KEYS[1]) == 0",
        "tests/api/test_ticks.py",
    ),
    Mutation(
        "a timer is nobody's while it is dealt with",
        f"{SCRIPTS}/timers_take.lua",
        "redis.call('ZADD', KEYS[1], ARGV[2], ARGV[i])",
        "",
        "tests/engine/test_timers.py",
    ),
    Mutation(
        "a timer that was set anew is taken off",
        f"{SCRIPTS}/timers_settle.lua",
        "due and tonumber(due) == tonumber(ARGV[1])",
        "due",
        "tests/engine/test_timers.py",
    ),
    Mutation(
        "a cron outlives its thread",
        f"{SCRIPTS}/delete_thread.lua",
        "if crons and crons ~= '' then return crons end",
        "",
        "tests/api/test_ticks.py -k with_its_thread",
    ),
    Mutation(
        "the crons of an erased person go on",
        "api/holdfast/core/erasure.py",
        "    delete_crons,  # nothing",
        "    # nothing",
        "tests/api/test_erasure.py",
    ),
    Mutation(
        "the older checkpoints of a thread stay at the end of its time",
        f"{SCRIPTS}/thread.lua",
        "  prune_later(lapsing.thread, timers, thread_id, ttl, at[7])\n",
        "",
        "tests/api/test_lifetimes.py -k latest",
    ),
    Mutation(
        "older checkpoints go although the thread is to go as a whole",
        f"{SCRIPTS}/thread.lua",
        "    redis.call('ZREM', timers, member)\n",
        "",
        "tests/api/test_lifetimes.py -k something_holds",
    ),
    Mutation(
        "older checkpoints of a copy stay",
        f"{SCRIPTS}/import.lua",
        "prune_later(thread, KEYS[13], ARGV[2], tonumber(ARGV[3]))\n",
        "",
        "tests/api/test_lifetimes.py -k copy",
    ),
)
