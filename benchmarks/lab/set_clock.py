"""Set the clock of a daemon: Debian's libfaketime moves its time of day, and leaves CLOCK_BOOTTIME as it is."""

from collections.abc import Mapping
from pathlib import Path

PRELOADED = "**/faketime/libfaketimeMT.so.1"
PACKAGE = "faketime"


def libfaketime() -> Path | None:
    """Return Debian's library; None if the package is not installed."""
    return next(Path("/usr/lib").glob(PRELOADED), None)


class SetClock:
    """How far a daemon's clock is ahead of this machine's, in a file that the library reads at each look."""

    def __init__(self, folder: Path) -> None:
        self.ahead_s = 0
        self._file = folder / "clock"
        self._write()

    def environment(self) -> Mapping[str, str]:
        """Return what a daemon with this clock needs. Raises FileNotFoundError without the library."""
        library = libfaketime()
        if library is None:
            raise FileNotFoundError(f"libfaketime is not installed: apt-get install {PACKAGE}")
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def step(self, by_s: int) -> None:
        self.ahead_s += by_s
        self._write()

    def _write(self) -> None:
        """Replace the file, so that nobody reads half of it."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{self.ahead_s:+d}\n")
        new.replace(self._file)
