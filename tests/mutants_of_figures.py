"""As `mutants`: the mechanisms of figures, ratings and the project's own routes."""

from tests.mutants import SCRIPTS, Mutation

MUTATIONS = (
    Mutation(
        "a second rating is counted beside the first",
        f"{SCRIPTS}/rate.lua",
        "if old ~= '' and redis.call('EXISTS', past) == 1 then",
        "if false then",
        "tests/api/test_ratings.py -k second",
    ),
    Mutation(
        "ratings at once are all counted",
        f"{SCRIPTS}/rate.lua",
        "if known ~= old then return 'changed' end",
        "",
        "tests/api/test_ratings.py -k at_once",
    ),
    Mutation(
        "staff rate the conversations of others",
        "api/holdfast/core/ratings.py",
        "if caller.subject != thread.owner:",
        "if False:",
        "tests/api/test_ratings.py -k only_whose",
    ),
    Mutation(
        "everybody sees the figures of a tenant",
        "api/holdfast/core/stats.py",
        "if not caller.staff:",
        "if False:",
        "tests/api/test_stats.py -k only_staff",
    ),
    Mutation(
        "a run that was handed back still counts as running",
        f"{SCRIPTS}/release.lua",
        "count_running(lane, tenant, -1)\n",
        "",
        "tests/engine/test_counts.py -k exact",
    ),
    Mutation(
        "a run that was taken over counts as running twice",
        f"{SCRIPTS}/claim.lua",
        "if redis.call('HGET', runs, run .. ':status') ~= 'running' then count_running",
        "if true then count_running",
        "tests/engine/test_counts.py -k exact",
    ),
    Mutation(
        "a thread is handed over as often as somebody takes it",
        f"{SCRIPTS}/stats.lua",
        "if redis.call('HGET', thread, 'counted:' .. name) == day then return end",
        "",
        "tests/api/test_stats.py -k once_a_day",
    ),
    Mutation(
        "every caller is staff to the project's own routes",
        "api/holdfast/routes/custom.py",
        '"staff": caller.staff',
        '"staff": True',
        "tests/api/test_custom_routes.py -k knows_who",
    ),
    Mutation(
        "a page of any origin calls as its visitor",
        "api/holdfast/app.py",
        "if cors.allow_credentials and ANY in origins:",
        "if False:",
        "tests/api/test_custom_routes.py -k no_sense",
    ),
    Mutation(
        "the customers of the demo are told in production",
        "graph/web.py",
        "@requires(DEV, status_code=404)\nasync def demo_customers",
        "async def demo_customers",
        "tests/graph/test_web.py -k production",
    ),
)
