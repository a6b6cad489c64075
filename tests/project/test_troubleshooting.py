"""docs/troubleshooting.md has every error and every warning that a user may see."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "notifybot"
PAGE = re.sub(r"\s+", " ", (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8").replace("`", ""))
ERRORS = frozenset(
    {
        "NoAnswer",
        "NotPermitted",
        "StartRefused",
        "TooManyRequests",
        "Unauthenticated",
        "Unavailable",
        "Unreachable",
    }
)
"""Errors about the daemon, the connection or the credential. Others name what to change in the request."""
WARNINGS = (
    "alerts/policy_gaps.py",
    "auth/throttle.py: warning",
    "auth/allowance.py: warning",
    "health/assess.py: _warnings",
    "health/chat_warnings.py: _sentences",
    "health/chat_warnings.py: _sentence",
    "health/config_notes.py",
    "health/exposed_files.py",
    "health/lost_names.py: lost_names",
    "health/lost_names.py: _why_lost",
    "health/lost_names.py: _lost_rotations",
    "health/unknown_zones.py: warning",
    "ingest_server.py: _ask_systemd",
    "posts/clock_steps.py: warnings",
    "posts/clock_steps.py: _said",
    "routes/health.py: _missing_members",
    "routes/health.py: _missing_admins",
    "storage/same_file.py: rescue",
    "system/bot_lock.py: _reported",
    "system/kept_files.py",
    "system/log_queue.py: warning",
    "telegram_api/connection_state.py: state_of",
    "telegram_api/connection_state.py: other_bot_words",
    "telegram_api/connection_state.py: webhook_notice",
    "telegram_api/verdict.py: _BOT_REFUSALS",
    "telegram_api/verdict.py: _in_its_words",
    "web/problems.py: internal",
)
"""Functions, or whole modules, that make the sentences of /health; and the one of an internal error."""
PARTS = frozenset({"1 post waits for its files", "unacknowledged alerts", "unacknowledged alerts without a policy"})
"""Filled into sentences that the page has with `…` in their place."""
SHORTEST_SENTENCE = 15
FRAGMENT = 3


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def pieces(node: ast.expr) -> tuple[str, ...]:
    """Return the constant parts of a string, without what is filled in."""
    match node:
        case ast.Constant(value=str(text)):
            return (text,)
        case ast.JoinedStr(values=values):
            return tuple(str(each.value) for each in values if isinstance(each, ast.Constant))
    return ()


def errors() -> Iterator[tuple[str, ...]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if {"sandbox", "demo"} & set(path.parts):
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS and node.args:
                yield pieces(node.args[0])


def warnings(place: str) -> Iterator[tuple[str, ...]]:
    """Yield the sentences in a function, a constant or a module; not its docstrings, log lines and patterns."""
    file, _, name = place.partition(": ")
    nodes = [node for node in ast.walk(parsed(PACKAGE / file)) if not name or is_named(node, name)]
    nodes = [inner for node in (nodes if name else nodes[:1]) for inner in ast.walk(node)]
    skipped = {id(inner) for node in nodes if is_no_warning(node) for inner in ast.walk(node)}
    skipped |= {id(each) for node in nodes if isinstance(node, ast.JoinedStr) for each in node.values}
    for node in nodes:
        if isinstance(node, ast.expr) and id(node) not in skipped and is_sentence(found := pieces(node)):
            yield found


def is_named(node: ast.AST, name: str) -> bool:
    match node:
        case ast.FunctionDef(name=own) | ast.AsyncFunctionDef(name=own) | ast.AnnAssign(target=ast.Name(id=own)):
            return own == name
    return False


def is_no_warning(node: ast.AST) -> bool:
    """Recognize docstrings, calls of the log, and patterns."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func)
    return called.startswith("log.") or called == "re.compile"


def is_sentence(found: tuple[str, ...]) -> bool:
    text = "".join(found)
    return len(text) >= SHORTEST_SENTENCE and " " in text.strip() and text not in PARTS


def is_on_the_page(found: tuple[str, ...]) -> bool:
    """Look for the first sentence, with anything between its constant parts; the page may end it with `…`."""
    first = [part for part in "\0".join(found).partition(". ")[0].replace("`", "").split("\0") if len(part) >= FRAGMENT]
    words = [re.escape(part.strip(" .:(")) for part in first]
    return re.search(r"[^|]*?".join(words), PAGE) is not None


@pytest.mark.parametrize("found", sorted({each for each in errors() if each}), ids=" … ".join)
def test_the_page_has_every_error_about_the_daemon(found: tuple[str, ...]) -> None:
    assert is_on_the_page(found)


@pytest.mark.parametrize(
    ("place", "found"),
    [(place, found) for place in WARNINGS for found in warnings(place)],
    ids=lambda value: value if isinstance(value, str) else " … ".join(value)[:60],
)
def test_the_page_has_every_warning(place: str, found: tuple[str, ...]) -> None:
    assert is_on_the_page(found)


def titles() -> set[str]:
    """Return the titles of the messages to the admins."""
    found: set[str] = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(parsed(path)):
            match node:
                case ast.Call(
                    func=ast.Name(id="ConnectionNotice" | "JobNotice"), args=[ast.Constant(value=str(title)), *_]
                ):
                    found.add(title)
                case ast.Call(func=ast.Name(id="Announcement"), args=[*_, ast.Constant(value=str(title))]):
                    found.add(title)
                case ast.Assign(targets=[ast.Name(id="TITLE")], value=ast.Constant(value=str(title))):
                    found.add(title)
    return found


@pytest.mark.parametrize("title", sorted(titles()))
def test_the_page_has_every_message_to_the_admins(title: str) -> None:
    assert title in PAGE


def test_each_place_of_warnings_has_some() -> None:
    assert [place for place in WARNINGS if not list(warnings(place))] == []
