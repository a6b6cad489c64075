"""docs/linking.md: its requests, in order, get the answers that it shows."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.stories.world import World

PAGE = (Path(__file__).parents[2] / "docs" / "linking.md").read_text(encoding="utf-8")
REQUEST = re.compile(
    r"^\$ curl -s --unix-socket /run/notifybot/notifybot\.sock (?:-X (?P<method>\w+) )?(?:-d '(?P<body>\{.*?\})' )?"
    r"'?http://localhost(?P<path>/[^\s']*)'?\n(?P<answer>\{.*\})$",
    re.MULTILINE,
)
TOLD = re.compile(r"^> ?(.*)$", re.MULTILINE)
CODE = re.compile(r"code: (\d{6})")


def shape(document: dict[str, Any]) -> dict[str, str]:
    return {name: type(value).__name__ for name, value in document.items()}


async def test_every_request_of_the_page_is_answered_as_it_shows(world: World) -> None:
    anna = world.person("Anna", username="anna_p")
    anna.says("/start")
    code = CODE.search((await anna.receives("code: ")).text)
    assert code is not None
    await world.is_quiet()
    requests = list(REQUEST.finditer(PAGE))
    assert len(requests) == PAGE.count("$ curl") == 7
    token = ""

    for request in requests:
        body = json.loads(request["body"]) if request["body"] else None
        if body is not None:
            body |= {name: value for name, value in {"code": code[1], "token": token}.items() if name in body}
        method = request["method"] or ("GET" if body is None else "POST")

        answer = await world.ask(method, request["path"], body)

        assert answer.status == 200, (request["path"], answer)
        assert shape(answer.body) == shape(json.loads(request["answer"]))
        token = answer.body.get("token", token)


@pytest.mark.parametrize(
    "fragment",
    [
        "messages for alice arrive here.",
        "If this was not you, /unlink undoes it.",
        "It works once, within 10 minutes: enter it in your dashboard,",
        "If this was not you, send /start for a code and link alice to this chat again.",
    ],
)
async def test_the_page_quotes_the_bots_texts(world: World, fragment: str) -> None:
    people = [world.person(name, username="anna_p") for name in ("Anna", "Bert")]
    for person in people:
        person.says("/start")
        code = CODE.search((await person.receives("code: ")).text)
        assert code is not None
        await world.ask("POST", "/api/telegram/verify", {"code": code[1], "user": "alice"})
        await person.receives("This chat is now linked to the account alice")
    await people[0].receives("The account alice is now linked to another chat")

    assert fragment in " ".join(TOLD.findall(PAGE))
    assert any(fragment in text for person in people for text in person.texts)
