"""The mechanisms of webhooks that `make check-mutations` takes out."""

from tests.mutants import SCRIPTS, Mutation

WEBHOOKS = "api/holdfast/core/webhooks"

MUTATIONS = (
    Mutation(
        "a run's end tells no webhook",
        f"{SCRIPTS}/finish.lua",
        "if ARGV[#ARGV] ~= '' then",
        "if false then",
        "tests/engine/test_outbox.py",
    ),
    Mutation(
        "a letter that was taken is there for everybody",
        f"{SCRIPTS}/open_letter.lua",
        "if not due or tonumber(due) > tonumber(clock_ms(0)) then",
        "if not due then",
        "tests/engine/test_outbox.py",
    ),
    Mutation(
        "a worker that comes late says what became of a letter",
        f"{SCRIPTS}/settle_letter.lua",
        "~= ARGV[3] then",
        "== '' then",
        "tests/engine/test_outbox.py",
    ),
    Mutation(
        "a letter of a dead worker is not sent again",
        f"{SCRIPTS}/open_letter.lua",
        "clock_ms(tonumber(ARGV[3])), member",
        "clock_ms(9e9), member",
        "tests/webhooks/test_delivery.py -k killed",
    ),
    Mutation(
        "a letter has another id each time",
        f"{WEBHOOKS}/courier.py",
        "self._keyring(), letter.id, now",
        "self._keyring(), f'{letter.id}{letter.attempt}', now",
        "tests/webhooks/test_delivery.py -k asked_again",
    ),
    Mutation(
        "a target that fails is not asked again",
        f"{WEBHOOKS}/courier.py",
        'if verdict.kind == "delivered":',
        'if verdict.kind != "never":',
        "tests/webhooks/test_delivery.py -k asked_again",
    ),
    Mutation(
        "a slow target has all places",
        f"{WEBHOOKS}/gates.py",
        "asyncio.Semaphore(PLACES)",
        "asyncio.Semaphore(999)",
        "tests/webhooks/test_delivery.py -k slow_target",
    ),
    Mutation(
        "a webhook is not looked at when its run is made",
        "api/holdfast/core/runs.py",
        "        platform.targets.check(asked.webhook)",
        "        pass",
        "tests/webhooks/test_targets.py -k is_refused",
    ),
    Mutation(
        "what a name leads to is not looked at",
        f"{WEBHOOKS}/transport.py",
        "self._targets.check_ip(host, ip)",
        "pass",
        "tests/webhooks/test_transport.py",
    ),
    Mutation(
        "only the first address of a name is looked at",
        f"{WEBHOOKS}/transport.py",
        "for ip in ips:  #",
        "for ip in ips[:1]:  #",
        "tests/webhooks/test_transport.py",
    ),
    Mutation(
        "the way to a target is looked up once more",
        f"{WEBHOOKS}/transport.py",
        "url.copy_with(host=str(ip))",
        "url",
        "tests/webhooks/test_transport.py",
    ),
    Mutation(
        "IPv4 addresses in disguise are public",
        f"{WEBHOOKS}/targets.py",
        "isinstance(ip, IPv6Address) and ip not in PUBLIC_V6",
        "False",
        "tests/webhooks/test_targets.py -k not_public",
    ),
    Mutation(
        "letters of an erased person stay",
        "api/holdfast/core/erasure.py",
        "    forget_letters,  # what",
        "    # what",
        "tests/webhooks/test_erased.py",
    ),
)
