"""The table of formats, the config, and the pages agree."""

import re
from pathlib import Path

import pytest

from notifybot.config import load
from notifybot.config.model import InboundFormat
from notifybot.inbound.formats import FORMATS

PAGES = sorted((Path(__file__).parents[2] / "docs" / "inbound").glob("*.md"))


def test_each_format_is_served() -> None:
    assert FORMATS.keys() == set(InboundFormat)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_are_valid(page: Path, tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert examples
    for example in examples:
        file = tmp_path / "config.yaml"
        file.write_text(example, encoding="utf-8")
        assert load(file, {}).inbound


def test_the_overview_names_each_format() -> None:
    table = next(page for page in PAGES if page.stem == "overview").read_text(encoding="utf-8")
    assert [name for name in FORMATS if f"`{name}`" not in table] == []
