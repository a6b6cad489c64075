"""Where the databases of a benchmark come from: files, or a PostgreSQL server of its own."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.postgres.server import find_binaries, serving


@dataclass(frozen=True)
class Databases:
    """`new` makes an empty database and returns its URL."""

    name: str
    new: Callable[[], str]


@contextlib.contextmanager
def databases(folder: Path) -> Iterator[list[Databases]]:
    """SQLite in this folder, and PostgreSQL where a server can be started; after the block that has ended."""
    numbers = count()
    found = [Databases("SQLite", lambda: f"sqlite:///{folder / f'notifybot-{next(numbers)}.sqlite3'}")]
    with contextlib.ExitStack() as running:
        if (binaries := find_binaries()) is not None:
            server = running.enter_context(serving(binaries))
            found.append(Databases("PostgreSQL", server.new_database))
        yield found
