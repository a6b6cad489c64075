"""Property tests: any file either loads or is refused with a list of problems."""

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from notifybot.config import SHIPPED, load
from notifybot.config.model import Config
from notifybot.config.problems import ConfigInvalid
from notifybot.config.reader import ListOf, MapOf, SectionOf, keys_of
from tests.config.keys import paths_of

WORDS = sorted({part.rstrip("[]") for path, _ in paths_of(Config) for part in path.split(".")} - {"*"})
TRAPS = (
    *(
        "22:30",
        "no",
        "null",
        "~",
        "1e5",
        "0x1F",
        "0660",
        ".inf",
        "-0",
        "2026-02-30",
        "@ops",
        "*",
        "<<",
        "=",
        "${A}",
        "${",
        "$${A}",
    ),
    *(
        "tomorrow 09:00",
        "never",
        "1h",
        "-1001234567890",
        "subscribers",
        "127.0.0.1:80",
        "10.0.0.0/8",
        "http://[",
        "Europe",
        "\ud800",
    ),
    *(
        "* * * * *",
        "\u2028",
        "\0",
        "x" * 300,
        "9" * 5000,
        "https://x.org",
        "HS256",
        "github",
        "{account}",
        "webhook",
        "/",
        "alice",
    ),
)

patient = settings(deadline=None)
"""No deadline: the first config with a JWT key imports cryptography, and the machine may be busy."""
leaves = st.sampled_from(TRAPS) | st.text(max_size=10) | st.integers() | st.floats() | st.booleans() | st.none()
names = st.sampled_from(["alice", "night", "team", "no", "22:30", "a b"])


def shaped_like(reads: object) -> st.SearchStrategy[object]:
    """Return values shaped like this type: sections, lists and names as in the config, any leaves."""
    match reads:
        case SectionOf(kind):
            inner = {name: shaped_like(key.reads) for key in keys_of(kind) for name in key.names}
            return st.fixed_dictionaries({}, optional=inner)
        case ListOf(item):
            return st.lists(shaped_like(item), max_size=2)
        case MapOf(item):
            return st.dictionaries(names, shaped_like(item), max_size=3)
        case _:
            return leaves


plain = st.sampled_from(
    [*WORDS, *TRAPS[:-1], "- ", "&a ", "*a", "!!str ", "!x ", "|\n", "? ", "%", "---\n", "\t", "\n", "\n  "]
)


def check(content: bytes) -> None:
    """Load a file with this content. It loads, or each problem fits on one line."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        file.write_bytes(content)
        try:
            assert isinstance(load(file, {"HOME": "/home/anna", "A": "22:30"}), Config)
        except ConfigInvalid as error:
            assert error.problems
            assert len(error.detail.splitlines()) == len(error.problems)
            error.detail.encode()


@patient
@given(shaped_like(SectionOf(Config)))
def test_any_values_in_the_right_shape_are_loaded_or_refused(tree: object) -> None:
    # JSON is YAML with quoted strings.
    check(json.dumps(tree).encode())


@patient
@given(
    st.lists(st.tuples(plain, st.sampled_from([": ", "", " ", "[", "{", "}", "]", ", ", "\n", "\n  "])), max_size=25)
)
def test_any_soup_of_yaml_is_loaded_or_refused(pieces: list[tuple[str, str]]) -> None:
    check("".join(piece + mark for piece, mark in pieces).encode("utf-8", "surrogatepass"))


@patient
@given(st.data())
def test_the_shipped_file_with_a_piece_replaced_is_loaded_or_refused(data: st.DataObject) -> None:
    content = SHIPPED.read_bytes()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(start + 20, len(content))))
    check(content[:start] + data.draw(st.binary(max_size=6)) + content[end:])


@patient
@given(st.binary(max_size=100) | st.text().map(str.encode))
def test_any_bytes_are_loaded_or_refused(content: bytes) -> None:
    check(content)
