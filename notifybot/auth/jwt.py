"""JWTs of an existing dashboard: whether one holds, and whose it is.

The algorithm is the config's alone: what a token says of itself (`alg`, `kid`, `jwk`, `x5u` …) is never followed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt
from jwt.types import Options

from notifybot.config.jwt_key import Key

MAX_JWT_CHARACTERS = 8192
"""Characters of a token; a header has no room for more."""


class InvalidJwt(Exception):
    """This token does not hold; the text says why, for the operator alone."""


@dataclass(frozen=True)
class Trust:
    """Whose tokens hold. `issuer` and `audience` None: any."""

    algorithm: str
    key: Key
    issuer: str | None
    audience: str | None
    account_claim: str
    leeway: timedelta


def account_of(token: str, trust: Trust, *, now: datetime) -> str:
    """The account that a token stands for, by `account_claim`. Raises InvalidJwt.

    It must end: a token without `exp` would hold for ever.
    """
    if len(token) > MAX_JWT_CHARACTERS:
        raise InvalidJwt("it is too long")
    claims = _verified_claims(token, trust)
    _check_times(claims, now.timestamp(), trust.leeway.total_seconds())
    account = claims.get(trust.account_claim)
    if not isinstance(account, str) or not account:
        raise InvalidJwt(f"its claim {trust.account_claim} is no text")
    return account


def _verified_claims(token: str, trust: Trust) -> dict[str, object]:
    """The claims of a token whose signature, issuer and audience are right."""
    options: Options = {
        "verify_aud": trust.audience is not None,
        "verify_iss": trust.issuer is not None,
        # Times are compared with `now` below; the rest may be whatever the dashboard likes.
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
        raise InvalidJwt(str(error)) from None
    if "crit" in whole["header"]:
        raise InvalidJwt("it has critical extensions")
    payload: dict[str, object] = whole["payload"]
    return payload


def _check_times(claims: dict[str, object], now: float, leeway: float) -> None:
    expires = _seconds(claims, "exp")
    if expires is None:
        raise InvalidJwt("it has no exp")
    # Written so that NaN fails, too.
    if not now < expires + leeway:
        raise InvalidJwt("it has expired")
    for name in ("nbf", "iat"):
        begins = _seconds(claims, name)
        if begins is not None and not begins <= now + leeway:
            raise InvalidJwt(f"its {name} lies ahead")


def _seconds(claims: dict[str, object], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 2**53:
        raise InvalidJwt(f"its {name} is no time")
    return float(value)
