"""The examples in docs/formatting.md work as described."""

import re
from pathlib import Path

import pytest

from notifybot.rendering.markup import ParseMode, parse

PAGE = (Path(__file__).parents[3] / "docs" / "formatting.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```\w*\n(.*?)\n```$", PAGE, re.DOTALL | re.MULTILINE)

MARKUPS = [mode for mode in ParseMode if mode is not ParseMode.MONO]


@pytest.mark.parametrize(("mode", "example"), list(zip(MARKUPS, EXAMPLES[:4], strict=True)))
def test_each_format_has_an_example_that_can_be_read(mode: ParseMode, example: str) -> None:
    found = parse(example, mode)

    assert "db1" in found.text
    assert {"bold", "code", "text_link"} <= {entity.type for entity in found.entities}


def test_the_report_looks_as_the_page_shows_it() -> None:
    assert parse(EXAMPLES[3], ParseMode.COMMON_MARK).text == EXAMPLES[4]
