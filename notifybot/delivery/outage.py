"""Detect that Telegram is unreachable, refuses the bot, or rate-limits all of it."""

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
from notifybot.posts import chats
from notifybot.posts.outcomes import BotRefused, Outcome, Shown, TryAgain
from notifybot.storage.statements import affected, fetch, run, table_of
from notifybot.storage.writer import changes

SHORT_WAIT = timedelta(seconds=3)
FIRST_PAUSE = timedelta(seconds=2)
MAX_PAUSE = timedelta(minutes=15)
"""Each additional 429 doubles the pause, so we make only a few calls during a bot-wide ban, and chats that are not
banned wait at most as long as has already passed."""
AWAY_AFTER = 3
"""After this many failures in a row, across all chats, Telegram counts as away: nothing is claimed until a probe
succeeds, and then one post at a time until Telegram accepts it."""
FIRST_PROBE = timedelta(milliseconds=100)
PROBE_EVERY = timedelta(milliseconds=800)
"""So a message leaves within a second after Telegram is back."""
BOT_BANNED_AFTER = 3
"""After this many 429s in a row, with no call accepted in between, the whole bot may be banned: one call at a time."""

BOT = table_of(Bot)
BOT_COLUMNS = (BOT.c.held_until, BOT.c.floods, BOT.c.network_errors, BOT.c.probe_at)
"""The columns that `note_outcome` reads."""
_BOT = select(*BOT_COLUMNS)
_NO_FLOOD = update(BOT).values(floods=0)


def note_flood(session: Session, wait: timedelta, *, now: datetime) -> None:
    """Count one more 429 in a row, which made a chat `wait`; pause the whole bot if it looks banned."""
    floods = fetch(session, _BOT)[0].floods + 1
    affected(session, update(Bot).values(floods=floods))
    if pause := _flood_pause(floods, wait):
        hold_bot(session, pause, now=now)


def _flood_pause(floods: int, wait: timedelta) -> timedelta:
    """Return the pause of the whole bot after so many 429s in a row, the last with this `wait`.

    Two short waits in a row mean the overall limit. Longer ones may be those chats' own: after BOT_BANNED_AFTER one
    call at a time finds out, and each additional 429 doubles the pause, up to the `wait`.
    """
    if wait <= SHORT_WAIT:
        return wait if floods > 1 else timedelta()
    if floods <= BOT_BANNED_AFTER:
        return timedelta()
    return min(FIRST_PAUSE * (1 << min(floods - BOT_BANNED_AFTER - 1, 10)), MAX_PAUSE, wait)


def hold_bot(session: Session, wait: timedelta, *, now: datetime) -> None:
    """Claim nothing for any chat for this long."""
    held_until = fetch(session, _BOT)[0].held_until
    affected(session, update(Bot).values(held_until=max(held_until or now, now + wait)))


def note_probe_answered(session: Session, *, was_away: bool, now: datetime) -> None:
    """Let one post try, as Telegram responds again. `was_away`: an earlier probe failed, so back-offs end now;
    otherwise the failures were those posts' own, and their back-offs stay."""
    affected(session, update(Bot).where(col(Bot.network_errors) >= AWAY_AFTER).values(probe_at=None))
    if was_away:
        _end_backoffs(session, now=now)
    changes(session).is_work_due = True


def is_troubled(bot: Any) -> bool:
    """Return True if calls were refused or failed lately; `bot` has BOT_COLUMNS."""
    return bool(bot.network_errors or bot.probe_at or bot.floods)


def note_outcome(session: Session, bot: Any, outcome: Outcome, *, now: datetime, is_away: bool = False) -> None:
    """Count failures in a row, and end all back-offs when Telegram responds again.

    `bot`: a row with BOT_COLUMNS, if one has been read. `is_away`: no updates can be fetched either, so one failure is
    enough; the probe that follows lets presses come first.
    """
    bot = bot or fetch(session, _BOT)[0]
    if isinstance(outcome, TryAgain | BotRefused):
        # A refusal of the bot has been confirmed by a second call.
        errors = max(bot.network_errors + 1, AWAY_AFTER if is_away or isinstance(outcome, BotRefused) else 0)
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
    failing = select(col(Post.chat_id), col(Post.urgency), col(Post.caller)).where(text(IS_IN_TROUBLE)).distinct()
    backed_off = session.execute(failing).all()
    affected(session, update(Post).where(text(IS_IN_TROUBLE)).values(not_before=now))
    chats.wake(session, [(row.chat_id, row.urgency, row.caller) for row in backed_off], now=now)
