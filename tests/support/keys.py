"""Keys and JWTs for tests: valid ones, and every kind of invalid one."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from functools import cache

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

SECRET = "correct horse battery staple, and more"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def rsa_key(bits: int = 2048, number: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(curve: type[ec.EllipticCurve] = ec.SECP256R1, number: int = 0) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


def public_pem(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def in_seconds(seconds: float) -> int:
    return round((datetime.now(UTC) + timedelta(seconds=seconds)).timestamp())  # noqa: TID251


def signed(key: PrivateKey | str = SECRET, algorithm: str = "HS256", **claims: object) -> str:
    """Return a JWT for alice that is valid for an hour, unless `claims` change that."""
    whole = {"sub": "alice", "exp": in_seconds(3600)} | claims
    return jwt.encode({name: value for name, value in whole.items() if value is not None}, key, algorithm)


def forged(header: object, claims: object, key: bytes = b"") -> str:
    """Return a token with any header and claims, signed with HMAC-SHA256 if there is a key, unlike any library."""
    parts = [_base64(json.dumps(part).encode()) for part in (header, claims)]
    signature = hmac.new(key, ".".join(parts).encode(), hashlib.sha256).digest() if key else b""
    return ".".join([*parts, _base64(signature)])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
