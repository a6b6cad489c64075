"""The daemon's secret key. Codes and tokens are stored as keyed hashes, so a stolen database is of no use."""

import contextlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from notifybot.errors import StartRefused
from notifybot.system.kept_files import KeptFile

KEY_BYTES = 32
FILE = "secret.key"


@dataclass(frozen=True)
class SecretKey:
    """Hashes short secrets, which could be found by brute force without a key."""

    key: bytes = field(repr=False)

    def digest(self, kind: str, text: str) -> str:
        """Return the keyed hash in 64 hex digits; `kind` separates hashes of equal texts."""
        return hmac.new(self.key, f"{kind}:{text}".encode(), "sha256").hexdigest()


def keep(folder: Path) -> SecretKey:
    """Return the key in `folder`, created at the first start. Losing it only voids unused codes and tokens.

    Raises StartRefused if it can be neither read nor created.
    """
    path = folder / FILE
    try:
        with contextlib.suppress(FileExistsError):
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise StartRefused(
            f"Cannot read or create the key {path}: {error.strerror or error}.",
            hint="Its folder is data_dir in the config; the daemon's user needs write access there.",
        ) from error
    if len(key) != KEY_BYTES:
        raise StartRefused(f"The key {path} is damaged.", hint="Remove it; the next start creates a new one.")
    return SecretKey(key)


def kept_file(folder: Path, key: SecretKey) -> KeptFile:
    """Return the key's file, which is written again if it is removed while the daemon runs."""
    path = folder / FILE

    async def write_again() -> None:
        _write(path, key.key)

    return KeptFile("secret key", path, write_again)


def _make(path: Path) -> None:
    """Atomically write a new key. Raises FileExistsError."""
    if path.exists():
        raise FileExistsError
    _write(path, secrets.token_bytes(KEY_BYTES))


def _write(path: Path, key: bytes) -> None:
    """Atomically write a key, readable only by the daemon's user."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
