"""The rooms of the house: the picture is current, and each room has a sentence."""

import ast
import re
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


@pytest.mark.parametrize("page", sorted((rooms.ROOT / "docs").rglob("*.md")), ids=lambda path: path.name)
def test_a_page_names_only_files_and_functions_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    files = re.findall(r"`(?:notifybot/)?([a-z_]+(?:/[a-z_0-9]+)+\.py)`", text)
    assert [name for name in files if not any((root / name).exists() for root in (PACKAGE, rooms.ROOT))] == []
    names = re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)\.([A-Za-z_]+)(?:\(|`)", text)
    modules = [(PACKAGE.joinpath(*module.split(".")).with_suffix(".py"), name) for module, name in names]
    lost = [f"{path.stem}.{name}" for path, name in modules if path.exists() and name not in path.read_text("utf-8")]
    assert lost == []
