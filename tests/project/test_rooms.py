"""The rooms of the house: the picture is current, and each room has a sentence."""

import ast
from pathlib import Path

import pytest

from docs import rooms

PACKAGE = rooms.ROOT / "notifybot"


def packages() -> list[Path]:
    return sorted(path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE)


def test_the_picture_of_the_rooms_is_current() -> None:
    page = rooms.PAGE.read_text(encoding="utf-8")
    assert rooms.with_block(page) == page, "Run: python -m docs.rooms"


@pytest.mark.parametrize("package", packages(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_says_in_one_sentence_what_it_is_for(package: Path) -> None:
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8")))
    assert docstring, package
    assert docstring.split("\n\n")[0].endswith((".", ":")), docstring
