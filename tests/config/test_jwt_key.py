"""Secrets for JWTs: those of samples and tutorials are refused, random ones are not."""

import base64
import secrets
import uuid

import pytest

from notifybot.config.jwt_key import HS256, WeakKey, read_key

SAMPLES = [
    "your-256-bit-secret" * 2,
    "a-string-secret-at-least-256-bits-long",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "this-is-my-very-long-secret-key-for-jwt",
    "change-me-change-me-change-me-change-me",
    "please_change_this_secret_in_production_please",
    "supersecretkeysupersecretkeysupersecretkey",
    "0123456789abcdef0123456789abcdef",
    "0123456789abcdefghijklmnopqrstuvwxyz",
    "abcdefghijklmnopqrstuvwxyz1234567890",
    "qwertyuiopasdfghjklzxcvbnmqwertyuiop",
    "correct-horse-" * 3,
    "My Secret Password For Testing Only!!!",
    "Tr0ub4dor&3" * 3,
]


@pytest.mark.parametrize("secret", SAMPLES)
def test_a_sample_secret_is_refused(secret: str) -> None:
    with pytest.raises(WeakKey, match="easy to guess"):
        read_key(HS256, secret.encode())


def test_a_random_secret_is_accepted() -> None:
    for _ in range(200):
        for text in (
            base64.b64encode(secrets.token_bytes(48)).decode(),
            secrets.token_hex(32),
            secrets.token_urlsafe(32),
            f"{uuid.uuid4()}{uuid.uuid4()}",
        ):
            assert read_key(HS256, text.encode()) == text.encode()
