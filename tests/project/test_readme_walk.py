"""The README word for word: "Try it", then "Use it", and the rest; the exit code of each command, and what arrived."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PATIENCE_S = 60.0
NEWEST_ALERT = "NEWEST_ALERT"
MEANT = {
    " ID ": f" {NEWEST_ALERT} ",  # "ID: the beginning of an id in that list"
    "YOUR_CHAT_ID": "700000001",  # the reply to /start has it; here Anna's
}
"""What a reader puts in the place of words in capitals."""
NOT_RUN = {
    "make run": "walk() runs it, in the background",
    "make test": "this test is part of it",
    "TELEGRAM_BOT_TOKEN=123456:… make run": "needs a bot at Telegram",
}
FOR_DEVELOPERS = {
    "make bench",
    "make chaos-day",
    "make check",
    "make clock-lab",
    ".venv-test/bin/python -m benchmarks.client_start",
    ".venv-test/bin/python -m benchmarks.memory_attacks",
    "make crash-lab",
    "make format",
    "make lock",
    "make test",
    "make client",
    "make test-packages",
    "make test-postgres",
    ".venv-test/bin/python -m docs.pictures",
}
"""Not run either: some of them run this test, the others take minutes."""
ARRIVES = {
    'notifybot send --to ops --alert --title "db1" "disk 97 % full"': ("Ops", "db1\ndisk 97 % full"),
    "df -h | notifybot send --to anna -": ("Anna", "Filesystem"),
    'curl --unix-socket "$NOTIFYBOT_SOCKET" http://localhost/api/ingest': ("Ops", "disk 97 % full"),
    "from notifybot.client import send": ("Anna", "disk 97 % full"),
    "notifybot send --to ops --alert --source monitoring --photo": ("Ops", "At this pace it is full in 40 minutes."),
    "notifybot send --to oncall --alert --policy night": ("oncall", "db1 is not responding"),
    '.venv-run/bin/notifybot send --to YOUR_CHAT_ID --alert "hello"': ("Anna", "hello"),
}
"""The post that each of these commands adds, by how it begins: in which chat, with which text."""
ON_CALL = {"oncall": ("Anna", "Ben")}
"""A rotation: one of these is on call."""
PRINTS = {
    "notifybot messages          #": "disk 97 % full",
    "notifybot messages ack": "closed: ",
    "notifybot send --to anna --at": "scheduled: ",
    "notifybot send --to ops --every": "repeated by schedule",
    "notifybot oncall": "oncall",
}


@dataclass(frozen=True)
class Command:
    """One command as the README has it. `language`: sh or python."""

    text: str
    language: str

    def __str__(self) -> str:
        return self.text.partition("\n")[0]


def commands() -> Iterator[Command]:
    """Yield the commands of all blocks in order. Open quotes and backslashes continue a command on the next line."""
    for indent, language, block in re.findall(r"(?ms)^( *)```(\w+)\n(.*?)^ *```$", README):
        lines = "\n".join(line.removeprefix(indent) for line in block.rstrip().split("\n"))
        if language != "sh":
            yield Command(lines, language)
            continue
        yield from (Command(text, language) for text in split(lines))


def split(block: str) -> Iterator[str]:
    begun = ""
    for line in block.split("\n"):
        begun += line
        if is_complete(begun):
            if begun.strip():
                yield begun
            begun = ""
        else:
            begun += "\n"
    assert not begun, f"the README has half a command: {begun}"


def is_complete(text: str) -> bool:
    if text.endswith("\\"):
        return False
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return False
    return True


COMMANDS = list(commands())


def without_comment(text: str) -> str:
    return re.sub(r"\s+#.*$", "", text)


def of(table: Mapping[str, object], command: Command) -> list[str]:
    return [start for start in table if command.text.startswith(start)]


def test_each_command_is_run_or_named_as_not_run() -> None:
    """A new command in the README has to be added to one of the tables."""
    unknown = [each.text for each in COMMANDS if not (of(ARRIVES, each) or of(PRINTS, each) or is_quiet(each))]

    assert unknown == [text for text in unknown if without_comment(text) in NOT_RUN]
    assert sorted(without_comment(text) for text in unknown) == sorted(NOT_RUN)


def is_quiet(command: Command) -> bool:
    return without_comment(command.text) == "unset NOTIFYBOT_SOCKET"


@pytest.mark.parametrize("start", [*ARRIVES, *PRINTS])
def test_each_expectation_is_about_a_command_of_the_readme(start: str) -> None:
    assert [each for each in COMMANDS if each.text.startswith(start)]


def test_commands_outside_of_blocks_are_those_for_developers() -> None:
    prose = re.sub(r"(?ms)^ *```.*?^ *```$", "", README)
    named = re.findall(r"`((?:\S*python|notifybot|curl|sudo|make|pip|git) [^`\n]+)`", prose)

    assert set(named) == FOR_DEVELOPERS


# The walk


@dataclass
class Newcomer:
    """Somebody in a fresh folder with the project, and the demo in another shell. `page`: the address of its page."""

    folder: Path
    page: str
    exports: list[str]

    def does(self, command: Command) -> subprocess.CompletedProcess[str]:
        text = command.text
        for word, meant in MEANT.items():
            text = text.replace(word, meant)
        if NEWEST_ALERT in text:
            text = text.replace(NEWEST_ALERT, self.newest_alert())
        if command.language == "python":
            (self.folder / "readme.py").write_text(text, encoding="utf-8")
            text = "python readme.py"
        return self.types(text)

    def types(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a line in a shell that got the demo's exports, without a terminal."""
        script = "\n".join([*self.exports, text])
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=environment(self.folder),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def newest_alert(self) -> str:
        listed = json.loads(self.types("notifybot open --json").stdout)["messages"]
        return str(listed[0]["id"])[:13]

    def sees(self, chat: str, text: str, *, times: int) -> None:
        """Wait until so many posts in the chat contain the text, as the page shows it."""
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        opener.open(self.page, timeout=PATIENCE_S).close()
        address = f"{self.page.partition('?')[0]}sandbox"
        with opener.open(f"{address}/events", timeout=PATIENCE_S) as events:
            with opener.open(f"{address}/state", timeout=PATIENCE_S) as response:
                state = json.load(response)
            names = {each["id"]: each.get("title", each.get("first_name")) for each in state["chats"]}
            wanted = {key for key, name in names.items() if name in ON_CALL.get(chat, (chat,))}
            found: set[tuple[object, object]] = set()
            before = (post for posts in state["messages"].values() for post in posts)
            for post in chain(before, posts_in(events)):
                if post["chat"]["id"] in wanted and text in post.get("text", post.get("caption", "")):
                    found.add((post["chat"]["id"], post["message_id"]))
                if len(found) == times:
                    return
        raise AssertionError(f"{text} did not arrive in {chat}")


def posts_in(events: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    """Yield the messages in a stream of the sandbox's events."""
    kind = ""
    for line in events:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        kind = value if name == "event" else kind
        if name == "data" and kind == "message":
            yield json.loads(value)


def environment(folder: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "LC_ALL": "C.UTF-8"}


@contextmanager
def newcomer(folder: Path) -> Iterator[Newcomer]:
    """Run `make run` in a checkout whose environment is the test's: PYTHON=true makes no new one."""
    for path in ROOT.iterdir():
        if not path.name.startswith("."):
            (folder / path.name).symlink_to(path)
    for name in ("home", "tmp", ".venv-run/bin"):
        (folder / name).mkdir(parents=True)
    for name, words in (("python", ""), ("notifybot", "-m notifybot ")):
        script = folder / ".venv-run" / "bin" / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {words}"$@"\n', encoding="utf-8")
        script.chmod(0o755)
    makes = environment(folder) | {"MAKEFLAGS": "PYTHON=true", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        ["make", "run"], cwd=folder, env=makes, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as demo:
        try:
            yield welcomed(demo, folder)
        finally:
            os.killpg(demo.pid, signal.SIGINT)
            rest, _ = demo.communicate(timeout=PATIENCE_S)
            assert "Stopping." in rest


def welcomed(demo: subprocess.Popen[str], folder: Path) -> Newcomer:
    assert demo.stdout is not None
    said = ""
    while "Ctrl-C" not in said or said.count("export ") < 2:
        line = demo.stdout.readline()
        assert line, f"the demo ended: {said}"
        said += line
    exports = [line.strip() for line in said.splitlines() if line.strip().startswith("export ")]
    return Newcomer(folder, re.findall(r"http://127\.0\.0\.1:\d+/\?key=\S+", said)[0], exports)


@pytest.mark.daemon
@pytest.mark.slow_because("the demo, and a process for each command")
@pytest.mark.skipif(not (shutil.which("make") and shutil.which("curl")), reason="apt-get install make curl")
def test_a_newcomer_types_the_readme(tmp_path: Path) -> None:
    arrived: list[tuple[str, str]] = []
    with newcomer(tmp_path) as reader:
        for command in COMMANDS:
            if without_comment(command.text) in NOT_RUN:
                continue
            done = reader.does(command)
            assert (command.text, done.returncode, complaints(done)) == (command.text, 0, "")
            assert all(PRINTS[start] in done.stdout for start in of(PRINTS, command)), done.stdout
            for chat, text in (ARRIVES[start] for start in of(ARRIVES, command)):
                arrived.append((chat, text))
                reader.sees(chat, text, times=sum(where == chat and text in other for where, other in arrived))


def complaints(done: subprocess.CompletedProcess[str]) -> str:
    """Return standard error without the progress of curl."""
    lines = re.split(r"[\r\n]+", done.stderr)
    return "\n".join(line for line in lines if not re.match(r" *(%|Dload|\d|$)|.*Dload", line))
