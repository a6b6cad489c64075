"""Pin requirements/*.txt anew from pyproject.toml, one for each extra: wheels with hashes, no index address.

Usage: python3 requirements/lock.py [uv options, such as --upgrade-package aiohttp]. Without options everything is
brought up to date. uv is installed for this one run; it asks the package index that pip is configured for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = "uv>=0.9"
OPTIONS = [
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-annotate",
    "--no-header",
    "--quiet",
]
EXTRAS = {
    "run.txt": [],
    "postgres.txt": ["--extra=postgres"],
    "charts.txt": ["--extra=charts"],
    "all.txt": ["--extra=charts", "--extra=postgres"],
    "dev.txt": ["--extra=charts", "--extra=dev", "--extra=postgres"],
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([f"{folder}/bin/pip", "install", "--quiet", UV], check=True)
        for name, extras in EXTRAS.items():
            _compile(f"{folder}/bin/uv", f"requirements/{name}", extras)


def _compile(uv: str, target: str, extras: list[str]) -> None:
    changes = sys.argv[1:] or ["--upgrade"]
    command = [uv, "pip", "compile", *OPTIONS, *extras, *changes, f"--output-file={target}", "pyproject.toml"]
    subprocess.run(command, check=True, cwd=ROOT, env={**_index(), **os.environ}, stdout=subprocess.DEVNULL)
    print(f"{target}: pinned")


def _index() -> dict[str, str]:
    """Tell uv where pip looks, unless uv is told itself."""
    return {
        variable: value
        for key, variable in (("index-url", "UV_DEFAULT_INDEX"), ("find-links", "UV_FIND_LINKS"))
        if (value := _pip_setting(key))
    }


def _pip_setting(key: str) -> str:
    for section in (":env:", "global"):
        command = [sys.executable, "-m", "pip", "config", "get", f"{section}.{key}"]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        if asked.returncode == 0:
            return asked.stdout.strip()
    return ""


if __name__ == "__main__":
    main()
