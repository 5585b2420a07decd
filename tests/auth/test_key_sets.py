"""Key sets as they may come: whatever is in one, it is read or it is a `ValueError`."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.auth.keysets import ASYMMETRIC, read_keys
from tests.auth.issuers import signer

GOOD = {kind: signer(kind, kind).jwk() for kind in ("ES256", "RS256", "EdDSA")}
KINDS = st.sampled_from(["EC", "RSA", "OKP", "sig"])
MEMBERS = ("kty", "crv", "x", "y", "n", "e", "d", "k", "kid", "use", "alg", "key_ops", "x5c")
leaf = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text()
anything = st.recursive(leaf, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)


def read(*keys: Any) -> list[str | None]:
    return [key.kid for key in read_keys(orjson.dumps({"keys": keys}), ASYMMETRIC, (None, "sig"))]


@given(
    kind=st.sampled_from(sorted(GOOD)),
    changes=st.dictionaries(st.sampled_from(MEMBERS), anything | KINDS),
)
def test_one_odd_key_takes_no_other_with_it(kind: str, changes: dict[str, Any]) -> None:
    assert "fine" in read({**GOOD[kind], **changes}, {**GOOD["ES256"], "kid": "fine"})


@given(anything)
def test_what_is_no_key_set_is_a_value_error(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever of them
        read_keys(orjson.dumps(value), ASYMMETRIC, (None, "sig"))


@given(st.binary(max_size=200))
def test_what_is_no_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever of them
        read_keys(text, ASYMMETRIC, (None, "sig"))


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({}, True),
        ({"use": None}, True),
        ({"use": "enc"}, False),
        ({"use": ["sig"]}, False),
        ({"alg": "ES256"}, True),
        ({"alg": None}, True),
        ({"alg": "ES384"}, False),
        ({"alg": "ECDH-ES"}, False),
        ({"key_ops": ["sign"]}, False),
        ({"key_ops": "verify"}, False),
        ({"key_ops": None}, True),
        ({"crv": "P-384"}, False),
        ({"kid": 7}, False),
        ({"x": "AAAA"}, False),
        ({"y": None}, False),
        ({"d": "AAAA"}, True),  # the private half is left aside
    ],
)
def test_which_keys_are_taken(changes: dict[str, Any], taken: bool) -> None:
    found = read({**GOOD["ES256"], "kid": "one", **changes}, {**GOOD["RS256"], "kid": "other"})
    assert len(found) == 1 + taken
