"""The mechanisms of limits that `make check-mutations` takes out, and the tests that must notice."""

from tests.mutants import SCRIPTS, Mutation

MUTATIONS = (
    Mutation(
        "a request takes nothing out of its bucket",
        f"{SCRIPTS}/take.lua",
        "redis.call('SET', key, string",
        "local _ = (key and string",
        "tests/chaos/test_chaos.py -k limits",
    ),
    Mutation(
        "the callers of a tenant share a bucket",
        "api/holdfast/limits/rates.py",
        "self._keys.rate(caller.tenant, caller.subject), *self._of_caller",
        "self._keys.rate(caller.tenant), *self._of_caller",
        "tests/chaos/test_chaos.py -k limits",
    ),
    Mutation(
        "a refused caller takes from the tenant",
        f"{SCRIPTS}/take.lua",
        "if lacking > 0 then return",
        "if lacking == #KEYS then return",
        "tests/engine/test_buckets.py",
    ),
    Mutation(
        "a dropped run stays counted",
        f"{SCRIPTS}/submit.lua",
        "      count_out(lane, runs, other, tenant)\n",
        "",
        "tests/engine/test_counts.py",
    ),
    Mutation(
        "a stream that has ended stays counted",
        "api/holdfast/routes/sse.py",
        "self.counted.close()",
        "pass",
        "tests/api/test_open_streams.py -k a_caller",
    ),
    Mutation(
        "streams of dead replicas stay counted",
        f"{SCRIPTS}/open_stream.lua",
        "  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)\n",
        "",
        "tests/api/test_open_streams.py -k killed",
    ),
    Mutation(
        "a step that runs again spends again",
        f"{SCRIPTS}/spend.lua",
        "redis.call('HGET', KEYS[2], field) or '{}'",
        "'{}'",
        "tests/api/test_token_budget.py -k taken_over",
    ),
)
