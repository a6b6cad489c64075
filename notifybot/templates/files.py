"""A template's file: a few lines that say how it is shown, between two lines of ---, and then its text."""

import difflib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from notifybot.rendering.markup import ParseMode
from notifybot.templates.language import Source, Unrenderable

MAX_FILE_BYTES = 64_000
MOST_FILES = 500
FENCE = "---"
PRIORITIES = ("low", "normal", "high", "critical")
PARSE_MODES: Mapping[str, ParseMode | None] = {"plain": None, **{mode.value.lower(): mode for mode in ParseMode}}
MODE_OF_SUFFIX: Mapping[str, ParseMode | None] = {
    ".txt": None,
    ".html": ParseMode.HTML,
    ".md": ParseMode.COMMON_MARK,
}
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_QUOTED = re.compile(r"(['\"])([^'\"]*)\1")
"""The whole of a value, as those write it who know YAML."""
_KEY = re.compile(r"([A-Za-z_]+):(?:[ \t]+(.*))?")


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong with a template; `line` counts from 1."""

    file: Path
    line: int
    what: str

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}: {self.what}."
        return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


class Broken(Exception):
    """A file that is no template."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True)
class Template:
    """A template that was read. `sample`: data to try it with, None where its file has none."""

    name: str
    file: Path
    text: Source
    title: Source | None
    parse_mode: ParseMode | None
    priority: str | None
    sample: Mapping[str, object] | None


@dataclass(frozen=True)
class _Line:
    number: int
    text: str


def name_of(file: Path) -> str | None:
    """The template's name, None for a file that is none: `deploy` for deploy.txt, deploy.html, deploy.md."""
    return file.stem if file.suffix in MODE_OF_SUFFIX and not file.name.startswith(".") else None


def read(file: Path) -> Template:
    """Read one template. Raises Broken."""
    name = file.stem
    if not NAME.fullmatch(name):
        raise Broken(Problem(file, 1, "its name has small letters, digits, _ and -, at most 64 of them"))
    lines = [_Line(number, text) for number, text in enumerate(_content(file).split("\n"), 1)]
    head, body = _parted(file, lines)
    values = _values(file, head)
    mode = _parse_mode(file, values)
    title = values.get("title")
    return Template(
        name=name,
        file=file,
        text=_source(file, "\n".join(line.text for line in body), mode, body[0].number if body else 1),
        title=None if title is None else _source(file, title.text, None, title.number),
        parse_mode=mode,
        priority=_priority(file, values),
        sample=_sample(file, values),
    )


def _content(file: Path) -> str:
    try:
        with open(file, "rb", opener=_at_once) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise Broken(Problem(file, 1, "this is no regular file"))
            content = stream.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise Broken(Problem(file, 1, f"a template has at most {MAX_FILE_BYTES:,} bytes"))
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise Broken(Problem(file, 1, f"it cannot be read: {os.strerror(error.errno or 0)}")) from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise Broken(Problem(file, line, "this is not UTF-8 text")) from None
    if "\x00" in text:
        raise Broken(Problem(file, text[: text.index("\x00")].count("\n") + 1, "the character U+0000 cannot be sent"))
    return text.replace("\r\n", "\n")


def _at_once(path: str, flags: int) -> int:
    """Open a file; one that is a pipe would keep us waiting until somebody writes into it."""
    return os.open(path, flags | os.O_NONBLOCK)


def _parted(file: Path, lines: list[_Line]) -> tuple[list[_Line], list[_Line]]:
    if lines[0].text.rstrip() != FENCE:
        return [], lines
    ends = (place for place, line in enumerate(lines[1:], 1) if line.text.rstrip() == FENCE)
    end = next(ends, None)
    if end is None:
        raise Broken(Problem(file, 1, f"a second line {FENCE} must end what begins here"))
    return lines[1:end], lines[end + 1 :]


def _values(file: Path, head: list[_Line]) -> dict[str, _Line]:
    """What each key says; an indented line goes on with the one above it."""
    found: dict[str, _Line] = {}
    key = None
    for line in head:
        if not line.text.strip() or line.text.startswith("#"):
            continue
        if line.text[0] in " \t" and key is not None:
            found[key] = _Line(found[key].number, f"{found[key].text}\n{line.text.strip()}")
            continue
        named = _KEY.fullmatch(line.text.rstrip())
        if named is None:
            raise Broken(Problem(file, line.number, "this is written like key: value"))
        key = named[1]
        if key not in _KEYS:
            near = next(iter(difflib.get_close_matches(key, _KEYS, n=1)), ", ".join(_KEYS))
            raise Broken(Problem(file, line.number, f"the key {key!r} is not known here; did you mean {near}"))
        if key in found:
            raise Broken(Problem(file, line.number, f"{key} is given twice"))
        found[key] = _Line(line.number, _unquoted((named[2] or "").strip()))
    return found


def _unquoted(text: str) -> str:
    quoted = _QUOTED.fullmatch(text)
    return quoted[2] if quoted else text


_KEYS = ("title", "parse_mode", "priority", "sample")


def _parse_mode(file: Path, values: Mapping[str, _Line]) -> ParseMode | None:
    given = values.get("parse_mode")
    if given is None:
        return MODE_OF_SUFFIX[file.suffix]
    if given.text.lower() not in PARSE_MODES:
        words = ", ".join(["plain", *ParseMode])
        raise Broken(Problem(file, given.number, f"parse_mode is one of {words}"))
    return PARSE_MODES[given.text.lower()]


def _priority(file: Path, values: Mapping[str, _Line]) -> str | None:
    given = values.get("priority")
    if given is not None and given.text not in PRIORITIES:
        raise Broken(Problem(file, given.number, f"priority is one of {', '.join(PRIORITIES)}"))
    return None if given is None else given.text


def _sample(file: Path, values: Mapping[str, _Line]) -> Mapping[str, object] | None:
    given = values.get("sample")
    if given is None:
        return None
    try:
        sample = json.loads(given.text)
    except (ValueError, RecursionError):
        sample = None
    if not isinstance(sample, dict):
        raise Broken(Problem(file, given.number, 'a sample is a JSON object, like {"host": "db1"}'))
    return sample


def _source(file: Path, text: str, mode: ParseMode | None, line: int) -> Source:
    try:
        return Source(text, mode, line=line)
    except Unrenderable as error:
        raise Broken(Problem(file, error.line or line, error.what)) from None


def read_folder(folder: Path, note: Callable[[Problem], None]) -> Iterator[Template]:
    """Read the templates of a folder, in the order of their names; what is wrong with the others is noted."""
    try:
        files = sorted(file for file in folder.iterdir() if name_of(file) is not None)
    except OSError as error:
        note(Problem(folder, 1, f"the folder cannot be read: {os.strerror(error.errno or 0)}"))
        return
    if len(files) > MOST_FILES:
        note(Problem(folder, 1, f"a folder has at most {MOST_FILES} templates"))
        return
    seen: dict[str, Path] = {}
    for file in files:
        if file.stem in seen:
            note(Problem(file, 1, f"{seen[file.stem].name} has the same name"))
            continue
        seen[file.stem] = file
        try:
            yield read(file)
        except Broken as error:
            note(error.problem)
