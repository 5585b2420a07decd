"""What keeps people apart, taken out one at a time by `make check-mutations`; see `tests.mutants`."""

from tests.mutants import SCRIPTS, Mutation

MUTATIONS = (
    Mutation(
        "a thread of somebody else is read before its owner is looked at",
        f"{SCRIPTS}/read_thread.lua",
        "if not visible(KEYS[1], ARGV[1], ARGV[2]) then return false end",
        "",
        "tests/tenancy/test_costs.py",
    ),
    Mutation(
        "a run of somebody else is found by its id",
        f"{SCRIPTS}/read_run.lua",
        "if not visible(KEYS[1], ARGV[1], ARGV[2]) then return false end",
        "",
        "tests/tenancy/test_matrix.py -k bob-of-north-ann-of-north",
    ),
    Mutation(
        "everybody may change a thread",
        f"{SCRIPTS}/update_thread.lua",
        "not visible(KEYS[1], ARGV[1], ARGV[2])",
        "redis.call('EXISTS', KEYS[1]) == 0",
        "tests/tenancy/test_matrix.py -k bob-of-north-ann-of-north",
    ),
    Mutation(
        "everybody may start a run on a thread",
        f"{SCRIPTS}/submit.lua",
        "if exists and not usable or not exists",
        "if not exists",
        "tests/tenancy/test_matrix.py -k bob-of-north-ann-of-north",
    ),
    Mutation(
        "staff use the threads of other tenants",
        f"{SCRIPTS}/thread.lua",
        "it[1] == tenant and (owner",
        "it[1] and (owner",
        "tests/tenancy/test_matrix.py -k kim-of-south",
    ),
    Mutation(
        "an Idempotency-Key is the same whoever sends it",
        "api/holdfast/core/once.py",
        'return str(uuid5(STATELESS, "\\0".join((caller.tenant, caller.subject, key))))',
        "return str(uuid5(STATELESS, key))",
        "tests/tenancy/test_matrix.py -k bob-of-north-ann-of-north",
    ),
    Mutation(
        "a session is the same whoever names it",
        "api/holdfast/core/chat.py",
        "caller.tenant, caller.subject, name)",
        "name)",
        "tests/tenancy/test_matrix.py -k bob-of-north-ann-of-north",
    ),
    Mutation(
        "a task is told to all staff",
        "api/holdfast/core/chat.py",
        "    if thread.owner != caller.subject:\n        return NO_TASK",
        "",
        "tests/tenancy/test_matrix.py -k personal",
    ),
    Mutation(
        "a stream of protocol v3 does not ask whose the thread is",
        "api/holdfast/core/protocol.py",
        "threads.find(self.platform, self.caller, self.thread_id)",
        "threads.find(self.platform, Caller('', self.caller.tenant, staff=True), self.thread_id)",
        "tests/tenancy/test_streams.py",
    ),
    Mutation(
        "the staff of one tenant erase what a project keeps of another's people",
        "api/holdfast/core/erasure.py",
        '{"tenant": person.tenant} if',
        '{"tenant": "north"} if',
        "tests/tenancy/test_matrix.py -k kim-of-south",
    ),
    Mutation(
        "a body that is no JSON is an error of the server",
        "api/holdfast/routes/protocol.py",
        "    except orjson.JSONDecodeError:",
        "    except KeyError:",
        "tests/chaos/test_chaos.py -k fuzz",
    ),
)
