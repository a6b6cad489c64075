"""docs/configuration.md lists every key with its default, and its examples work."""

import re
from pathlib import Path

import pytest

from notifybot.config import load
from notifybot.config.model import Config
from notifybot.config.problems import ConfigInvalid
from tests.config.keys import paths_of

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
KEYS = dict(paths_of(Config))
ROWS = re.findall(r"^\| `([a-z_.*\[\]]+)` \| .+? \| (.+?) \| .+ \|$", PAGE.read_text(), re.MULTILINE)
DEFAULTS = {key: cell.strip("`") for key, cell in ROWS if cell.startswith("`")}


def examples(page: str) -> list[str]:
    """Return the YAML blocks of a page."""
    text = PAGE.with_name(page).read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.+?)^```$", text, re.MULTILINE | re.DOTALL)


EXAMPLES = examples(PAGE.name)

# The smallest valid section for keys below names, lists and sections that are off by default.
AROUND = {
    "http.jwt.": "http: {jwt: {KEY}}",
    "rotations.*.hours[].": "rotations: {x: {members: ['1'], start: 2026-01-01, hours: [{KEY}]}}",
    "rotations.*.": "rotations: {x: {members: ['1'], start: 2026-01-01, KEY}}",
    "alerts.policies.*.": "alerts: {policies: {x: {steps: [{after: 1m, to: ['1']}], KEY}}}",
    "inbound.*.": "inbound: {x: {format: json, to: ['1'], KEY}}",
}


def around(key: str, setting: str) -> str:
    """Return a config with this setting where the key belongs."""
    for prefix, text in AROUND.items():
        if key.startswith(prefix):
            return text.replace("KEY", setting) if setting else re.sub("(, )?KEY(, )?", "", text)
    *sections, _ = key.split(".")
    return "".join(f"{section}: {{" for section in sections) + setting + "}" * len(sections)


def read(folder: Path, text: str) -> Config:
    (folder / "http_jwt_secret").write_text("k7Qv2mXw9sTzR4bNc8LpYe3GhJ6uDfA1")
    (folder / "config.yaml").write_text(text)
    return load(folder / "config.yaml", {"HOME": "/home/anna", "CREDENTIALS_DIRECTORY": str(folder)})


def test_the_page_names_every_key_once_and_no_other() -> None:
    keys = list(KEYS)
    values = [key for key in keys if not any(other.startswith(f"{key}.") for other in keys)]
    assert sorted(key for key, _ in ROWS) == sorted(values)


@pytest.mark.parametrize(("key", "default"), DEFAULTS.items())
def test_the_page_shows_each_default(tmp_path: Path, key: str, default: str) -> None:
    setting = f"{key.rpartition('.')[2]}: {default}"
    assert read(tmp_path, around(key, setting)) == read(tmp_path, around(key, ""))


def test_the_page_marks_required_keys() -> None:
    assert {key for key, cell in ROWS if cell == "required"} == {key for key, each in KEYS.items() if each.is_required}


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_on_the_page_works(tmp_path: Path, example: str) -> None:
    try:
        read(tmp_path, example)
    except ConfigInvalid as error:
        # The files named in the examples do not exist here.
        assert [line for line in error.detail.split("\n") if "cannot be read: No such file" not in line] == []


def test_the_problems_on_the_page_are_real(tmp_path: Path) -> None:
    text = "\n" * 6 + "alerts: {escalate_after: 15 minutes}\nsummary:\n  time: 22:30\n  timezone: x"
    with pytest.raises(ConfigInvalid) as caught:
        read(tmp_path, text)
    for line in caught.value.detail.split("\n"):
        assert re.sub(r"^.*?:\d+:\d+: ", "", line) in PAGE.read_text()


@pytest.mark.parametrize("text", [*examples("on-call.md"), *examples("policies.md")])
def test_the_examples_on_other_pages_work(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    load(file, {})
