"""Events and templates over HTTP: rendering, storage and refusals."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from notifybot.errors import StartRefused
from notifybot.templates import renderer
from tests.support.databases import Template
from tests.support.door import Answer, Door, Json, assert_problem, door, open_folder
from tests.support.door_fixtures import chosen_database

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOWN = """---
title: {{ host }}: down
parse_mode: HTML
priority: high
---
<b>{{ host }}</b> does not answer{% if since %} since {{ since }}{% endif %}.
{{ n + 1 }}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(session_template: Template) -> AsyncIterator[Door]:
    """Run a daemon with an operator's template."""
    with open_folder() as folder, chosen_database(folder, session_template):
        templates = folder / "templates"
        templates.mkdir()
        (templates / "down.txt").write_text(DOWN)
        (templates / "nothing.txt").write_text("{% if no %}text{% endif %}")
        (templates / "echo.txt").write_text("{{ text }}")
        async with door(folder, f"templates: {templates}\n") as opened:
            yield opened


async def made(door: Door, answer: Answer) -> Json:
    assert answer.status in (200, 202), answer.body
    return (await door.ask("GET", f"/api/messages/{answer.json['id']}")).json


async def test_an_event_is_rendered_by_its_template(shared: Door) -> None:
    data = {"platform": "Mastodon", "title": "Summer timetable", "url": "https://example.org/1"}
    answer = await shared.ask("POST", "/api/events", {"event": "post_success", "to": [-1001], "data": data})
    assert answer.status == 202
    message = await made(shared, answer)
    assert (
        message.items()
        >= {
            "event": "post_success",
            "title": "Posted to Mastodon",
            "content": "✅ Summer timetable\n\nhttps://example.org/1",
            "acknowledge": False,
            "data": data,
        }.items()
    )


async def test_the_same_event_again_is_no_second_one(shared: Door) -> None:
    event = {"event": "automation_executed", "to": [-1001], "client_id": "run-8"}
    first = await shared.ask("POST", "/api/events", event)
    again = await shared.ask("POST", "/api/events", event)
    assert (first.status, again.status) == (202, 200)
    assert again.json == first.json | {"duplicate": True}


async def test_a_failure_goes_before_other_notices(shared: Door) -> None:
    message = await made(shared, await shared.ask("POST", "/api/events", {"event": "post_failure", "to": [-1001]}))
    assert message["priority"] == "high"
    asked = {"event": "post_failure", "to": [-1001], "priority": "low"}
    assert (await made(shared, await shared.ask("POST", "/api/events", asked)))["priority"] == "low"


async def test_any_message_may_have_a_template(shared: Door) -> None:
    answer = await shared.ask(
        "POST", "/api/ingest", {"channel_id": -1001, "template": "down", "data": {"host": "<db>", "n": 1}}
    )
    assert (await made(shared, answer)).items() >= {
        "event": None,
        "title": "<db>: down",
        "content": "<b>&lt;db&gt;</b> does not answer.\n2",
        "parse_mode": "HTML",
        "acknowledge": True,
    }.items()


async def test_a_title_of_the_callers_comes_before_the_templates(shared: Door) -> None:
    asked = {"to": [-1001], "template": "down", "data": {"host": "db", "n": 1}, "title": "Look"}
    assert (await made(shared, await shared.ask("POST", "/send", asked)))["title"] == "Look"


async def test_a_picture_has_its_caption_from_a_template(shared: Door) -> None:
    asked = {"type": "image", "content": "https://example.org/a.png", "channel_id": -1001, "template": "echo"}
    message = await made(shared, await shared.ask("POST", "/api/ingest", asked | {"data": {"text": "the map"}}))
    assert (message["caption"], message["content"]) == ("the map", "https://example.org/a.png")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"n": 1}, "The template down, line 2: 'host' is missing from data."),
        ({"host": "db", "n": "1"}, "The template down, line 7: + does not work with a string and a number."),
        (None, "The template down, line 2: 'host' is missing from data."),
    ],
)
async def test_data_that_does_not_fit_is_refused_with_the_reason(refusing: Door, data: Json | None, said: str) -> None:
    answer = await refusing.ask("POST", "/api/events", {"event": "down", "to": [-1001], "data": data})
    found = assert_problem(answer, 400)
    assert (found["detail"], found["hint"]) == (said, "Check that data has the fields the template needs.")


@pytest.mark.parametrize("text", ["", " ", "\u200b", "a\x00b", "\ud800"])
async def test_an_event_that_renders_no_valid_text_is_refused(refusing: Door, text: str) -> None:
    answer = await refusing.ask("POST", "/api/events", {"event": "echo", "to": [-1001], "data": {"text": text}})
    assert "cannot be" in assert_problem(answer, 400)["detail"]
    assert_problem(await refusing.ask("POST", "/api/events", {"event": "nothing", "to": [-1001]}), 400)


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"event": ""}, {"event": 5}, {"event": "nosuch"}, {"event": "../config"},
        {"event": "echo", "template": "echo"},
        {"event": "post_success", "data": [1]}, {"event": "post_success", "text": "x"},
        {"event": "post_success", "parse_mode": "HTML"},
    ],
)  # fmt: skip
async def test_a_malformed_event_is_refused(refusing: Door, fields: Json) -> None:
    assert_problem(await refusing.ask("POST", "/api/events", {"to": [-1001]} | fields), 400)


async def test_an_event_needs_a_recipient(refusing: Door) -> None:
    assert_problem(await refusing.ask("POST", "/api/events", {"event": "post_success"}), 400)


async def test_a_text_and_a_template_do_not_go_together(refusing: Door) -> None:
    found = assert_problem(await refusing.ingest(template="echo", data={"text": "x"}), 400)
    assert found["errors"] == [{"loc": ["template"], "msg": "the template provides the text; leave one of the two out"}]


async def test_an_unknown_event_names_the_nearest(refusing: Door) -> None:
    answer = await refusing.ask("POST", "/api/events", {"event": "post_sucess", "to": [-1001]})
    assert assert_problem(answer, 400)["hint"] == "Did you mean post_success?"


async def test_a_daemon_does_not_start_with_a_template_that_cannot_be_read(folder: Path) -> None:
    (folder / "templates").mkdir()
    (folder / "templates" / "down.txt").write_text("one\n{{ host")
    with pytest.raises(StartRefused) as caught:
        async with door(folder, f"templates: {folder}/templates\n"):
            pass
    assert caught.value.detail.startswith(f"{folder}/templates/down.txt:2: ")


async def test_data_that_is_large_is_refused(refusing: Door) -> None:
    data = {"text": "x" * 100_000}
    assert_problem(await refusing.ask("POST", "/api/events", {"event": "echo", "to": [-1001], "data": data}), 400)


async def test_a_full_template_queue_refuses_callers_with_503(shared: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer, "MAX_QUEUED", 0)
    answer = await shared.ask("POST", "/api/events", {"event": "post_success", "to": [-1001]})
    assert assert_problem(answer, 503)["detail"] == "Too many messages are waiting for their templates."
    assert answer.headers["retry-after"] == "1"
    assert (await shared.ingest()).status == 202


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"data": [1]}, 'data: this must be an object, like {"host": "db1"}'),
        ({"data": "x"}, 'data: this must be an object, like {"host": "db1"}'),
        ({"silent": "yes"}, "silent: this must be true or false"),
        ({"template": 5}, "template: this must be text"),
    ],
)
async def test_a_value_of_the_wrong_type_is_refused_in_plain_words(refusing: Door, fields: Json, said: str) -> None:
    answer = await refusing.ask("POST", "/api/events", {"event": "echo", "to": [-1001]} | fields)
    assert assert_problem(answer, 400)["detail"] == said
