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
        "not visible(KEYS[1], ARGV[2], ARGV[3])",
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
        "approvals are shown to everybody of their tenant",
        "api/holdfast/core/approvals.py",
        'return caller.owner_filter in ("", approval.owner)',
        "return True",
        "tests/tenancy/test_matrix.py -k bob-of-north-ann-of-north",
    ),
    Mutation(
        "who holds a role decides for other tenants too",
        "api/holdfast/core/approvals.py",
        "    if approval.tenant != caller.tenant:\n        return False",
        "",
        "tests/tenancy/test_matrix.py -k eve-of-south-ann-of-north",
    ),
    Mutation(
        "the feed tells everybody of everything",
        "api/holdfast/core/approval_feed.py",
        "if approval and await approvals.may_see(platform, self.caller, approval):",
        "if approval:",
        "tests/tenancy/test_streams.py",
    ),
    Mutation(
        "the thread of a request is read before its owner is looked at",
        "api/holdfast/core/approvals.py",
        "        if caller.conditions:",
        "        if True:",
        "tests/tenancy/test_costs.py",
    ),
    Mutation(
        "who holds a role sees the request only with its thread",
        "api/holdfast/core/approvals.py",
        "return bool(set(approval.roles) & set(caller.roles)) or await",
        "return await",
        "tests/tenancy/test_matrix.py -k who_is_asked",
    ),
    Mutation(
        "one thread that the project's rules refuse spoils the whole list",
        "api/holdfast/core/approvals.py",
        "except (Forbidden, Refused, ThreadNotFound):",
        "except ThreadNotFound:",
        "tests/auth/test_approvals.py",
    ),
    Mutation(
        "everybody uses every cron",
        "api/holdfast/core/crons.py",
        "crons.read(platform.client, platform.keys, cron_id, caller)\n"
        "    if record is None or not caller.may_use(record):",
        "crons.load(platform.client, platform.keys, cron_id)\n    if record is None:",
        "tests/tenancy/test_matrix.py -k bob-of-north-ann-of-north",
    ),
    Mutation(
        "everybody uses every assistant",
        "api/holdfast/core/assistants.py",
        "stored.read(platform.client, platform.keys, assistant_id, caller)\n"
        "    if record is None or not may_use(caller, record):",
        "stored.read(\n"
        '            platform.client, platform.keys, assistant_id, replace(caller, within="")\n'
        "        )\n"
        "    if record is None:",
        "tests/tenancy/test_matrix.py -k bob-of-north-ann-of-north",
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
