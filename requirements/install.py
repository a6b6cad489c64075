"""Make the environment that `make run` or `make test` works in, or say in two lines what is missing.

Usage: python3 requirements/install.py run|postgres|charts|all|dev LINK. Standard library only; quiet when there is
nothing to do.

Each set of pins has a folder of its own, LINK.<digest>. Steps: wait for the lock beside LINK; where the folder is not
complete, make it, install the pinned wheels with their hashes checked, let it see this checkout, and mark it complete
last, so that an interrupted build counts for nothing; point LINK at it. Whoever still works in the folder before is
left alone: only folders older than that one are removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import shlex
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
COMPLETE = "complete"
PIP_OPTIONS = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check"]


def main() -> None:
    wanted, link = ROOT / "requirements" / f"{sys.argv[1]}.txt", ROOT / sys.argv[2]
    if sys.version_info < OLDEST:
        _leave(f"this python3 is {sys.version.split()[0]}", "install Python 3.11 or newer; make PYTHON=… names another")
    with _lock(link):
        environment = link.with_name(f"{link.name}.{_digest(wanted)}")
        if not (environment / COMPLETE).exists():
            _build(environment, wanted)
        _point(link, environment)


def _digest(wanted: Path) -> str:
    """Name what an environment depends on: the pins, this script, the interpreter, and where the checkout stands."""
    parts = (
        wanted.read_bytes(),
        Path(__file__).read_bytes(),
        sys.version.encode(),
        sys.executable.encode(),
        bytes(ROOT),
    )
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def _build(environment: Path, wanted: Path) -> None:
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        _leave("python3 cannot make environments: venv or ensurepip is missing", f"sudo apt-get install {package}")
    print(f"Installing {wanted.relative_to(ROOT)} into {environment.name} (once, about a minute)", flush=True)
    shutil.rmtree(environment, ignore_errors=True)
    python = environment / "bin" / "python"
    _run([sys.executable, "-m", "venv", str(environment)], "see what python3 -m venv says above")
    _run(
        [str(python), "-m", "pip", "install", "--quiet", *PIP_OPTIONS, "--requirement", str(wanted)],
        "see what pip says above; behind a mirror, set PIP_INDEX_URL",
    )
    _add_notifybot(environment)
    (environment / COMPLETE).touch()


def _point(link: Path, environment: Path) -> None:
    before = link.resolve()
    if before == environment:
        return
    fresh = link.with_name(f"{link.name}.link")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(environment.name)
    fresh.replace(link)
    for old in link.parent.glob(f"{link.name}.*"):
        if old.is_dir() and old not in (before, environment):
            shutil.rmtree(old)


def _add_notifybot(environment: Path) -> None:
    """Let the environment import this checkout, and give it the command `notifybot`.

    Without -P, the command would import what lies in the folder where it is called.
    """
    site = next((environment / "lib").glob("python3*/site-packages"))
    (site / "notifybot-checkout.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    command = environment / "bin" / "notifybot"
    python = shlex.quote(str(environment / "bin" / "python"))
    command.write_text(f'#!/bin/sh\nexec {python} -P -m notifybot "$@"\n', encoding="utf-8")
    command.chmod(0o755)


def _run(command: list[str], hint: str) -> None:
    if subprocess.run(command, check=False).returncode != 0:
        _leave(f"{' '.join(command[:4])} failed", hint)


@contextmanager
def _lock(link: Path) -> Iterator[None]:
    """Let one build at a time go on; the kernel drops the lock with the process."""
    with link.with_name(f"{link.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _leave(what: str, hint: str) -> None:
    sys.exit(f"error: {what}\nhint: {hint}")


if __name__ == "__main__":
    main()
