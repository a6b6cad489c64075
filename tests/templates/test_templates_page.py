"""docs/templates.md: its examples render as shown."""

import json
import re
from pathlib import Path
from textwrap import dedent

import pytest

from notifybot.rendering import markup
from notifybot.rendering.markup import ParseMode
from notifybot.templates import Templates, TemplatesInvalid
from notifybot.templates.filters import filters

PAGE = (Path(__file__).parents[2] / "docs" / "templates.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", PAGE, re.DOTALL | re.MULTILINE)
    return [dedent(text) for _, text in found]


def test_the_example_renders_as_shown(tmp_path: Path) -> None:
    (file,) = blocks("jinja")
    (tmp_path / "backup.md").write_text(file, encoding="utf-8")
    templates = Templates.read(tmp_path)
    assert templates.check() == ()
    (asked,) = [json.loads(body) for body in re.findall(r"-d '(\{.*?\})'\n", PAGE, re.DOTALL) if '"backup"' in body]
    made = templates.render("backup", asked["data"])
    assert made.parse_mode is ParseMode.COMMON_MARK
    shown = f"{made.title}\n{markup.parse(made.content, ParseMode.COMMON_MARK).text}\n"
    assert shown in blocks("text")
    assert asked["data"] == templates.by_name["backup"].sample


def test_a_wrong_sample_is_reported_as_shown(tmp_path: Path) -> None:
    (file,) = blocks("jinja")
    (tmp_path / "backup.md").write_text(file.replace("754", '"long"'), encoding="utf-8")
    with pytest.raises(TemplatesInvalid) as caught:
        Templates.read(tmp_path).check()
    assert f"error: {caught.value.detail}\n".replace(str(tmp_path), "/etc/notifybot/templates") in blocks("text")


def test_every_filter_is_listed() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    public = {name for name in filters(None) if not name.startswith("_")} - {"d", "e"}
    assert public <= named


def test_the_events_are_those_that_there_are() -> None:
    ours = Templates.read(None).by_name
    for name in ours:
        (row,) = re.findall(rf"^\| `{name}` \|(.*)\|$", PAGE, re.MULTILINE)
        assert set(ours[name].sample or {}) == set(re.findall(r"`(\w+)`", row))
