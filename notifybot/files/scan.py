"""Accept or refuse a file by media type and by the operator's virus scanner."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from notifybot.errors import NotifybotError, Unavailable, UnsupportedType
from notifybot.files.media_types import is_allowed

TIMEOUT_S = 60.0
MAX_CONCURRENT = 4
"""Scanners can need much memory; more files wait in a queue, at most TIMEOUT_S."""
OUTPUT_BYTES = 4096
REASON_CHARACTERS = 200
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""Environment variables for the program; the daemon's own environment may contain the bot token."""
FILE = "{file}"
CLEAN, REFUSED = 0, 1
AGAIN = "Try again; notifybot's log says why."

log = logging.getLogger(__name__)


class ScanRefused(NotifybotError):
    title = "Refused by the scanner"


def check_type(media_type: str, allowed: Sequence[str] | None) -> None:
    """Raise UnsupportedType unless a pattern (`image/png`, `image/*`) matches; None allows all types."""
    if not is_allowed(media_type, allowed):
        raise UnsupportedType(
            f"Files of type {media_type} are not accepted.", hint=f"Accepted types: {', '.join(allowed or ())}."
        )


class Scanner:
    """Runs `attachments.scan_command` without a shell, with the file as standard input.

    `{file}` in an argument becomes the file's path. Exit code 0 means clean, 1 refused.
    """

    def __init__(self, command: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> None:
        self._command = tuple(command)
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)

    async def scan(self, path: Path) -> None:
        """Return if the file is clean. Raises ScanRefused, and Unavailable if there is no verdict."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._slots.acquire()
        except TimeoutError:
            raise Unavailable("Too many files are waiting to be scanned.", hint="Try again later.") from None
        try:
            await self._scan(path)
        finally:
            self._slots.release()

    async def _scan(self, path: Path) -> None:
        argv = [argument.replace(FILE, str(path)) for argument in self._command]
        try:
            async with asyncio.timeout(self._timeout_s):
                code, output = await _run(argv, path)
        except TimeoutError:
            raise _no_verdict(f"the program did not finish within {self._timeout_s:g} s") from None
        except OSError as error:
            raise _no_verdict(f"the program cannot be started: {error.strerror}") from error
        reason = _first_line(output, path)
        if code == REFUSED:
            log.warning("scanner refused a file", extra={"action": "scan_refused", "reason": reason})
            raise ScanRefused(f"The scanner refused the file{reason and f': {reason}'}.", hint="Send another file.")
        if code != CLEAN:
            raise _no_verdict(f"the program exited with {code}: {reason}")


def _no_verdict(reason: str) -> Unavailable:
    log.error("scan failed", extra={"action": "scan_failed", "reason": reason})
    return Unavailable("The file could not be scanned, so it was not accepted.", hint=AGAIN)


async def _run(argv: Sequence[str], path: Path) -> tuple[int, bytes]:
    """Run a program and kill its process group at the end. Return the exit code and the start of its output."""
    with contextlib.closing(_Output()) as output, path.open("rb") as file:
        environ = {name: os.environ[name] for name in INHERITED if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=file, stdout=output.write_end, stderr=output.write_end, env=environ, start_new_session=True
        )
        try:
            code = await process.wait()
        finally:
            # The kernel does not reuse a group id while a member lives.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
        return code, output.first_bytes()


class _Output:
    """A pipe for a program's output that keeps the start and discards the rest."""

    def __init__(self) -> None:
        self._read_end, self.write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(self.write_end, True)
        self._kept = bytearray()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._read_end, self._read)

    def first_bytes(self) -> bytes:
        self._read()
        return bytes(self._kept)

    def close(self) -> None:
        self._loop.remove_reader(self._read_end)
        os.close(self._read_end)
        os.close(self.write_end)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._kept += os.read(self._read_end, 65536)[: OUTPUT_BYTES - len(self._kept)]


def _first_line(output: bytes, path: Path) -> str:
    """Return the first non-empty line, without control characters and without the file's path."""
    text = output.decode("utf-8", "replace").replace(str(path), "the file")
    lines = ("".join(filter(str.isprintable, line)).strip(" .") for line in text.splitlines())
    return next(filter(None, lines), "")[:REASON_CHARACTERS]
