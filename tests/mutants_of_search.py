"""What the search of threads rests on: `make check-mutations` takes it out, and tests must notice."""

from tests.mutants import SCRIPTS, Mutation

INDEX = f"{SCRIPTS}/thread_index.lua"
FOUND = "tests/engine/test_thread_index.py -k finds"

MUTATIONS = (
    Mutation(
        "a thread stays under the status that it had",
        INDEX,
        "at[6] and {at[6], at[4]} or STATUSES",
        "{at[4]}",
        "tests/engine/test_counts.py -k exact",
    ),
    Mutation(
        "metadata that was replaced still finds the thread",
        INDEX,
        "    change_to(index, place, past, now)\n",
        "",
        FOUND,
    ),
    Mutation(
        "a run that brings metadata leaves the index as it was",
        f"{SCRIPTS}/submit.lua",
        "local described = not exists or differs(thread, ARGV, fields)",
        "local described = not exists",
        FOUND,
    ),
    Mutation(
        "an update leaves the order of updates as it was",
        INDEX,
        "if index.updates then redis.call('ZADD'",
        "if false then redis.call('ZADD'",
        FOUND,
    ),
    Mutation(
        "who has a thread is not told the index",
        f"{SCRIPTS}/hold.lua",
        "index_hold(index, thread, ARGV[1])\n",
        "",
        FOUND,
    ),
    Mutation(
        "a graph that asks for a person is not told the index",
        f"{SCRIPTS}/write.lua",
        "if #asked > 0 then index_hold",
        "if false then index_hold",
        "tests/engine/test_holds.py -k together_with",
    ),
    Mutation(
        "a thread that has expired is counted",
        "api/holdfast/core/thread_matches.py",
        "        if gone:\n            return await self._count(question)\n",
        "",
        "tests/engine/test_thread_index.py -k expires",
    ),
    Mutation(
        "a run that begins leaves its thread among those that expire",
        INDEX,
        "    redis.call('ZREM', index.expiry, thread_id)\n  end",
        "  end",
        "tests/engine/test_thread_index.py -k finds",
    ),
    Mutation(
        "a thread of very many values is found by none",
        "api/holdfast/core/thread_matches.py",
        "if described.found else asked",
        "if False else asked",
        FOUND,
    ),
    Mutation(
        "what terms cannot say is not looked for in the record",
        "api/holdfast/core/thread_matches.py",
        "closer = bool(wanted.values) or not described.exact",
        "closer = bool(wanted.values)",
        FOUND,
    ),
    Mutation(
        "true is 1 in the index",
        INDEX,
        "return value and 't' or 'f'",
        "return value and 'd1' or 'd0'",
        FOUND,
    ),
    Mutation(
        "the members of a thread that had the id before stay",
        INDEX,
        "    unindex(index, thread_id)\n  elseif before",
        "  elseif before",
        "tests/engine/test_thread_index.py -k used_before",
    ),
    Mutation(
        "threads of an earlier version are not found",
        "api/holdfast/redis/thread_index.py",
        "    await reindex_all(client, keys, batch)\n    async for",
        "    async for",
        "tests/engine/test_thread_index.py -k earlier_version",
    ),
    Mutation(
        "what an earlier version has changed stays in the index as it was",
        "api/holdfast/redis/sweep.py",
        "    await compare(client, keys, lane)\n",
        "",
        "tests/engine/test_thread_index.py -k in_step",
    ),
)
