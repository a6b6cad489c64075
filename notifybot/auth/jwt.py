"""Verify JWTs of an existing dashboard.

The algorithm comes from the config alone: the token's `alg`, `kid`, `jwk`, `x5u` … are never followed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt
from jwt.types import Options

from notifybot.config.jwt_key import Key
from notifybot.config.types import ACCOUNT

MAX_JWT_CHARACTERS = 8192
"""A header has no room for more."""


class InvalidJwt(Exception):
    """A token is invalid. The reason is for the operator's log, not the caller.

    `is_genuine`: the dashboard has signed it, but it is expired or not meant for notifybot.
    """

    def __init__(self, reason: str, *, is_genuine: bool) -> None:
        super().__init__(reason)
        self.is_genuine = is_genuine


@dataclass(frozen=True)
class Trust:
    """Criteria for valid tokens. `issuer` and `audience` None: any."""

    algorithm: str
    key: Key
    issuer: str | None
    audience: str | None
    account_claim: str
    leeway: timedelta


def account_of(token: str, trust: Trust, *, now: datetime) -> str:
    """Return the account in `account_claim`. Raise InvalidJwt, even for a token without `exp`, which never expires."""
    if len(token) > MAX_JWT_CHARACTERS:
        raise InvalidJwt("it is too long", is_genuine=False)
    claims = _verified_claims(token, trust)
    _check_times(claims, now.timestamp(), trust.leeway.total_seconds())
    return _account(claims, trust.account_claim)


def _account(claims: dict[str, object], name: str) -> str:
    """Read the account: text, or a whole number, as which many dashboards store their users."""
    if name not in claims:
        raise InvalidJwt(f"it has no claim {name}", is_genuine=True)
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidJwt(f"its claim {name} is neither text nor a whole number", is_genuine=True)
    try:
        return ACCOUNT.parse(str(value))
    except ValueError as error:
        raise InvalidJwt(f"its claim {name} names no account: {error}", is_genuine=True) from None


def _verified_claims(token: str, trust: Trust) -> dict[str, object]:
    """Return the claims, once the signature, issuer and audience are verified."""
    options: Options = {
        "verify_aud": trust.audience is not None,
        "verify_iss": trust.issuer is not None,
        # _check_times compares times with `now`; the other claims are not checked.
        "verify_exp": False,
        "verify_nbf": False,
        "verify_iat": False,
        "verify_sub": False,
        "verify_jti": False,
    }
    try:
        whole = jwt.decode_complete(
            token,
            trust.key,
            algorithms=[trust.algorithm],
            issuer=trust.issuer,
            audience=trust.audience,
            options=options,
        )
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise InvalidJwt(str(error), is_genuine=_is_about_claims(error)) from None
    if "crit" in whole["header"]:
        raise InvalidJwt("it has critical extensions", is_genuine=True)
    payload: dict[str, object] = whole["payload"]
    return payload


def _is_about_claims(error: Exception) -> bool:
    """Return True if the signature was right: the library checks it before the claims."""
    forged = (jwt.DecodeError, jwt.InvalidAlgorithmError, jwt.InvalidKeyError)
    return isinstance(error, jwt.InvalidTokenError) and not isinstance(error, forged)


def _check_times(claims: dict[str, object], now: float, leeway: float) -> None:
    expires = _seconds(claims, "exp")
    if expires is None:
        raise InvalidJwt("it has no exp", is_genuine=True)
    # In this form NaN fails too.
    if not now < expires + leeway:
        raise InvalidJwt("it has expired", is_genuine=True)
    for name in ("nbf", "iat"):
        begins = _seconds(claims, name)
        if begins is not None and not begins <= now + leeway:
            raise InvalidJwt(f"its {name} is in the future", is_genuine=True)


def _seconds(claims: dict[str, object], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 2**53:
        raise InvalidJwt(f"its {name} is not a time", is_genuine=True)
    return float(value)
