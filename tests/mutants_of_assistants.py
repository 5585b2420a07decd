"""What keeps assistants and their versions right, taken out one at a time; see `tests.mutants`."""

from tests.mutants import SCRIPTS, Mutation

MUTATIONS = (
    Mutation(
        "of two changes of an assistant at once the second one undoes the first",
        f"{SCRIPTS}/assistant_change.lua",
        "if redis.call('HGET', KEYS[1], 'revision') ~= ARGV[1] then return 0 end",
        "",
        "tests/api/test_own_assistants.py -k at_once",
    ),
    Mutation(
        "a change whose reply was lost makes two versions",
        f"{SCRIPTS}/assistant_change.lua",
        "if redis.call('HGET', KEYS[1], 'mark') == ARGV[2] then",
        "if false then",
        "tests/api/test_own_assistants.py -k reply_was_lost",
    ),
    Mutation(
        "a decision goes on without what was asked with",
        "api/holdfast/core/pauses.py",
        "    if stored is None:",
        "    if True:",
        "tests/api/test_assistant_runs.py -k decision",
    ),
    Mutation(
        "an answer goes back to where the run began that paused",
        "api/holdfast/core/pauses.py",
        "if name not in CheckpointAddress.model_fields",
        "if True",
        "tests/api/test_assistant_runs.py -k began_at_a_checkpoint",
    ),
    Mutation(
        "an assistant says more than the run that names it",
        "api/holdfast/core/requests.py",
        '{**content.context, **base.get("configurable", {}), **given}',
        '{**given, **content.context, **base.get("configurable", {})}',
        "tests/api/test_assistant_runs.py -k goes_before",
    ),
    Mutation(
        "the crons of an assistant outlive it",
        "api/holdfast/core/cascade.py",
        "        await crons.remove(platform, cron)",
        "        pass",
        "tests/api/test_assistant_runs.py -k crons_go",
    ),
    Mutation(
        "a graph is given a context that it has no field for",
        "api/holdfast/execute/inputs.py",
        "    if is_dataclass(schema):",
        "    if False:",
        "tests/api/test_assistant_runs.py -k config_context_and_metadata",
    ),
)
