"""As `mutants`: the mechanisms of approvals."""

from tests.mutants import SCRIPTS, Mutation

MUTATIONS = (
    Mutation(
        "a vote overwrites one that was cast meanwhile",
        f"{SCRIPTS}/change_approval.lua",
        " or known[2] ~= revision then",
        " then",
        "tests/api/test_approvals.py -k racing_votes",
    ),
    Mutation(
        "a decision rests on votes that have changed",
        f"{SCRIPTS}/submit.lua",
        "if ballot.revision ~= '' and ballot.revision ~= revision then",
        "if false then",
        "tests/engine/test_ballots.py",
    ),
    Mutation(
        "what was done to a request does not raise its revision",
        f"{SCRIPTS}/approvals.lua",
        "redis.call('HINCRBY', approvals.hash, request .. ':revision', 1)",
        "redis.call('HINCRBY', approvals.hash, request .. ':revision', 0)",
        "tests/api/test_approvals.py -k 'racing_votes or since'",
    ),
    Mutation(
        "the same person counts twice",
        "api/holdfast/core/votes.py",
        'if vote["by"] == new["by"]:',
        "if False:",
        "tests/api/test_approvals.py -k two_have",
    ),
    Mutation(
        "an edit keeps the votes before it",
        "api/holdfast/core/votes.py",
        'counting([] if kind == "edit" else approval.votes, new)',
        "counting(approval.votes, new)",
        "tests/api/test_approvals.py -k voids",
    ),
    Mutation(
        "who asked may decide",
        "api/holdfast/core/votes.py",
        'if approval.card["exclude_requester"] and',
        "if False and",
        "tests/api/test_approvals.py -k excluded",
    ),
    Mutation(
        "a claim keeps nobody off",
        "api/holdfast/core/votes.py",
        'if claim and claim["by"] != caller.subject:',
        "if False:",
        "tests/api/test_approvals.py -k keeps_others",
    ),
    Mutation(
        "everybody sees every approval of the tenant",
        "api/holdfast/core/approvals.py",
        "if approval.tenant != caller.tenant:\n        return False",
        "if approval.tenant == caller.tenant:\n        return True",
        "tests/api/test_approvals.py -k foreign",
    ),
    Mutation(
        "a thread expires while a request of it waits",
        f"{SCRIPTS}/thread.lua",
        "if string.find(at[2] or '', '%S') or",
        "if",
        "tests/api/test_approvals.py -k fails_leaves",
    ),
    Mutation(
        "a decision outlives the run that was to carry it out",
        f"{SCRIPTS}/approvals.lua",
        "  for request in pairs(asked.decisions or {}) do take_back",
        "  for request in pairs({}) do take_back",
        "tests/api/test_approvals.py -k goes_with_the_run",
    ),
    Mutation(
        "a decision is told before it is on disk",
        "api/holdfast/redis/disk.py",
        "    return bool(answer[0])",
        "    return True",
        "tests/faults/test_disk.py",
    ),
    Mutation(
        "the bank is asked under another key each time",
        "tools/refunds.py",
        "await provider.refund(row.request_id,",
        "await provider.refund(__import__('uuid').uuid4().hex,",
        "tests/chaos/test_chaos.py -k failpoints",
    ),
    Mutation(
        "a step that is done again asks for another refund",
        "graph/minting.py",
        'made_id("asked",',
        "made_id(__import__('uuid').uuid4(),",
        "tests/chaos/test_chaos.py -k failpoints",
    ),
    Mutation(
        "the ledger knows nothing of what was asked before",
        "tools/refunds.py",
        "    known = await fetch_entry(connection, request_id)\n    if known is None:",
        "    known = None\n    if known is None:",
        "tests/chaos/test_chaos.py -k failpoints",
    ),
)
