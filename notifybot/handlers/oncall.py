"""/oncall: who is on call and until when; buttons and words by which somebody takes over or is put in.

A post of it names itself in its buttons, and each button says what it does: nothing is remembered between presses.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlmodel import Session
from telegram import Update

from notifybot.errors import NotifybotError
from notifybot.handlers import oncall_screens, texts
from notifybot.handlers.oncall_screens import OnCallScreen
from notifybot.handlers.transaction import Context, in_transaction, queue_answer, runtime_of
from notifybot.model.ids import new_id
from notifybot.model.people import Person
from notifybot.oncall import changes, shifts
from notifybot.oncall.changes import Editor, NewOverride
from notifybot.oncall.shifts import RotationStatus
from notifybot.people import preferences
from notifybot.posts import posts, replies
from notifybot.recipients.address import Recipient, RecipientKind
from notifybot.rendering.buttons import OnCallPress, rotation_key
from notifybot.rendering.parts import Part
from notifybot.runtime import Runtime
from notifybot.times.spans import parse_span

USAGE = "Write /oncall override ROTATION NAME 2h, or /oncall cancel ROTATION; /oncall alone shows who is on call."
UNKNOWN = "This button is not notifybot's any more."
GONE = "This rotation is not in the config any more."
NO_HANDOVER = "This rotation has no further hand-over."
NOT_ALLOWED = (
    "Who is on call is told to those who are linked to an account. In a private chat with me, /start gives you a code "
    "for that."
)
LONGEST_WORDS = 400


@dataclass(frozen=True)
class OnCallUpdate:
    """One update: in which transaction, in which chat, from whom, and when. `who` None: they never pressed /start."""

    session: Session
    runtime: Runtime
    chat_id: str
    who: Person | None
    now: datetime

    @classmethod
    def of(cls, session: Session, update: Update, context: Context) -> "OnCallUpdate":
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
        asked = here if self.who is None else here | changes.aliases_of(self.who)
        return changes.config_names_any(self.session, directory, asked, others)

    def sheet(self, post_id: str | None = None) -> OnCallScreen:
        """How all rotations stand, for a post that stands there, or for a new one."""
        standings = shifts.all_statuses(self.session, self.runtime.directory, now=self.now)
        return OnCallScreen(standings, post_id or new_id(self.now), self.now)


RotationChange = Callable[[OnCallUpdate, Editor, RotationStatus], None]
"""Raises NotifybotError."""


async def show(update: Update, context: Context) -> None:
    """/oncall alone shows all rotations; with words behind it, it changes who is on call."""
    words = " ".join(context.args or ())[:LONGEST_WORDS].split()

    def work(session: Session) -> None:
        turn = OnCallUpdate.of(session, update, context)
        if not turn.is_told:
            queue_answer(session, update, Part(NOT_ALLOWED), now=turn.now)
        elif words:
            queue_answer(session, update, Part(_typed(turn, words)), now=turn.now)
        else:
            sheet = turn.sheet()
            queue_answer(session, update, oncall_screens.overview(sheet), now=turn.now, post_id=sheet.post_id)

    await in_transaction(update, context, work)


async def press(update: Update, context: Context, pressed: OnCallPress) -> str | None:
    """A button of /oncall: do what it says, and let its post show what follows."""
    query = update.callback_query
    assert query is not None
    message = query.message
    if message is None:
        return await in_transaction(update, context, lambda _: UNKNOWN)

    def work(session: Session) -> str:
        turn = OnCallUpdate.of(session, update, context)
        if not turn.is_told:
            return NOT_ALLOWED
        posts.adopt(session, pressed.post_id, turn.chat_id, message.message_id)
        said = _do(turn, pressed)
        part = _view(turn.sheet(pressed.post_id), pressed)
        replies.revise_reply(session, pressed.post_id, turn.chat_id, part, now=turn.now)
        return said

    return await in_transaction(update, context, work)


def _view(sheet: OnCallScreen, pressed: OnCallPress) -> Part:
    meant = [each for each in sheet.standings if rotation_key(each.rotation) == pressed.rotation]
    return oncall_screens.page(sheet, meant[0]) if meant else oncall_screens.overview(sheet)


def _do(turn: OnCallUpdate, pressed: OnCallPress) -> str:
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


def _typed(turn: OnCallUpdate, words: list[str]) -> str:
    """`override ROTATION NAME SPAN`, `cancel ROTATION`; what is said to it."""
    match [words[0].lower(), *words[1:]]:
        case ["override", rotation, member, *rest] if rest:
            try:
                span = parse_span(" ".join(rest))
            except ValueError as error:
                return f"This cannot be read: {error}. {USAGE}"
            return _changed(turn, rotation, partial(_override, member=member, span=span or timedelta()))
        case ["cancel", rotation]:
            return _changed(turn, rotation, _end)
    return USAGE


def _changed(turn: OnCallUpdate, rotation: str, change: RotationChange) -> str:
    """Change a rotation; return who is on call then, or why not."""
    if turn.who is None:
        return texts.START_FIRST.text
    session, directory = turn.session, turn.runtime.directory
    try:
        standing = shifts.find_status(session, directory, rotation, now=turn.now)
        change(turn, changes.editor_of_person(turn.who, directory, turn.runtime.config.admins), standing)
    except NotifybotError as error:
        return f"{error.detail} {error.hint or ''}".strip()
    return oncall_screens.sentence(shifts.find_status(session, directory, rotation, now=turn.now))


def _take_over(turn: OnCallUpdate, hand: Editor, standing: RotationStatus, *, span: timedelta | None) -> None:
    """Without a span until the hand-over."""
    if span is None:
        if standing.handover is None:
            raise NotifybotError(NO_HANDOVER)
        span = standing.handover - turn.now
    _override(turn, hand, standing, member=hand.account, span=span)


def _override(turn: OnCallUpdate, hand: Editor, standing: RotationStatus, *, member: str, span: timedelta) -> None:
    wanted = NewOverride(standing.rotation, member, None, turn.now + span)
    changes.add_override(turn.session, wanted, hand, turn.runtime.directory, now=turn.now)


def _end(turn: OnCallUpdate, hand: Editor, standing: RotationStatus) -> None:
    changes.end_current_override(turn.session, standing, hand, turn.runtime.directory, now=turn.now)
