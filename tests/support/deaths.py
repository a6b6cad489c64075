"""Deaths of a daemon, as the next one finds them: the file of marks as it was at that moment."""

from pathlib import Path

from notifybot.storage.under_way import Work
from notifybot.system.marks import FILE, Marks


def die_during(folder: Path, boot_id: str, *works: Work) -> None:
    """Leave in `folder` what a process that died during this work leaves."""
    path = folder / FILE
    marks = Marks(path, boot_id)
    marks.begin()
    for work in works:
        marks.set(f"{work.kind} {work.key}")
    left = path.read_bytes()
    marks.close()
    path.write_bytes(left)
