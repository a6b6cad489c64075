"""Presses on a post that shows several messages: records and replies."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from notifybot.alerts.acknowledge import try_acknowledge
from notifybot.alerts.close import try_close
from notifybot.alerts.press import PressedButton, PressRules, press
from notifybot.messages import accept, transitions
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.model import actors
from notifybot.model.actors import Actor
from notifybot.model.messages import Delivery, Message
from notifybot.model.states import Transition
from notifybot.recipients.address import Recipient, RecipientKind
from notifybot.rendering.buttons import AcknowledgePress, ClosePress
from notifybot.storage.database import Database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CHAT = "-1009"
ANNA = actors.by_telegram(1, "Anna", None)
BEN = actors.by_telegram(2, "Ben", None)
RULES = PressRules(accept.NO_CONFIG)


class Post:
    """One post that shows several alerts, the oldest first."""

    def __init__(self, session: Session, size: int, *, is_alert: bool = True) -> None:
        self.session = session
        chat = Recipient(RecipientKind.CHAT, CHAT)
        new = NewMessage("alice", "backup", (chat,), "disk full", None, is_alert, None, timedelta(hours=1))
        accepted = accept.accept(session, [new] * size, now=NOW)
        self.alerts = [each.id for each in accepted if isinstance(each, Acceptance)]
        (self.id, *_) = session.exec(select(Delivery.post_id).order_by(Delivery.message_id)).all()
        session.execute(text("UPDATE deliveries SET post_id = :post, status = 'shown'"), {"post": self.id})
        session.execute(text("UPDATE messages SET state = 'sent'"))

    def pressed(self, by: Actor, *, closes: bool = False) -> str:
        meaning = ClosePress(self.id, 1) if closes else AcknowledgePress(self.id, 1)
        return press(self.session, PressedButton(meaning, CHAT, 7, by), RULES, now=NOW)

    def acknowledged_by(self) -> list[str | None]:
        rows = self.session.exec(select(Message).order_by(Message.id).execution_options(populate_existing=True))
        return [row.acknowledged_by["name"] if row.acknowledged_by else None for row in rows]


def acknowledges(post: Post, place: int, by: Actor, *, minutes: int = 0) -> None:
    now = NOW - timedelta(minutes=minutes)
    assert try_acknowledge(post.session, post.alerts[place], by, now=now, closes=True)


def expires(post: Post, place: int) -> None:
    assert transitions.move(post.session, post.alerts[place], Transition.CLOSE, closed_at=NOW)


@pytest.mark.parametrize("acknowledged", [0, 1])
async def test_a_late_press_is_recorded_on_each_alert_that_nobody_acknowledged(
    database: Database, acknowledged: int
) -> None:
    """Whichever comes first."""

    def story(session: Session) -> None:
        post = Post(session, 3)
        expired = [place for place in range(3) if place != acknowledged]
        acknowledges(post, acknowledged, ANNA)
        for place in expired:
            expires(post, place)

        said = post.pressed(BEN)

        assert said == "2 alerts are already closed; your acknowledgement is recorded."
        names = post.acknowledged_by()
        assert [names[place] for place in expired] == ["Ben", "Ben"]
        assert names[acknowledged] == "Anna"

    await database.write(story)


@pytest.mark.parametrize("last", [0, 1])
async def test_a_second_press_names_the_last_who_acknowledged_one_of_them(database: Database, last: int) -> None:
    def story(session: Session) -> None:
        post = Post(session, 2)
        acknowledges(post, last, BEN, minutes=5)
        acknowledges(post, 1 - last, ANNA, minutes=30)

        assert post.pressed(ANNA) == "All of these are already acknowledged, the last one by Ben at 11:55 UTC."

    await database.write(story)


async def test_a_press_on_notices_finds_nothing_to_acknowledge(database: Database) -> None:
    def story(session: Session) -> None:
        post = Post(session, 2, is_alert=False)
        assert post.pressed(ANNA) == "There is nothing left to acknowledge here."
        assert post.acknowledged_by() == [None, None]

    await database.write(story)


@pytest.mark.parametrize("closed", [0, 1])
async def test_close_says_that_an_acknowledgement_was_taken_back_unless_all_are_closed(
    database: Database, closed: int
) -> None:
    def story(session: Session) -> None:
        post = Post(session, 2)
        assert try_close(session, post.alerts[closed], ANNA, now=NOW)
        assert post.pressed(BEN, closes=True) == "The acknowledgement was taken back: acknowledge the alert first."
        assert try_close(session, post.alerts[1 - closed], ANNA, now=NOW)
        assert post.pressed(BEN, closes=True) == "These alerts are already closed."

    await database.write(story)
