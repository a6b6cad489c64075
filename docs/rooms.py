"""Draw the rooms of docs/architecture.md from the layers contract in pyproject.toml.

`python -m docs.rooms` rewrites the block between the two markers. A test fails while it is out of date.
"""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- rooms: written by `python -m docs.rooms` -->", "<!-- end of rooms -->"


def floors() -> list[list[str]]:
    """Return the floors of the layers contract, top floor first, each with its rooms."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[room.strip() for room in layer.split("|")] for layer in layers]


def purpose(room: str) -> str:
    """Return the first sentence of the room's docstring."""
    package = ROOT / "notifybot" / room / "__init__.py"
    path = package if package.exists() else ROOT / "notifybot" / f"{room}.py"
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n\n")[0].replace("\n", " ")


def block() -> str:
    """Return the picture and the table, with their markers."""
    found = floors()
    levels = list(zip(range(len(found), 0, -1), found, strict=True))
    lines = [BEGIN, "", "```mermaid", "flowchart TB"]
    lines += [f'    floor{height}["{" · ".join(rooms)}"]' for height, rooms in levels]
    lines += [f"    floor{height} --> floor{height - 1}" for height, _ in levels[:-1]]
    lines += ["```", "", "| floor | room | purpose |", "|---:|---|---|"]
    for height, rooms in levels:
        lines += [f"| {height} | `{room}` | {purpose(room)} |" for room in rooms]
    return "\n".join([*lines, "", END])


def with_block(page: str) -> str:
    before, _, rest = page.partition(BEGIN)
    return before + block() + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(with_block(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
