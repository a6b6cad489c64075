"""docs/cli.md and --help match the parser: every command, every option, and no other."""

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifybot.cli import main
from notifybot.cli.parser import COMMANDS as SUMMARIES
from notifybot.cli.parser import build, parse

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "cli.md").read_text(encoding="utf-8")
EVERYWHERE = {"-h", "--help", "--config", "--socket", "--url", "--token-file"}


def commands(parser: argparse.ArgumentParser, *words: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield every complete command with its parser."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield " ".join(words), parser
    for name, child in (item for action in below for item in action.choices.items()):
        yield from commands(child, *words, name)


def options(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


COMMANDS = {words: parser for name in SUMMARIES for words, parser in commands(build(name))}


def section(command: str) -> str:
    """Return the page's section about a command."""
    _, found, rest = PAGE.partition(f"\n## notifybot {command}\n")
    assert found, f"docs/cli.md has no heading for `notifybot {command}`"
    return rest.partition("\n## ")[0]


def test_the_commands_that_scripts_rely_on_exist() -> None:
    assert set(COMMANDS) == {
        "run",
        "demo",
        "send",
        "event",
        "messages list",
        "messages show",
        "messages edit",
        "messages file",
        "messages ack",
        "messages unack",
        "messages snooze",
        "messages close",
        "messages cancel",
        "messages retry",
        "open",
        "spool list",
        "spool flush",
        "spool drop",
        "schedules list",
        "schedules show",
        "schedules change",
        "schedules pause",
        "schedules resume",
        "schedules cancel",
        "oncall show",
        "oncall override",
        "oncall cancel",
        "jobs list",
        "jobs show",
        "jobs trigger",
        "link",
        "verify",
        "unlink",
        "status",
        "test",
        "people list",
        "people show",
        "people rename",
        "people remove",
        "import",
        "health",
        "token create",
        "token list",
        "token revoke",
        "inbound",
        "db upgrade",
        "db backup",
        "db restore",
        "config check",
        "config init",
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--help"]) == 0

    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: notifybot {command} ")
    assert all(option in shown for option in options(COMMANDS[command]))
    assert all(action.help for action in COMMANDS[command]._actions)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_shows_each_command_with_all_its_options_and_an_example(command: str) -> None:
    text = section(command)

    assert f"$ notifybot {command}" in text
    missing = {option for option in options(COMMANDS[command]) - EVERYWHERE if f"`{option}" not in text}
    assert missing == set()


def test_the_page_names_the_global_options() -> None:
    assert all(f"`{option}" in PAGE for option in EVERYWHERE - {"-h"})


def test_the_page_names_no_unknown_option() -> None:
    known = options(build()).union(*(options(command) for command in COMMANDS.values()))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", PAGE)) - {"--unix-socket"}  # curl's

    assert named - known == set()


def examples() -> Iterator[tuple[str, str]]:
    """Yield each `notifybot …` in the blocks of every page. tests/project/test_readme_walk.py walks README.md."""
    for page in sorted(DOCS.rglob("*.md")):
        for block in re.findall(r"(?ms)^ *```(?:sh|console)\n(.*?)^ *```$", page.read_text(encoding="utf-8")):
            for line in re.split(r"\n|\| |&& |; ", block.replace("\\\n", " ")):
                if found := re.match(r"(?:.*\$ )? *(?:sudo )?(?:-u \w+ )?notifybot ((?!demo:).*)", line):
                    yield page.name, found[1]


@pytest.mark.parametrize(("page", "words"), list(examples()))
def test_every_example_on_every_page_is_a_valid_command(page: str, words: str) -> None:
    try:
        parse(shlex.split(words, comments=True))
    except SystemExit as ended:  # --help and --version
        assert ended.code == 0
