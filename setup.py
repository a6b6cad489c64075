"""The package's description for an index: README.md with absolute links. All else is in pyproject.toml."""

import re
import tomllib
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
RELATIVE = re.compile(r'(?P<before>\]\(|src=")(?!https?://|#)(?P<path>[^)"]+)')


def description() -> str:
    """Return the README; an index shows it without the files beside it."""
    source = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Source"]

    def absolute(link: re.Match[str]) -> str:
        view = "raw" if link["path"].endswith(".png") else "blob"
        return f"{link['before']}{source}/{view}/main/{link['path']}"

    return RELATIVE.sub(absolute, (ROOT / "README.md").read_text(encoding="utf-8"))


setup(long_description=description(), long_description_content_type="text/markdown")
