"""Run one command in this process."""

import pytest

from notifybot.cli import main


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """Return the exit code, and what the command alone wrote to standard output and standard error."""
    capsys.readouterr()
    code = main(argv)
    shown = capsys.readouterr()
    return code, shown.out, shown.err
