"""Reads template files: an optional header between two lines of ---, then the text."""

import functools
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from notifybot.errors import did_you_mean
from notifybot.rendering.markup import ParseMode
from notifybot.templates.compiled import Compiled
from notifybot.templates.errors import Unrenderable

MAX_FILE_BYTES = 64_000
MAX_FILES = 500
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
"""A value in quotes, as in YAML."""
_KEY = re.compile(r"([A-Za-z_]+):(?:[ \t]+(.*))?")


@dataclass(frozen=True, order=True)
class TemplateProblem:
    """A mistake in a template; `line` counts from 1."""

    file: Path
    line: int
    what: str

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}: {self.what}."
        return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


class Broken(Exception):
    """The file is not a template."""

    def __init__(self, problem: TemplateProblem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True)
class Template:
    """`sample`: data to check it with, None if the file has none."""

    name: str
    file: Path
    text: Compiled
    title: Compiled | None
    parse_mode: ParseMode | None
    priority: str | None
    sample: Mapping[str, object] | None


@dataclass(frozen=True)
class _Line:
    number: int
    text: str


def name_of(file: Path) -> str | None:
    """Name the template in a file: `deploy` for deploy.txt, deploy.html, deploy.md. None: not a template."""
    return file.stem if file.suffix in MODE_OF_SUFFIX and not file.name.startswith(".") else None


def read(file: Path) -> Template:
    """Read one template. Raises Broken."""
    name = file.stem
    if not NAME.fullmatch(name):
        raise Broken(TemplateProblem(file, 1, "a name has lower-case letters, digits, _ and -, at most 64 of them"))
    lines = [_Line(number, text) for number, text in enumerate(_content(file).split("\n"), 1)]
    head, body = _parted(file, lines)
    values = _values(file, head)
    mode = _parse_mode(file, values)
    title = values.get("title")
    return Template(
        name=name,
        file=file,
        text=_compiled(file, "\n".join(line.text for line in body), mode, body[0].number if body else 1),
        title=None if title is None else _compiled(file, title.text, None, title.number),
        parse_mode=mode,
        priority=_priority(file, values),
        sample=_sample(file, values),
    )


def _content(file: Path) -> str:
    try:
        with open(file, "rb", opener=_at_once) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise Broken(TemplateProblem(file, 1, "this is not a regular file"))
            content = stream.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise Broken(TemplateProblem(file, 1, f"a template has at most {MAX_FILE_BYTES:,} bytes"))
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise Broken(TemplateProblem(file, 1, f"cannot read it: {os.strerror(error.errno or 0)}")) from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise Broken(TemplateProblem(file, line, "this is not UTF-8 text")) from None
    if "\x00" in text:
        raise Broken(
            TemplateProblem(file, text[: text.index("\x00")].count("\n") + 1, "the character U+0000 is not allowed")
        )
    return text.replace("\r\n", "\n")


def _at_once(path: str, flags: int) -> int:
    """Open a file without waiting: a pipe would block until someone writes."""
    return os.open(path, flags | os.O_NONBLOCK)


def _parted(file: Path, lines: list[_Line]) -> tuple[list[_Line], list[_Line]]:
    if lines[0].text.rstrip() != FENCE:
        return [], lines
    ends = (place for place, line in enumerate(lines[1:], 1) if line.text.rstrip() == FENCE)
    end = next(ends, None)
    if end is None:
        raise Broken(TemplateProblem(file, 1, f"a second line {FENCE} must end the header that begins here"))
    return lines[1:end], lines[end + 1 :]


def _values(file: Path, head: list[_Line]) -> dict[str, _Line]:
    """Read key: value; an indented line continues the one above."""
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
            raise Broken(TemplateProblem(file, line.number, "write key: value"))
        key = named[1]
        if key not in _KEYS:
            near = did_you_mean(key, _KEYS) or ", ".join(_KEYS)
            raise Broken(TemplateProblem(file, line.number, f"unknown key {key!r}; did you mean {near}"))
        if key in found:
            raise Broken(TemplateProblem(file, line.number, f"{key} occurs twice"))
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
        raise Broken(TemplateProblem(file, given.number, f"parse_mode is one of {words}"))
    return PARSE_MODES[given.text.lower()]


def _priority(file: Path, values: Mapping[str, _Line]) -> str | None:
    given = values.get("priority")
    if given is not None and given.text not in PRIORITIES:
        raise Broken(TemplateProblem(file, given.number, f"priority is one of {', '.join(PRIORITIES)}"))
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
        raise Broken(TemplateProblem(file, given.number, 'sample is a JSON object, such as {"host": "db1"}'))
    return sample


def _compiled(file: Path, text: str, mode: ParseMode | None, line: int) -> Compiled:
    try:
        return _compile(text, mode, line)
    except Unrenderable as error:
        raise Broken(TemplateProblem(file, error.line or line, error.what)) from None


@functools.lru_cache(MAX_FILES)
def _compile(text: str, mode: ParseMode | None, line: int) -> Compiled:
    """Compile a text once: a folder that is read again in the same process costs little."""
    return Compiled(text, mode, line=line)


def read_folder(folder: Path, note: Callable[[TemplateProblem], None]) -> Iterator[Template]:
    """Read the templates of a folder in the order of their names; `note` is called for each mistake."""
    try:
        files = sorted(file for file in folder.iterdir() if name_of(file) is not None)
    except OSError as error:
        note(TemplateProblem(folder, 1, f"cannot read the folder: {os.strerror(error.errno or 0)}"))
        return
    if len(files) > MAX_FILES:
        note(TemplateProblem(folder, 1, f"a folder has at most {MAX_FILES} templates"))
        return
    seen: dict[str, Path] = {}
    for file in files:
        if file.stem in seen:
            note(TemplateProblem(file, 1, f"{seen[file.stem].name} is the same template"))
            continue
        seen[file.stem] = file
        try:
            yield read(file)
        except Broken as error:
            note(error.problem)
