"""Refunds by Stripe's own library, against a stub of its API on a socket."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress

import pytest

from graph.payments import connect_provider
from graph.settings import SettingInvalid, Settings
from tests.tools.stripes import SECRET, StripeStub, Trouble
from tools.money import Money
from tools.payments import PaymentRefused, PaymentUnknown, Settlement
from tools.payments.stripe import StripeProvider, minor_units

# Stripe's library hands its form to httpx by a name that is going away.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

INTENT = "pi_3MtwBw"
TEN = Money(1000, "USD")


@pytest.fixture
def stub() -> Iterator[StripeStub]:
    stub = StripeStub().start()
    yield stub
    stub.close()


@pytest.fixture
async def provider(stub: StripeStub) -> AsyncIterator[StripeProvider]:
    async with StripeProvider(SECRET, api_base=stub.url, timeout_s=5) as provider:
        yield provider


async def test_a_refund_as_stripe_is_asked_for_it(stub: StripeStub, provider: StripeProvider) -> None:
    assert await provider.refund("request-1", INTENT, TEN) == Settlement("re_1")
    looked, made = stub.books.calls
    assert (looked.method, looked.form) == ("GET", {"payment_intent": INTENT, "limit": "100"})
    assert (made.method, made.key) == ("POST", "request-1")
    assert made.form == {"payment_intent": INTENT, "amount": "1000", "metadata[request_id]": "request-1"}
    assert made.authorized
    assert "x-stripe-client-telemetry" not in made.headers


async def test_a_charge(stub: StripeStub, provider: StripeProvider) -> None:
    await provider.refund("request-1", "ch_1", TEN)
    assert [call.form["charge"] for call in stub.books.calls] == ["ch_1", "ch_1"]


@pytest.mark.parametrize("forgotten", [False, True])
async def test_one_key_is_one_refund_for_ever(
    stub: StripeStub, provider: StripeProvider, forgotten: bool
) -> None:
    """Stripe itself forgets keys after a day: by then the refund is found among the payment's."""
    first = await provider.refund("request-1", INTENT, TEN)
    for number in range(2, 7):
        await provider.refund(f"request-{number}", INTENT, TEN)
    if forgotten:
        stub.forget_keys()
    assert await provider.refund("request-1", INTENT, TEN) == first
    assert len(stub.books.made) == 6


async def test_one_key_at_once(stub: StripeStub, provider: StripeProvider) -> None:
    settlements = await asyncio.gather(*(provider.refund("request-1", INTENT, TEN) for _ in range(10)))
    assert set(settlements) == {Settlement("re_1")}
    assert len(stub.books.made) == 1


REFUSED = {
    "card": Trouble(402, "card_error", "card_declined", before=True),
    "already refunded": Trouble(400, "invalid_request_error", "charge_already_refunded", before=True),
    "no such payment": Trouble(404, "invalid_request_error", "resource_missing", before=True),
    "no code": Trouble(400, "invalid_request_error", None, before=True),
}


@pytest.mark.parametrize("trouble", REFUSED.values(), ids=REFUSED)
async def test_what_stripe_refuses(stub: StripeStub, provider: StripeProvider, trouble: Trouble) -> None:
    stub.books.troubles = [trouble]
    with pytest.raises(PaymentRefused) as refused:
        await provider.refund("request-1", INTENT, TEN)
    assert str(refused.value) == (trouble.code or "refused").replace("_", " ")
    assert stub.books.made == []


UNKNOWN = {
    "dropped": Trouble(drop=True),
    "hangs": Trouble(hang=True),
    "500": Trouble(500),
    "503, nothing made": Trouble(503, before=True),
    "429": Trouble(429, "rate_limit_error", before=True),
    "rate limit of old": Trouble(400, "invalid_request_error", "rate_limit", before=True),
    "the key in use": Trouble(409, "idempotency_error", "idempotency_key_in_use"),
    "the key used otherwise": Trouble(400, "idempotency_error", None, before=True),
    "401": Trouble(401, "invalid_request_error", before=True),
    "403": Trouble(403, "invalid_request_error", before=True),
    "garbage": Trouble(body=b"<html>"),
    "nothing": Trouble(body=b""),
}


@pytest.mark.parametrize("trouble", UNKNOWN.values(), ids=UNKNOWN)
async def test_of_all_else_the_outcome_is_unknown_and_the_same_key_tells_it(
    stub: StripeStub, trouble: Trouble
) -> None:
    stub.books.troubles = [trouble] * 2  # the library itself tries some things twice
    async with StripeProvider(SECRET, api_base=stub.url, timeout_s=1.5) as provider:
        with pytest.raises(PaymentUnknown):
            await provider.refund("request-1", INTENT, TEN)
        stub.books.troubles = []
        assert await provider.refund("request-1", INTENT, TEN) == Settlement("re_1")
    assert len(stub.books.made) == 1
    assert {call.key for call in stub.books.calls if call.method == "POST"} == {"request-1"}


async def test_nobody_there() -> None:
    async with StripeProvider(SECRET, api_base="http://127.0.0.1:9", timeout_s=3) as provider:
        with pytest.raises(PaymentUnknown):
            await provider.refund("request-1", INTENT, TEN)


async def test_a_wrong_key_loses_no_refund(stub: StripeStub) -> None:
    async with StripeProvider("sk_test_wrong", api_base=stub.url, timeout_s=3) as provider:
        with pytest.raises(PaymentUnknown):
            await provider.refund("request-1", INTENT, TEN)
    assert stub.books.made == []


@pytest.mark.parametrize(
    ("status", "why", "outcome"),
    [
        ("pending", None, PaymentUnknown),
        ("requires_action", None, PaymentUnknown),
        ("failed", "expired_or_canceled_card", PaymentRefused),
        ("canceled", None, PaymentRefused),
    ],
)
async def test_a_refund_that_is_not_made_yet_or_no_more(
    stub: StripeStub, provider: StripeProvider, status: str, why: str | None, outcome: type[Exception]
) -> None:
    stub.books.status, stub.books.failure_reason = status, why
    with pytest.raises(outcome):
        await provider.refund("request-1", INTENT, TEN)
    stub.books.made[0]["status"] = "succeeded"
    assert await provider.refund("request-1", INTENT, TEN) == Settlement("re_1")


@pytest.mark.parametrize(
    "wrong", [{"amount": 999}, {"metadata": {"request_id": "another"}}, {"metadata": {}}]
)
async def test_an_answer_to_another_refund_is_none(
    stub: StripeStub, provider: StripeProvider, wrong: dict[str, object]
) -> None:
    await provider.refund("request-1", INTENT, TEN)
    stub.books.made[0].update(wrong)
    with pytest.raises(PaymentUnknown):
        await provider.refund("request-1", INTENT, TEN)


async def test_a_payment_that_is_not_stripes(provider: StripeProvider, stub: StripeStub) -> None:
    with pytest.raises(PaymentRefused):
        await provider.refund("request-1", "pay-12345", TEN)
    assert stub.books.calls == []


@pytest.mark.parametrize(
    ("money", "minor"),
    [
        (Money(1000, "USD"), 1000),
        (Money(500, "JPY"), 500),
        (Money(5000, "KRW"), 5000),
        (Money(12340, "KWD"), 12340),
        (Money(100, "ISK"), 10000),
        (Money(100_00, "XAF"), 100),
    ],
    ids=str,
)
def test_amounts_in_stripes_own_units(money: Money, minor: int) -> None:
    assert minor_units(money) == minor


@pytest.mark.parametrize("money", [Money(12345, "KWD"), Money(100_01, "XAF")], ids=str)
def test_amounts_that_stripe_cannot_say(money: Money) -> None:
    with pytest.raises(PaymentRefused):
        minor_units(money)


async def test_the_key_is_in_no_log_and_no_error(stub: StripeStub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    settings = Settings.read(
        {"PAYMENT_PROVIDER": "stripe", "STRIPE_API_KEY": SECRET, "STRIPE_API_BASE": stub.url}
    )
    async with AsyncExitStack() as resources:
        provider = await connect_provider(settings, resources)
        for trouble in (*REFUSED.values(), Trouble(403, before=True), Trouble()):
            stub.books.troubles = [trouble]
            with suppress(PaymentRefused, PaymentUnknown):
                await provider.refund("request-1", INTENT, TEN)
    assert any("Stripe did not answer" in record.getMessage() for record in caplog.records)
    assert [record for record in caplog.records if SECRET in f"{record.getMessage()} {vars(record)}"] == []
    assert SECRET not in repr(settings)
    assert provider.name == "stripe"


def test_settings_that_name_no_provider() -> None:
    with pytest.raises(SettingInvalid, match="simulated or stripe, not 'paypal'"):
        Settings.read({"PAYMENT_PROVIDER": "paypal"})
    with pytest.raises(SettingInvalid, match="STRIPE_API_KEY"):
        Settings.read({"PAYMENT_PROVIDER": "stripe"})
