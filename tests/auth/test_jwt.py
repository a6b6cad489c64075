"""Validity of JWTs, with a simulated clock; any modification invalidates them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifybot.auth.jwt import InvalidJwt, Trust, account_of
from tests.support.keys import SECRET, forged

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AT = round(NOW.timestamp())
TRUST = Trust("HS256", SECRET.encode(), None, None, "sub", timedelta(seconds=30))
TOKEN = jwt.encode({"sub": "alice", "exp": AT + 3600}, SECRET, "HS256")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
patient = settings(deadline=None)
"""The machine may be busy."""
CLAIMS = st.dictionaries(st.sampled_from(["sub", "exp", "nbf", "iat", "iss", "aud", "jti"]), JSON)


def holds(token: str, *, at: float = 0, trust: Trust = TRUST) -> bool:
    try:
        return account_of(token, trust, now=NOW + timedelta(seconds=at)) == "alice"
    except InvalidJwt:
        return False


@pytest.mark.parametrize(("at", "expected"), [(-7200, True), (0, True), (3629.9, True), (3630, False), (10**9, False)])
def test_it_ends_with_exp_and_the_leeway(at: float, expected: bool) -> None:
    assert holds(TOKEN, at=at) is expected


@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize(("at", "expected"), [(69.9, False), (70, True), (1000, True)])
def test_a_token_is_valid_from_nbf_and_iat_minus_the_leeway(name: str, at: float, expected: bool) -> None:
    token = jwt.encode({"sub": "alice", "exp": AT + 3600, name: AT + 100}, SECRET, "HS256")
    assert holds(token, at=at) is expected


def test_times_may_be_fractions() -> None:
    assert holds(jwt.encode({"sub": "alice", "exp": AT + 0.5, "iat": AT - 0.5}, SECRET, "HS256"))


@pytest.mark.parametrize(
    ("claim", "account"),
    [
        (7, "7"),
        ("7", "7"),
        ("007", "007"),
        (0, "0"),
        (-12, "-12"),
        (2**63, str(2**63)),
        ("auth0|5f7c8ec7", "auth0|5f7c8ec7"),
        ("01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8057"),
        ("cn=Anna Berg,ou=ops", "cn=Anna Berg,ou=ops"),
        ("@anna:example.org", "@anna:example.org"),
        ("Zoë", "Zoë"),
    ],
)
def test_any_text_or_whole_number_names_an_account(claim: object, account: str) -> None:
    token = forged({"alg": "HS256"}, {"user_id": claim, "exp": AT + 3600}, SECRET.encode())
    assert account_of(token, replace(TRUST, account_claim="user_id"), now=NOW) == account


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({}, "it has no claim sub"),
        ({"sub": None}, "its claim sub is neither text nor a whole number"),
        ({"sub": 1.5}, "its claim sub is neither text nor a whole number"),
        ({"sub": True}, "its claim sub is neither text nor a whole number"),
        ({"sub": ["alice"]}, "its claim sub is neither text nor a whole number"),
        ({"sub": ""}, "its claim sub names no account: an account has 1 to 128 printable characters"),
        ({"sub": " alice"}, "its claim sub names no account: an account has 1 to 128 printable characters"),
        ({"sub": "alice\nadmin"}, "its claim sub names no account: an account has 1 to 128 printable characters"),
        ({"sub": "x" * 129}, "its claim sub names no account: an account has 1 to 128 printable characters"),
        ({"sub": "subscribers"}, "its claim sub names no account: subscribers and \\* are reserved"),
    ],
)
def test_other_claims_name_none_and_the_reason_says_so(claims: dict[str, object], reason: str) -> None:
    token = forged({"alg": "HS256"}, {"exp": AT + 3600, **claims}, SECRET.encode())
    with pytest.raises(InvalidJwt, match=reason):
        account_of(token, TRUST, now=NOW)


@patient
@given(st.integers(0, TOKEN.rindex(".") - 1), st.sampled_from(LETTERS))
def test_no_letter_of_header_and_claims_can_be_another(place: int, letter: str) -> None:
    changed = TOKEN[:place] + letter + TOKEN[place + 1 :]
    assert holds(changed) is (changed == TOKEN)


@patient
@given(JSON, JSON)
def test_any_signed_token_is_accepted_or_refused_without_a_crash(header: object, claims: object) -> None:
    for said in (header, {"alg": "HS256"}):
        holds(forged(said, claims, SECRET.encode()))


@patient
@given(CLAIMS)
def test_an_accepted_token_names_an_account_and_an_expiry(claims: dict[str, object]) -> None:
    token = forged({"alg": "HS256"}, claims, SECRET.encode())
    try:
        account = account_of(token, TRUST, now=NOW)
    except InvalidJwt:
        return
    assert account and str(claims["sub"]) == account
    assert isinstance(claims["exp"], int | float) and claims["exp"] > AT - 30


@patient
@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_any_text_is_refused(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize("algorithm", ["none", "HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "hs256", ""])
def test_the_tokens_algorithm_field_is_ignored(algorithm: str) -> None:
    assert not holds(forged({"alg": algorithm}, {"sub": "alice", "exp": AT + 3600}, SECRET.encode()))


def test_an_audience_of_ours_among_others_is_enough_and_a_part_of_its_name_is_not() -> None:
    trust = replace(TRUST, audience="notifybot", issuer="dash")
    for audience, expected in (
        ("notifybot", True),
        (["x", "notifybot"], True),
        ("notify", False),
        ("notifybot2", False),
    ):
        claims = {"sub": "alice", "exp": AT + 3600, "iss": "dash", "aud": audience}
        assert holds(jwt.encode(claims, SECRET, "HS256"), trust=trust) is expected, json.dumps(claims)
