"""JWTs of an existing dashboard: whether one holds, and whose it is.

The algorithm is the config's alone: what a token says of itself (`alg`, `kid`, `jwk`, `x5u` …) is never followed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.types import Options

HS256, RS256, ES256 = "HS256", "RS256", "ES256"
MIN_SECRET_BYTES = 32
"""RFC 7518, section 3.2: as long as the hash."""
MIN_DIFFERENT_BYTES = 8
"""Fewer in a secret that is long enough mean that somebody leaned on a key."""
MIN_RSA_BITS = 2048
"""RFC 7518, section 3.3."""
LONGEST = 8192
"""Characters of a token; a header has no room for more."""
PEM = b"-----BEGIN "

Key: TypeAlias = bytes | RSAPublicKey | EllipticCurvePublicKey


class InvalidJwt(Exception):
    """This token does not hold; the text says why, for the operator alone."""


class WeakKey(ValueError):
    """This key cannot be used, or must not be; the text says why."""


@dataclass(frozen=True)
class Trust:
    """Whose tokens hold. `issuer` and `audience` None: any."""

    algorithm: str
    key: Key
    issuer: str | None
    audience: str | None
    account_claim: str
    leeway: timedelta


def read_key(algorithm: str, material: bytes) -> Key:
    """The key that checks tokens of `algorithm`: a secret's bytes, or the PEM of a public key. Raises WeakKey."""
    if algorithm == HS256:
        return _secret(material)
    try:
        key = load_pem_public_key(material)
    except (ValueError, UnsupportedAlgorithm):
        raise WeakKey("it is no public key in PEM: it begins with -----BEGIN PUBLIC KEY-----") from None
    if algorithm == RS256:
        return _rsa(key)
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise WeakKey("ES256 needs a key on the curve P-256")
    return key


def _secret(material: bytes) -> bytes:
    if PEM in material:
        raise WeakKey("a key in PEM is no secret: whoever has the public one could sign with it")
    if len(material) < MIN_SECRET_BYTES:
        raise WeakKey(f"a secret for HS256 has at least {MIN_SECRET_BYTES} bytes")
    if len(set(material)) < MIN_DIFFERENT_BYTES:
        raise WeakKey("this secret can be guessed; make one with: openssl rand -base64 48")
    return material


def _rsa(key: object) -> RSAPublicKey:
    if not isinstance(key, RSAPublicKey):
        raise WeakKey("RS256 needs an RSA key")
    if key.key_size < MIN_RSA_BITS:
        raise WeakKey(f"an RSA key has at least {MIN_RSA_BITS} bits, this one has {key.key_size}")
    return key


def account_of(token: str, trust: Trust, *, now: datetime) -> str:
    """The account that a token stands for, by `account_claim`. Raises InvalidJwt.

    It must end: a token without `exp` would hold for ever.
    """
    if len(token) > LONGEST:
        raise InvalidJwt("it is too long")
    claims = _signed(token, trust)
    _check_times(claims, now.timestamp(), trust.leeway.total_seconds())
    account = claims.get(trust.account_claim)
    if not isinstance(account, str) or not account:
        raise InvalidJwt(f"its claim {trust.account_claim} is no text")
    return account


def _signed(token: str, trust: Trust) -> dict[str, object]:
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
