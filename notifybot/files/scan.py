"""Accept or refuse a file by its type and by the virus scanner of the operator."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from notifybot.errors import NotifybotError, Unavailable, UnsupportedType
from notifybot.files.media_types import is_allowed

WITHIN_S = 60.0
AT_ONCE = 4
"""A scanner may need much memory; further files wait for their turn, also for WITHIN_S."""
OUTPUT_BYTES = 4096
REASON_CHARACTERS = 200
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""What the program gets of the environment, where the daemon may have its token."""
FILE = "{file}"
CLEAN, REFUSED = 0, 1
AGAIN = "Try again; notifybot's log says why."

log = logging.getLogger(__name__)


class ScanRefused(NotifybotError):
    title = "Refused by the scanner"


def check_type(media_type: str, allowed: Sequence[str] | None) -> None:
    """Raise UnsupportedType unless the type is one of these (`image/png`, `image/*`); None allows every one."""
    if not is_allowed(media_type, allowed):
        raise UnsupportedType(
            f"Files of the type {media_type} are not accepted here.", hint=f"Accepted are {', '.join(allowed or ())}."
        )


class Scanner:
    """The program of `attachments.scan_command`, without a shell: the file is its standard input.

    Where an argument holds `{file}`, the path is put there. It ends with 0 for a clean file and 1 for a refused one.
    """

    def __init__(self, command: Sequence[str], *, within_s: float = WITHIN_S) -> None:
        self._command = tuple(command)
        self._within_s = within_s
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def scan(self, path: Path) -> None:
        """Return for a clean file. Raises ScanRefused, and Unavailable when the program did not say."""
        try:
            async with asyncio.timeout(self._within_s):
                await self._turns.acquire()
        except TimeoutError:
            raise Unavailable("Too many files wait to be looked through.", hint="Try again later.") from None
        try:
            await self._scan(path)
        finally:
            self._turns.release()

    async def _scan(self, path: Path) -> None:
        argv = [argument.replace(FILE, str(path)) for argument in self._command]
        try:
            async with asyncio.timeout(self._within_s):
                code, output = await _run(argv, path)
        except TimeoutError:
            raise _no_verdict(f"the program did not end within {self._within_s:g} s") from None
        except OSError as error:
            raise _no_verdict(f"the program cannot be run: {error.strerror}") from error
        reason = _first_line(output, path)
        if code == REFUSED:
            log.warning("a file was refused by the scanner", extra={"action": "scan.refused", "reason": reason})
            raise ScanRefused(f"The scanner refused the file{reason and f': {reason}'}.", hint="Send another file.")
        if code != CLEAN:
            raise _no_verdict(f"the program ended with {code}: {reason}")


def _no_verdict(reason: str) -> Unavailable:
    log.error("a file could not be scanned", extra={"action": "scan.failed", "reason": reason})
    return Unavailable("The file could not be looked through, so it was not accepted.", hint=AGAIN)


async def _run(argv: Sequence[str], path: Path) -> tuple[int, bytes]:
    """Run a program to its end; whatever it started ends with it. Returns the code and the beginning of its output."""
    with contextlib.closing(_Output()) as output, path.open("rb") as file:
        environ = {name: os.environ[name] for name in INHERITED if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=file, stdout=output.write_end, stderr=output.write_end, env=environ, start_new_session=True
        )
        try:
            code = await process.wait()
        finally:
            # As long as anyone of its group lives, nobody else gets the group's number.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
        return code, output.first_bytes()


class _Output:
    """A pipe for what a program says, of which the beginning is kept and the rest thrown away as it comes."""

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
    """The first line that says something, without control characters and without where the file lies."""
    text = output.decode("utf-8", "replace").replace(str(path), "the file")
    lines = ("".join(filter(str.isprintable, line)).strip(" .") for line in text.splitlines())
    return next(filter(None, lines), "")[:REASON_CHARACTERS]
