"""The table of Bot API names and types."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

SANDBOX = Path(__file__).parents[2] / "notifybot" / "sandbox"
TABLE = json.loads((SANDBOX / "methods.json").read_text(encoding="utf-8"))
PLAIN = {"Integer", "String", "Boolean", "Float"}


def signatures() -> list[tuple[str, str, dict[str, object]]]:
    """Every parameter and field as (owner, name, {types, required})."""
    return [
        (owner, name, signature)
        for section in ("methods", "types")
        for owner, fields in TABLE[section].items()
        for name, signature in fields.items()
    ]


@pytest.mark.parametrize(
    ("method", "required"),
    [
        ("getMe", set()),
        ("getUpdates", set()),
        ("sendMessage", {"chat_id", "text"}),
        ("editMessageReplyMarkup", set()),
        ("deleteMessage", {"chat_id", "message_id"}),
        ("answerCallbackQuery", {"callback_query_id"}),
        ("sendDocument", {"chat_id", "document"}),
        ("setWebhook", {"url"}),
        ("setMyCommands", {"commands"}),
    ],
)
def test_the_methods_that_notifybot_calls_are_there(method: str, required: set[str]) -> None:
    fields = TABLE["methods"][method]

    assert {name for name, field in fields.items() if field["required"]} == required


def test_a_chat_id_is_a_number_or_a_name() -> None:
    assert TABLE["methods"]["sendMessage"]["chat_id"] == {"types": ["Integer", "String"], "required": True}


def test_every_type_that_is_named_is_described() -> None:
    named = {word for _, _, field in signatures() for kind in field["types"] for word in kind.split()}  # type: ignore[attr-defined]
    named |= {name for names in TABLE["subtypes"].values() for name in names}

    assert named - PLAIN - {"Array", "of"} <= TABLE["types"].keys()


def test_it_holds_names_and_no_prose() -> None:
    assert all(field.keys() == {"types", "required"} for _, _, field in signatures())
    strings = re.findall(r'"([^"]*)"', (SANDBOX / "methods.json").read_text(encoding="utf-8"))
    assert all(re.fullmatch(r"(Array of )*\w+|Bot API [\d.]+", string) for string in strings)


def test_the_script_makes_it_from_a_list_of_the_api(tmp_path: Path) -> None:
    def field(name: str, *types: str, required: bool = False) -> dict[str, object]:
        return {"name": name, "types": list(types), "required": required, "description": "Prose."}

    source = tmp_path / "api.json"
    described = {
        "version": "Bot API 1.0",
        "methods": {"send": {"fields": [field("markup", "Array of Markup", required=True)]}, "ask": {}},
        "types": {
            "Markup": {"subtypes": ["Inline"]},
            "Inline": {"fields": [field("text", "String")]},
            "Unused": {"fields": []},
        },
    }
    source.write_text(json.dumps(described), encoding="utf-8")

    made = subprocess.run(
        [sys.executable, SANDBOX / "bot_api" / "make_methods.py", source], capture_output=True, check=True, timeout=30
    )

    assert json.loads(made.stdout) == {
        "version": "Bot API 1.0",
        "methods": {"ask": {}, "send": {"markup": {"types": ["Array of Markup"], "required": True}}},
        "types": {"Inline": {"text": {"types": ["String"], "required": False}}, "Markup": {}},
        "subtypes": {"Markup": ["Inline"]},
    }
