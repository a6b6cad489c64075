"""Read and check the key that verifies JWTs."""

import re
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

HS256, RS256, ES256 = "HS256", "RS256", "ES256"
MIN_SECRET_BYTES = 32
"""RFC 7518, section 3.2: at least the size of the hash."""
MIN_DIFFERENT_BYTES = 8
"""A long secret with fewer distinct bytes is a repeated pattern, not a random key."""
MIN_RSA_BITS = 2048
"""RFC 7518, section 3.3."""
MIN_UNKNOWN_CHARACTERS = 16
"""A secret consists of at least so many characters besides the words of samples and runs of the keyboard."""
_SAMPLE_WORDS = """
    a an and app at auth be before bit bits change changed changeit changeme char character characters code
    default demo dev development do dont easy enough example for foo bar baz hash hello here hs256 hs384 hs512
    hmac in insecure is it jwt key keyboard cat least length local long me minimum must my not notifybot of only
    password placeholder please private prod production random replace replaceme sample secret secretkey secrets
    security set sha256 should sign signing some something string strong super supersecret test testing text that
    the this to token topsecret use value very with world you your 8 16 24 32 48 64 128 256 384 512
"""
RUNS = (
    "abcdefghijklmnopqrstuvwxyz1234567890",
    "0123456789abcdefghijklmnopqrstuvwxyz",
    "1234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "0123456789abcdef" * 4,
)
PEM = b"-----BEGIN "
_PHRASE = re.compile("(?:" + "|".join(sorted(map(re.escape, _SAMPLE_WORDS.split()), key=len, reverse=True)) + ")+")

Key: TypeAlias = bytes | RSAPublicKey | EllipticCurvePublicKey


class WeakKey(ValueError):
    """The key is unusable or too weak; the text gives the reason."""


def read_key(algorithm: str, material: bytes) -> Key:
    """Return the key that verifies tokens, from the secret (HS256) or a public key in PEM. Raises WeakKey."""
    if algorithm == HS256:
        return _secret(material)
    try:
        key = load_pem_public_key(material)
    except (ValueError, UnsupportedAlgorithm):
        raise WeakKey("this is not a public key in PEM, which starts with -----BEGIN PUBLIC KEY-----") from None
    if algorithm == RS256:
        return _rsa(key)
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise WeakKey("ES256 needs a key on curve P-256")
    return key


def _secret(material: bytes) -> bytes:
    if PEM in material:
        raise WeakKey("a PEM key is not a secret: anyone with the public key could sign tokens")
    if len(material) < MIN_SECRET_BYTES:
        raise WeakKey(f"a secret for HS256 needs at least {MIN_SECRET_BYTES} bytes")
    if len(set(material)) < MIN_DIFFERENT_BYTES or _is_sample(material):
        raise WeakKey("this secret is easy to guess; generate one with: openssl rand -base64 48")
    return material


def _is_sample(material: bytes) -> bool:
    """Return True for a short text repeated, and for the secrets of samples and tutorials."""
    if len(_period(material)) < MIN_SECRET_BYTES:
        return True
    words = re.findall(r"[a-z0-9]+", material.decode("utf-8", "replace").lower())
    unknown = [word for word in words if not _PHRASE.fullmatch(word) and not _is_run(word)]
    return len(words) > 0 and sum(map(len, unknown)) < MIN_UNKNOWN_CHARACTERS


def _period(material: bytes) -> bytes:
    """Return the shortest text that repeats to this one."""
    return material[: (material * 2).index(material, 1)]


def _is_run(word: str) -> bool:
    return any(word in run * 2 or word in (run * 2)[::-1] for run in RUNS)


def _rsa(key: object) -> RSAPublicKey:
    if not isinstance(key, RSAPublicKey):
        raise WeakKey("RS256 needs an RSA key")
    if key.key_size < MIN_RSA_BITS:
        raise WeakKey(f"an RSA key needs at least {MIN_RSA_BITS} bits, this one has {key.key_size}")
    return key
