"""Standard output and error of the daemons as a pipe, as under a supervisor that may stop reading."""

import asyncio
import fcntl
import os
from pathlib import Path

SMALL = 4096
"""Bytes that the pipe holds: the least that Linux allows, so that it is full soon."""


class LogPipe:
    """Copies what the daemons write to a file, while it is read."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        fcntl.fcntl(self.write_end, fcntl.F_SETPIPE_SZ, SMALL)
        self.resume()

    def pause(self) -> None:
        """Read no more: the pipe fills up."""
        asyncio.get_running_loop().remove_reader(self._read_end)

    def resume(self) -> None:
        asyncio.get_running_loop().add_reader(self._read_end, self._copy)

    def _copy(self) -> None:
        with self._log.open("ab") as log:
            log.write(os.read(self._read_end, 1 << 16))

    def close(self) -> None:
        self.pause()
        os.close(self.write_end)
        os.close(self._read_end)
