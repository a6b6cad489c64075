"""`notifybot messages file`: saves a file of a message, whole or not at all."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from notifybot.cli.output import one_line, say, size_of
from notifybot.cli.tree import UsageError
from notifybot.client import Attachment, Client, ClientError, Message

TYPE_CHECKING = False  # as in the parser
if TYPE_CHECKING:
    from typing import IO

STDOUT = "-"


def save(client: Client, message: Message, number: int, output: str | None) -> None:
    """Save file `number` of the message at `output`, else under its own name here, where nothing has that name yet."""
    attachment = _attachment(message, number)
    if output == STDOUT:
        _to_stdout(client, attachment)
        return
    target = _target(attachment, number, output)
    try:
        with _writing(target.resolve()) as file:
            client.download(attachment, file)
    except OSError as error:
        raise ClientError(
            f"{target} cannot be written: {error.strerror}.", hint="Name another place with -o."
        ) from error
    say(f"saved: {one_line(str(target))}{f' ({size_of(attachment.size)})' if attachment.size else ''}")


def _attachment(message: Message, number: int) -> Attachment:
    count = len(message.attachments)
    if number <= count:
        return message.attachments[number - 1]
    has = "no file" if count == 0 else "one file" if count == 1 else f"{count} files"
    raise UsageError(f"This message has {has}.", hint="`notifybot messages show` numbers them.")


def _to_stdout(client: Client, attachment: Attachment) -> None:
    if sys.stdout.isatty():
        raise UsageError("A file is not written to a terminal.", hint="Name a place with -o, or pipe it on.")
    client.download(attachment, sys.stdout.buffer)


def _target(attachment: Attachment, number: int, output: str | None) -> Path:
    """Where to save. A place that was not named exactly must be free."""
    if output is not None and not Path(output).is_dir():
        return Path(output)
    # The name is whatever the sender called it: it may not lead elsewhere, hide, or drive a terminal.
    name = one_line(attachment.name).rpartition("/")[2].lstrip(".") or f"file-{number}"
    target = Path(output or "") / name
    if target.exists():
        raise UsageError(f"{target} exists already.", hint="Name a place with -o.")
    return target


@contextmanager
def _writing(target: Path) -> Iterator["IO[bytes]"]:
    """A file that gets its name once it is whole; `target` is no link. Devices and pipes are written to as they are."""
    if target.exists() and not target.is_file():
        with target.open("wb") as device:
            yield device
        return
    part = target.with_name(f".{os.urandom(4).hex()}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
