"""Events and templates as readers see them: formatted by the template, with data shown unchanged."""

from pathlib import Path

import pytest

from tests.stories.conftest import MakeWorld
from tests.stories.planning import arrives
from tests.stories.world import World

NASTY = "<b>_x_*`\\ [a](b) & 1."
TEXTS = {
    "html.html": "<b>{{ host }}</b> {{ host|code }}",
    "two.txt": "---\nparse_mode: MarkdownV2\n---\n*{{ host }}* {{ host|code }}",
    "one.txt": "---\nparse_mode: Markdown\n---\n*bold* {{ host }}",
    "common.md": "**bold** {{ host }} {{ host|code }}",
    "plain.txt": "{{ host }}",
}


@pytest.fixture
async def templated(another: MakeWorld, tmp_path: Path) -> World:
    folder = tmp_path / "templates"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    world = await another(templates=str(folder))
    await world.starts()
    return world


@pytest.mark.parametrize(
    ("event", "shown", "entities"),
    [
        ("html", f"{NASTY} {NASTY}", ["bold", "code"]),
        ("two", f"{NASTY} {NASTY}", ["bold", "code"]),
        ("one", f"bold {NASTY}", ["bold"]),
        ("common", f"bold {NASTY} {NASTY}", ["bold", "code"]),
        ("plain", NASTY, []),
    ],
)
async def test_data_is_shown_as_it_is_in_every_format(
    templated: World, event: str, shown: str, entities: list[str]
) -> None:
    ops = templated.group("Ops")
    asked = {"event": event, "to": [str(ops.id)], "data": {"host": NASTY}}
    assert (await templated.ask("POST", "/api/events", asked)).status == 202

    post = await ops.receives(shown)
    assert post.text == shown
    assert [entity["type"] for entity in post.message.entities] == entities


async def test_a_scheduled_event_keeps_the_data_it_was_accepted_with(world: World) -> None:
    ops = world.group("Ops")
    asked = {"event": "post_success", "to": [str(ops.id)], "data": {"title": "Spring"}, "repeat": "@daily"}
    await world.ask("POST", "/api/events", asked)

    await arrives(world, "2026-03-03T00:00")
    await arrives(world, "2026-03-04T00:00")
    assert ops.texts == ["Posted\n✅ Spring"] * 2
    found = (await world.get("/api/messages?limit=10"))["messages"]
    assert [(each["event"], each["status"]) for each in found] == [
        ("post_success", "scheduled"),
        ("post_success", "sent"),
        ("post_success", "sent"),
    ]
