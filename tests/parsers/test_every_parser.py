"""Each module that takes text apart is in the table of parsers, or says here which test covers it."""

import re
from pathlib import Path

from docs import rooms
from tests.parsers.table import parsers

PACKAGE = rooms.ROOT / "notifybot"
TAKES_APART = re.compile(
    r"json\.loads|re\.compile|fullmatch|yaml\.|urlsplit|fromisoformat|b64decode|parse_qsl|unpack|ip_address|JSONDecoder"
    r"|de_json|multipart\(|jwt\.decode|bytes\.fromhex|unquote|parsedate|isdecimal\(|isdigit\(|finditer"
)
ELSEWHERE = {
    "tests/routes/test_fuzz.py": (
        *(
            "routes/files",
            "routes/import_people",
            "routes/jobs",
            "routes/messages",
            "routes/schedules",
            "routes/tokens",
            "schemas/messages",
        ),
        *("schemas/to_message", "web/bodies", "web/multipart", "recipients/lookup"),
    ),
    "tests/routes/test_inbound.py": ("routes/inbound",),
    "tests/config/test_soup.py": ("config/checks", "config/model", "config/problems", "config/reader"),
    "tests/rendering/markup/test_properties.py": (
        *("rendering/markup/commonmark", "rendering/markup/commonmark_inline", "rendering/markup/html"),
        *("rendering/markup/markdown", "rendering/markup/markdown_v2"),
    ),
    "tests/files/test_fetch.py": ("files/fetch",),
    "tests/people/test_linking.py": ("people/linking",),
    "tests/templates/test_templates.py": ("templates/escaping", "templates/filters", "templates/loader"),
    "tests/telegram_api/test_results.py": ("telegram_api/polling", "telegram_api/bot"),
    "tests/client": (
        "client/errors",
        "client/transport",
        "client/reader",
        "client/ids",
        "client/options",
        "client/spool",
        "client/unix_http",
    ),
    "tests/cli": ("cli/parser",),
    "tests/storage/test_backup.py": ("storage/backup",),
    "tests/demo": ("demo/demo", "demo/routes"),
}
OURS = frozenset(
    {
        *("auth/local_callers", "files/store", "handlers/oncall", "handlers/settings_screens", "health/config_notes"),
        *(
            "oncall/changes",
            "recipients/quiet_hours",
            "schemas/responses/schedules",
            "summaries/plan",
            "system/bot_lock",
            "system/locks",
            "telegram_api/requests",
        ),
    }
)
"""These read only what notifybot or the kernel wrote, or what one of the others has checked."""


def covered() -> set[str]:
    elsewhere = {room for rooms_of_test in ELSEWHERE.values() for room in rooms_of_test}
    return {parser.room for parser in parsers()} | elsewhere | OURS


def test_every_module_that_takes_text_apart_has_a_property_test() -> None:
    found = {
        str(path.relative_to(PACKAGE).with_suffix(""))
        for path in PACKAGE.rglob("*.py")
        if "sandbox" not in path.parts and TAKES_APART.search(path.read_text(encoding="utf-8"))
    }

    assert found - covered() == set()


def test_the_table_names_only_modules_and_tests_that_exist() -> None:
    assert [room for room in covered() if not (PACKAGE / f"{room}.py").exists()] == []
    assert [name for name in ELSEWHERE if not Path(rooms.ROOT, name).exists()] == []
