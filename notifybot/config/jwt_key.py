"""Read and check the key that verifies JWTs."""

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
PEM = b"-----BEGIN "

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
    if len(set(material)) < MIN_DIFFERENT_BYTES:
        raise WeakKey("this secret is easy to guess; generate one with: openssl rand -base64 48")
    return material


def _rsa(key: object) -> RSAPublicKey:
    if not isinstance(key, RSAPublicKey):
        raise WeakKey("RS256 needs an RSA key")
    if key.key_size < MIN_RSA_BITS:
        raise WeakKey(f"an RSA key needs at least {MIN_RSA_BITS} bits, this one has {key.key_size}")
    return key
