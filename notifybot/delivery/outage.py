"""Detect that Telegram is away, or that it limits the whole bot."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    select,
    text,
    update,
)
from sqlmodel import Session, col

from notifybot.model.chats import Bot, Post
from notifybot.model.conditions import IS_IN_TROUBLE
from notifybot.model.enums import Urgency
from notifybot.posts import chats
from notifybot.posts.outcomes import Outcome, Shown, TryAgain
from notifybot.storage.statements import affected, fetch, run, table_of
from notifybot.storage.writer import changes

SHORT_WAIT = timedelta(seconds=3)
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=15)
"""Each 429 after a pause doubles it: a ban of the whole bot is called into a few times, however long it lasts, and
whoever is not banned waits no longer than what has passed already."""
FIRST_PROBE = timedelta(milliseconds=100)

BOT = table_of(Bot)
BOT_COLUMNS = (BOT.c.held_until, BOT.c.floods, BOT.c.network_errors, BOT.c.probe_at)
"""What `note_outcome` reads of a row."""
_BOT = select(*BOT_COLUMNS)
_NO_FLOOD = update(BOT).values(floods=0)


def note_flood(session: Session, wait: timedelta, *, now: datetime) -> None:
    """One more 429 in a row, which told a chat to `wait`: the whole bot may have to pause."""
    floods = fetch(session, _BOT)[0].floods + 1
    affected(session, update(Bot).values(floods=floods))
    if pause := _flood_pause(floods, wait):
        hold_bot(session, pause, now=now)


def _flood_pause(floods: int, wait: timedelta) -> timedelta:
    """How long the whole bot pauses after so many 429s in a row, the last of which told to `wait`.

    Two chats that are to wait a moment: it was the overall limit. Longer bans may be those chats' own: the call after
    WHOLE_BOT_AFTER finds out, alone, and each one that is refused doubles the pause, up to what Telegram said.
    """
    if wait <= SHORT_WAIT:
        return wait if floods > 1 else timedelta()
    if floods <= BOT_BANNED_AFTER:
        return timedelta()
    return min(FIRST_PAUSE * (1 << min(floods - BOT_BANNED_AFTER - 1, 10)), LONGEST_PAUSE, wait)


def hold_bot(session: Session, wait: timedelta, *, now: datetime) -> None:
    """Claim nothing for any chat for so long."""
    held_until = fetch(session, _BOT)[0].held_until
    affected(session, update(Bot).values(held_until=max(held_until or now, now + wait)))


def note_probe_answered(session: Session, *, was_away: bool, now: datetime) -> None:
    """Telegram answers: one post may try. `was_away`: an earlier probe found nobody, so what backed off since then is
    due at once; else the failures were those posts' own, and their back-offs stay."""
    affected(session, update(Bot).where(col(Bot.network_errors) >= AWAY_AFTER).values(probe_at=None))
    if was_away:
        _end_backoffs(session, now=now)
    changes(session).is_work_due = True


def note_outcome(session: Session, bot: Any, outcome: Outcome, *, now: datetime) -> None:
    """Count failures in a row; when Telegram answers again, what backed off meanwhile is due at once.

    `bot`: a row with COLUMNS, where one was read already.
    """
    bot = bot or fetch(session, _BOT)[0]
    if isinstance(outcome, TryAgain):
        errors = bot.network_errors + 1
        probe_at = now + min(FIRST_PROBE * (1 << min(errors, 10)), PROBE_EVERY)
        affected(session, update(Bot).values(network_errors=errors, probe_at=probe_at))
        return
    if isinstance(outcome, Shown) and bot.floods:
        run(session, _NO_FLOOD)
    if bot.network_errors or bot.probe_at:
        affected(session, update(Bot).values(network_errors=0, probe_at=None))
    if bot.network_errors >= AWAY_AFTER:
        _end_backoffs(session, now=now)


def _end_backoffs(session: Session, *, now: datetime) -> None:
    troubled = select(col(Post.chat_id), col(Post.urgency)).where(text(IS_IN_TROUBLE)).distinct()
    in_trouble = session.execute(troubled).all()
    affected(session, update(Post).where(text(IS_IN_TROUBLE)).values(not_before=now))
    for urgency in Urgency:
        chats.wake(session, {chat_id for chat_id, level in in_trouble if level == urgency}, urgency, now=now)


AWAY_AFTER = 3
"""So many failures in a row, of whatever chats, mean that Telegram is away: then nothing is claimed before a probe, a
call that shows nothing, was answered; and after it one post, until Telegram takes it."""
PROBE_EVERY = timedelta(milliseconds=800)
"""So a message leaves within a second after Telegram is back."""
BOT_BANNED_AFTER = 3
"""So many 429s in a row, with no call accepted in between, may be a ban of the whole bot: then one call at a time."""
