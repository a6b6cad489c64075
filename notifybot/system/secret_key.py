"""The daemon's own secret: what it gives out is kept as a keyed hash, and a copy of the database opens nothing."""

import contextlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from notifybot.errors import StartRefused

KEY_BYTES = 32
FILE = "secret.key"


@dataclass(frozen=True)
class SecretKey:
    """Hashes short secrets, which without a key could all be tried."""

    key: bytes = field(repr=False)

    def digest(self, kind: str, text: str) -> str:
        """The keyed hash of a text, as 64 hexadecimal digits; texts of different kinds never have the same."""
        return hmac.new(self.key, f"{kind}:{text}".encode(), "sha256").hexdigest()


def keep(folder: Path) -> SecretKey:
    """The key that lies in `folder`, made at the first start. Losing it voids what was given out and not used yet, and
    nothing else.

    Raises StartRefused where it can be neither read nor made.
    """
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise StartRefused(
            f"The key {path} cannot be read or made: {error.strerror or error}.",
            hint="data_dir in the config says where it lies; the daemon's user needs to write there.",
        ) from error
    if len(key) != KEY_BYTES:
        raise StartRefused(f"The key {path} is broken.", hint="Remove it: the next start makes a new one.")
    return SecretKey(key)


def _make(path: Path) -> None:
    """Write a new key, whole or not at all, for the daemon's user alone; raises FileExistsError where there is one."""
    if path.exists():
        raise FileExistsError
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
