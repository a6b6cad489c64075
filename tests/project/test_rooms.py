"""The rooms of the house: the picture is current, and each room has a sentence."""

import ast
import re
from pathlib import Path

import pytest

from docs import rooms

PACKAGE = rooms.ROOT / "notifybot"
TESTS = rooms.ROOT / "tests"
LIST = TESTS / "project" / "without_test_file.txt"


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


def without_test_file() -> list[str]:
    """Name the modules that no test file mirrors or imports; stories and other tests reach them from outside."""
    imported: set[str] = set()
    for path in TESTS.rglob("*.py"):
        for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(statement, ast.ImportFrom) and statement.module is not None:
                imported |= {statement.module, *(f"{statement.module}.{each.name}" for each in statement.names)}
    found = []
    for path in sorted(PACKAGE.rglob("[a-z]*.py")):
        module = path.relative_to(PACKAGE).with_suffix("")
        mirror = TESTS / module.parent / f"test_{module.name}.py"
        if (
            "migrations" not in module.parts
            and not mirror.exists()
            and ".".join(("notifybot", *module.parts)) not in imported
        ):
            found.append(str(module))
    return found


def test_the_list_of_modules_without_a_test_file_is_current() -> None:
    """A new module gets a test file, or an entry in the list that names the tests covering it."""
    assert without_test_file() == LIST.read_text(encoding="utf-8").splitlines()
