"""/oncall: who is on call and until when; buttons and words by which somebody takes over or is put in.

A post of it names itself in its buttons, and each button says what it does: nothing is remembered between presses.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlmodel import Session
from telegram import Update

from notifybot import on_call, outbox, preferences
from notifybot.buttons import OnCallPress, rotation_key
from notifybot.durations import parse_span
from notifybot.errors import NotifybotError
from notifybot.handlers import on_call_texts, texts
from notifybot.handlers.on_call_texts import Sheet
from notifybot.handlers.turn import Context, queue_answer, runtime_of, take
from notifybot.identities import Person
from notifybot.ids import new_id
from notifybot.on_call import Hand, StandIn, Standing
from notifybot.recipients import Recipient, RecipientKind
from notifybot.rendering import Part
from notifybot.runtime import Runtime

USAGE = "Write /oncall override ROTATION NAME 2h, or /oncall cancel ROTATION; /oncall alone shows who is on call."
UNKNOWN = "This button is not notifybot's any more."
GONE = "This rotation is not in the config any more."
NO_HANDOVER = "This rotation has no further hand-over."
NOT_TOLD = (
    "Who is on call is told to those who are linked to an account. In a private chat with me, /start gives you a code "
    "for that."
)
LONGEST_WORDS = 400


@dataclass(frozen=True)
class Turn:
    """One update: in which transaction, in which chat, from whom, and when. `who` None: they never pressed /start."""

    session: Session
    runtime: Runtime
    chat_id: str
    who: Person | None
    now: datetime

    @classmethod
    def of(cls, session: Session, update: Update, context: Context) -> "Turn":
        """At Telegram a private chat has the number of its person."""
        runtime, user, chat = runtime_of(context), update.effective_user, update.effective_chat
        assert chat is not None
        who = None if user is None else preferences.of_chat(session, str(user.id))
        return cls(session, runtime, str(chat.id), who, runtime.clock.now())

    @property
    def is_told(self) -> bool:
        """Whether who is on call is said here: to whoever is linked, and to people and chats that the config names."""
        if self.who is not None and self.who.account is not None:
            return True
        config, directory = self.runtime.config, self.runtime.directory
        channel = config.alerts.escalation_channel
        others = (*config.admins, *config.summary.to, *([] if channel is None else [channel]))
        here = {Recipient(RecipientKind.CHAT, self.chat_id)}
        asked = here if self.who is None else here | on_call.identities(self.who)
        return on_call.names_any(self.session, directory, asked, others)

    def sheet(self, post_id: str | None = None) -> Sheet:
        """How all rotations stand, for a post that stands there, or for a new one."""
        standings = on_call.everything(self.session, self.runtime.directory, now=self.now)
        return Sheet(standings, post_id or new_id(self.now), self.now)


Change = Callable[[Turn, Hand, Standing], None]
"""Raises NotifybotError."""


async def show(update: Update, context: Context) -> None:
    """/oncall alone shows all rotations; with words behind it, it changes who is on call."""
    words = " ".join(context.args or ())[:LONGEST_WORDS].split()

    def work(session: Session) -> None:
        turn = Turn.of(session, update, context)
        if not turn.is_told:
            queue_answer(session, update, Part(NOT_TOLD), now=turn.now)
        elif words:
            queue_answer(session, update, Part(_typed(turn, words)), now=turn.now)
        else:
            sheet = turn.sheet()
            queue_answer(session, update, on_call_texts.overview(sheet), now=turn.now, post_id=sheet.post_id)

    await take(update, context, work)


async def press(update: Update, context: Context, pressed: OnCallPress) -> str | None:
    """A button of /oncall: do what it says, and let its post show what follows."""
    query = update.callback_query
    assert query is not None
    message = query.message
    if message is None:
        return await take(update, context, lambda _: UNKNOWN)

    def work(session: Session) -> str:
        turn = Turn.of(session, update, context)
        if not turn.is_told:
            return NOT_TOLD
        outbox.adopt(session, pressed.post_id, turn.chat_id, message.message_id)
        said = _do(turn, pressed)
        part = _view(turn.sheet(pressed.post_id), pressed)
        outbox.revise_reply(session, pressed.post_id, turn.chat_id, part, now=turn.now)
        return said

    return await take(update, context, work)


def _view(sheet: Sheet, pressed: OnCallPress) -> Part:
    meant = [each for each in sheet.standings if rotation_key(each.rotation) == pressed.rotation]
    return on_call_texts.page(sheet, meant[0]) if meant else on_call_texts.overview(sheet)


def _do(turn: Turn, pressed: OnCallPress) -> str:
    """Do what a button says; return what its presser is told."""
    if pressed.word in ("home", "see"):
        return ""
    names = [name for name in turn.runtime.directory.rotas if rotation_key(name) == pressed.rotation]
    if not names:
        return GONE
    match pressed.word:
        case "end":
            return _changed(turn, names[0], _end)
        case "turn":
            return _changed(turn, names[0], partial(_take_over, span=None))
        case seconds if seconds.isdecimal():
            return _changed(turn, names[0], partial(_take_over, span=timedelta(seconds=int(seconds))))
    return UNKNOWN


def _typed(turn: Turn, words: list[str]) -> str:
    """`override ROTATION NAME SPAN`, `cancel ROTATION`; what is said to it."""
    match [words[0].lower(), *words[1:]]:
        case ["override", rotation, member, *rest] if rest:
            try:
                span = parse_span(" ".join(rest))
            except ValueError as error:
                return f"This cannot be read: {error}. {USAGE}"
            return _changed(turn, rotation, partial(_put_in, member=member, span=span or timedelta()))
        case ["cancel", rotation]:
            return _changed(turn, rotation, _end)
    return USAGE


def _changed(turn: Turn, rotation: str, change: Change) -> str:
    """Change a rotation; return who is on call then, or why not."""
    if turn.who is None:
        return texts.START_FIRST.text
    session, directory = turn.session, turn.runtime.directory
    try:
        standing = on_call.find(session, directory, rotation, now=turn.now)
        change(turn, on_call.hand_of_person(turn.who, directory, turn.runtime.config.admins), standing)
    except NotifybotError as error:
        return f"{error.detail} {error.hint or ''}".strip()
    return on_call_texts.sentence(on_call.find(session, directory, rotation, now=turn.now))


def _take_over(turn: Turn, hand: Hand, standing: Standing, *, span: timedelta | None) -> None:
    """Without a span until the hand-over."""
    if span is None:
        if standing.handover is None:
            raise NotifybotError(NO_HANDOVER)
        span = standing.handover - turn.now
    _put_in(turn, hand, standing, member=hand.account, span=span)


def _put_in(turn: Turn, hand: Hand, standing: Standing, *, member: str, span: timedelta) -> None:
    wanted = StandIn(standing.rotation, member, None, turn.now + span)
    on_call.override(turn.session, wanted, hand, turn.runtime.directory, now=turn.now)


def _end(turn: Turn, hand: Hand, standing: Standing) -> None:
    on_call.give_back(turn.session, standing, hand, turn.runtime.directory, now=turn.now)
