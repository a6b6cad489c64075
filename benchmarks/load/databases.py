"""Databases for benchmarks: SQLite files, or a dedicated PostgreSQL server."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.postgres.server import find_binaries, serving


@dataclass(frozen=True)
class Databases:
    """One kind of database; `new` creates an empty one and returns its URL."""

    name: str
    new: Callable[[], str]


@contextlib.contextmanager
def databases(folder: Path) -> Iterator[list[Databases]]:
    """Yield SQLite in this folder, and PostgreSQL if a server can be started; stop that after the block."""
    numbers = count()
    found = [Databases("SQLite", lambda: f"sqlite:///{folder / f'notifybot-{next(numbers)}.sqlite3'}")]
    with contextlib.ExitStack() as running:
        if (binaries := find_binaries()) is not None:
            server = running.enter_context(serving(binaries))
            found.append(Databases("PostgreSQL", server.new_database))
        yield found
