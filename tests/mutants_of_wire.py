"""As `mutants`: histories, many runs at once, and protocol v3 over WebSockets."""

from tests.mutants import SCRIPTS, Mutation

MUTATIONS = (
    Mutation(
        "a copy is whose who made it",
        "api/holdfast/core/histories.py",
        "**dict.fromkeys(MOMENTS, now), **own}",
        '**dict.fromkeys(MOMENTS, now), **own, b"owner": b"op"}',
        "tests/api/test_histories.py -k belongs",
    ),
    Mutation(
        "a new time to live is forgotten while a run is at work",
        f"{SCRIPTS}/thread.lua",
        "  if at[5] and (ttl ~= 0",
        "  if false and (ttl ~= 0",
        "tests/api/test_histories.py -k kept_is_told",
    ),
    Mutation(
        "of a batch that is refused some runs stay",
        "api/holdfast/core/batches.py",
        '        await settle(platform, batch, "dropped")\n        raise',
        "        raise",
        "tests/api/test_batches.py -k refused",
    ),
    Mutation(
        "pieces of a card number are told among the events of callbacks",
        "api/holdfast/events.py",
        "if mode == EVENTS and self._redactor and",
        "if False and",
        "tests/redaction/test_events.py -k callbacks",
    ),
    Mutation(
        "any page opens a WebSocket",
        "api/holdfast/routes/sockets.py",
        "        check_origin(websocket)",
        "        pass",
        "tests/api/test_protocol_sockets.py -k other_origins",
    ),
    Mutation(
        "a foreign page opens a WebSocket as its visitor",
        "api/holdfast/routes/sockets.py",
        " and may_sign_in(websocket)",
        "",
        "tests/auth/test_gateway.py -k foreign_page",
    ),
    Mutation(
        "a key for reading writes over a WebSocket",
        "api/holdfast/core/subscriptions.py",
        'and "write" not in self._caller.scopes',
        "and False",
        "tests/auth/test_api_keys.py -k for_reading",
    ),
    Mutation(
        "a node that calls sys.exit() ends its worker",
        "api/holdfast/cli/loops.py",
        "if main.done():",
        "if True:",
        "tests/faults/test_nodes.py -k exits",
    ),
    Mutation(
        "runs of a batch begin before all of them are made",
        "api/holdfast/core/batches.py",
        "stamp=stamp, held=True",
        "stamp=stamp, held=False",
        "tests/api/test_all_or_nothing.py",
    ),
    Mutation(
        "a batch whose maker has died stays",
        "api/holdfast/core/batches.py",
        "await carry_out(platform, batch, fate)\n\n\nasync def cancel",
        "pass\n\n\nasync def cancel",
        "tests/api/test_all_or_nothing.py",
    ),
    Mutation(
        "a batch is decided on twice",
        f"{SCRIPTS}/batch_decide.lua",
        "redis.call('HSETNX', KEYS[1], 'fate', ARGV[1])",
        "redis.call('HSET', KEYS[1], 'fate', ARGV[1])",
        "tests/api/test_all_or_nothing.py -k decided_on",
    ),
    Mutation(
        "a history is written to a thread that is there already",
        "api/holdfast/core/histories.py",
        "foreign = platform.foreign_checkpointer",
        "foreign = True",
        "tests/api/test_all_or_nothing.py -k dies",
    ),
    Mutation(
        "a checkpoint comes after the state that it holds",
        "api/holdfast/core/frames.py",
        'return [*held_by(namespace, event.reference), Frame("values", namespace, orjson.Fragment(data))]',
        'return [Frame("values", namespace, orjson.Fragment(data)), *held_by(namespace, event.reference)]',
        "tests/api/test_protocol_steps.py -k checkpoint",
    ),
)
