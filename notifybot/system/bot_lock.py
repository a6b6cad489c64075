"""Lock for a bot: only one daemon on this machine runs it, no matter which users start them.

The lock is the name of an abstract socket (on Linux: in this network namespace), which any user can take. Therefore a
holder only counts if it is root or our own user, or if it proves that it knows the token: it returns a code of the
number that we send. Others are ignored and reported, and the lock is the next name of a list that only the token gives.
"""

import contextlib
import errno
import hmac
import logging
import os
import secrets
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from notifybot.errors import StartRefused
from notifybot.system.locks import ONLY_ONE, Held, hold_file, named

HAS_ABSTRACT_SOCKETS = sys.platform == "linux"
NAMES = 64
"""Names of the lock, in their order. Strangers can only take the ones that a daemon has shown them by using it."""
BACKLOG = 64
NUMBER_BYTES = CODE_BYTES = 32
PROVES_WITHIN_S = 2.0
"""Time for a holder to answer, even if its machine is busy."""
ASKS_WITHIN_S = 0.05
"""Timeout for the number, which an honest peer sends at once. A peer that sends none delays the others by this much."""
NEXT_TRY_S = 0.05
ASKED_AT_ONCE = 32
_CREDENTIALS = struct.Struct("3i")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Holder:
    """The process that listens at a socket, as the kernel noted it."""

    pid: int
    uid: int

    def __str__(self) -> str:
        return "A process that does not answer" if self == UNKNOWN else f"Process {self.pid} (uid {self.uid})"


UNKNOWN = Holder(0, -1)


def hold_bot(token: str) -> Held:
    """Lock this token's bot for all users of this machine.

    Raises StartRefused, naming the holder, if another daemon holds the lock. Of two that start at once, at most one
    succeeds: each takes a name, answers questions there, and then asks at all others.
    """
    if not HAS_ABSTRACT_SOCKETS:
        return hold_file(Path(tempfile.gettempdir(), f"{_name(token, 0)}.lock"))
    key, addresses = _key(token), [f"\0{_name(token, place)}" for place in range(NAMES)]
    strangers = _strangers(addresses, key)
    listener = _take_first([each for each in addresses if each not in strangers], strangers, key)
    answers = _Answers(listener, key)
    own = listener.getsockname().decode()
    try:
        strangers |= _strangers([each for each in addresses if each != own], key)
    except StartRefused:
        answers.stop()
        raise
    return Held(answers.stop, warnings=tuple(_reported(each) for each in strangers.values()))


def _reported(stranger: Holder) -> str:
    facts = {"action": "lock_occupied", "pid": stranger.pid, "uid": stranger.uid}
    log.warning("a process occupies a name of the bot's lock, and is ignored", extra=facts)
    return (
        f"{stranger} occupies a name of this bot's lock without knowing the token."
        " notifybot ignores it. Find out what it is, and stop it."
    )


def _strangers(addresses: list[str], key: bytes) -> dict[str, Holder]:
    """Return the addresses that others occupy, at most PROVES_WITHIN_S later. Raise StartRefused if one of them is a
    daemon of this bot."""
    occupied = [address for address in addresses if _is_occupied(address)]
    with ThreadPoolExecutor(ASKED_AT_ONCE) as asking:
        holders = asking.map(lambda address: _stranger(address, key), occupied)
        return {address: holder for address, holder in zip(occupied, holders, strict=True) if holder is not None}


def _is_occupied(address: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.setblocking(False)
        try:
            line.connect(address)
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
    return True


def _take_first(addresses: list[str], strangers: dict[str, Holder], key: bytes) -> socket.socket:
    """Take the first free name; add who occupies those before it."""
    for address in addresses:
        if (listener := _bound(address)) is not None:
            return listener
        strangers[address] = _stranger(address, key) or UNKNOWN  # or another daemon, which starts at this moment
    raise StartRefused(
        "Processes that do not know this bot's token occupy all names of its lock.",
        hint="Stop the processes that the log names.",
    )


def _bound(address: str) -> socket.socket | None:
    """Listen at the address; None if someone else holds it."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise StartRefused(f"Cannot lock this bot: {error.strerror}.") from error
    return listener


def _stranger(address: str, key: bytes) -> Holder | None:
    """Return who occupies the address; None if nobody does. Raise StartRefused if it is a daemon of this bot."""
    holder, give_up_at = None, time.monotonic() + PROVES_WITHIN_S
    while (left_s := give_up_at - time.monotonic()) > 0:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(left_s)
            try:
                line.connect(address)
            except ConnectionRefusedError:
                return None
            except OSError:
                holder = holder or UNKNOWN
                raise
            holder = _peer(line)
            if holder.uid in (0, os.geteuid()) or _proves(line, key):
                raise StartRefused(
                    f"Another daemon{named(str(holder.pid))} already runs this bot.",
                    hint=f"{ONLY_ONE}, or give this one the token of another bot.",
                )
        time.sleep(NEXT_TRY_S)  # noqa: TID251  it hung up; a daemon that is only busy answers soon
    return holder


def _proves(line: socket.socket, key: bytes) -> bool:
    number = secrets.token_bytes(NUMBER_BYTES)
    line.sendall(number)
    found = line.recv(CODE_BYTES, socket.MSG_WAITALL)
    return hmac.compare_digest(found, _code(number, key))


def _peer(line: socket.socket) -> Holder:
    pid, uid, _ = _CREDENTIALS.unpack(line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return Holder(pid, uid)


class _Answers:
    """Answers the questions of other daemons on a thread of its own, so that a busy event loop does not delay it."""

    def __init__(self, listener: socket.socket, key: bytes) -> None:
        self._listener = listener
        self._key = key
        self._thread = threading.Thread(target=self._run, name="bot-lock", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread, which close() does not
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        for line in self._lines():
            with contextlib.suppress(OSError), line:
                line.settimeout(ASKS_WITHIN_S)
                if number := line.recv(NUMBER_BYTES):
                    line.sendall(_code(number, self._key))

    def _lines(self) -> Iterator[socket.socket]:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError as error:
                if error.errno == errno.EINVAL:
                    return  # stopped
                time.sleep(NEXT_TRY_S)  # noqa: TID251  no descriptors are left
                continue
            yield line


def _name(token: str, place: int) -> str:
    """Return a name of the lock. The first is the same in all versions."""
    secret = token if place == 0 else f"{token} {place}"
    return f"notifybot-{blake2b(secret.encode(), key=b'notifybot: one daemon a bot', digest_size=16).hexdigest()}"


def _key(token: str) -> bytes:
    return blake2b(token.encode(), key=b"notifybot: proof of the lock").digest()


def _code(number: bytes, key: bytes) -> bytes:
    return blake2b(number, key=key, digest_size=CODE_BYTES).digest()
