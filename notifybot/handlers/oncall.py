"""/oncall: who is on call and until when; buttons and words to take over or put someone on call.

Its buttons carry the id of their post and what they do: nothing is remembered between presses.
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
from notifybot.oncall import changes
from notifybot.oncall import status as oncall_status
from notifybot.oncall.changes import Editor, NewOverride
from notifybot.oncall.status import RotationStatus
from notifybot.people import preferences
from notifybot.posts import posts, replies
from notifybot.recipients.address import Recipient, RecipientKind
from notifybot.rendering.buttons import OnCallPress, rotation_key
from notifybot.rendering.parts import Part
from notifybot.runtime import Runtime
from notifybot.times.spans import parse_span

USAGE = "Use /oncall override ROTATION NAME 2h or /oncall cancel ROTATION. /oncall alone shows who is on call."
GONE = "This rotation is no longer in the config."
NO_HANDOVER = "This rotation has no more handovers."
NOT_ALLOWED = "Link your account to see who is on call: send /start in a private chat with me to get a code."
MAX_WORDS_LENGTH = 400


@dataclass(frozen=True)
class OnCallRequest:
    """A command or press: its transaction, chat and time. `person` None: they never pressed /start."""

    session: Session
    runtime: Runtime
    chat_id: str
    person: Person | None
    now: datetime

    @classmethod
    def of(cls, session: Session, update: Update, context: Context) -> "OnCallRequest":
        runtime, user, chat = runtime_of(context), update.effective_user, update.effective_chat
        assert chat is not None
        # In Telegram a private chat has the id of its user.
        person = None if user is None else preferences.of_chat(session, str(user.id))
        return cls(session, runtime, str(chat.id), person, runtime.clock.now())

    @property
    def may_see(self) -> bool:
        """True for linked people, and for people and chats that the config lists."""
        if self.person is not None and self.person.account is not None:
            return True
        config, directory = self.runtime.config, self.runtime.directory
        channel = config.alerts.escalation_channel
        others = (*config.admins, *config.summary.to, *([] if channel is None else [channel]))
        here = {Recipient(RecipientKind.CHAT, self.chat_id)}
        asked = here if self.person is None else here | changes.aliases_of(self.person)
        return changes.config_names_any(self.session, directory, asked, others)

    def screen(self, post_id: str | None = None) -> OnCallScreen:
        """Return the status of all rotations, for an existing post or a new one."""
        statuses = oncall_status.all_statuses(self.session, self.runtime.directory, now=self.now)
        return OnCallScreen(statuses, post_id or new_id(self.now), self.now)


RotationChange = Callable[[OnCallRequest, Editor, RotationStatus], None]
"""Raises NotifybotError."""


async def show(update: Update, context: Context) -> None:
    """/oncall alone shows all rotations; with words it changes who is on call."""
    words = " ".join(context.args or ())[:MAX_WORDS_LENGTH].split()

    def work(session: Session) -> None:
        request = OnCallRequest.of(session, update, context)
        if not request.may_see:
            queue_answer(session, update, Part(NOT_ALLOWED), now=request.now)
        elif words:
            queue_answer(session, update, Part(_run_command(request, words)), now=request.now)
        else:
            screen = request.screen()
            queue_answer(session, update, oncall_screens.overview(screen), now=request.now, post_id=screen.post_id)

    await in_transaction(update, context, work)


async def press(update: Update, context: Context, pressed: OnCallPress) -> str | None:
    """Apply a pressed button of /oncall, and update its post."""
    query = update.callback_query
    assert query is not None
    message = query.message
    if message is None:
        return await in_transaction(update, context, lambda _: texts.UNKNOWN_BUTTON)

    def work(session: Session) -> str:
        request = OnCallRequest.of(session, update, context)
        if not request.may_see:
            return NOT_ALLOWED
        posts.adopt(session, pressed.post_id, request.chat_id, message.message_id)
        answer = _do(request, pressed)
        part = _view(request.screen(pressed.post_id), pressed)
        replies.revise_reply(session, pressed.post_id, request.chat_id, part, now=request.now)
        return answer

    return await in_transaction(update, context, work)


def _view(screen: OnCallScreen, pressed: OnCallPress) -> Part:
    chosen = [each for each in screen.statuses if rotation_key(each.name) == pressed.rotation]
    return oncall_screens.page(screen, chosen[0]) if chosen else oncall_screens.overview(screen)


def _do(request: OnCallRequest, pressed: OnCallPress) -> str:
    """Apply a button; return the reply to the press."""
    if pressed.action in ("home", "see"):
        return ""
    names = [name for name in request.runtime.directory.rotations if rotation_key(name) == pressed.rotation]
    if not names:
        return GONE
    match pressed.action:
        case "end":
            return _change(request, names[0], _end)
        case "turn":
            return _change(request, names[0], partial(_take_over, span=None))
        case seconds if seconds.isdecimal():
            return _change(request, names[0], partial(_take_over, span=timedelta(seconds=int(seconds))))
    return texts.UNKNOWN_BUTTON


def _run_command(request: OnCallRequest, words: list[str]) -> str:
    """Run `override ROTATION NAME SPAN` or `cancel ROTATION`; return the reply."""
    match [words[0].lower(), *words[1:]]:
        case ["override", rotation, member, *rest] if rest:
            try:
                span = parse_span(" ".join(rest))
            except ValueError as error:
                return f"I could not read that: {error}. {USAGE}"
            return _change(request, rotation, partial(_override, member=member, span=span or timedelta()))
        case ["cancel", rotation]:
            return _change(request, rotation, _end)
    return USAGE


def _change(request: OnCallRequest, rotation: str, change: RotationChange) -> str:
    """Change a rotation; return who is on call then, or the refusal."""
    if request.person is None:
        return texts.START_FIRST.text
    session, directory = request.session, request.runtime.directory
    try:
        status = oncall_status.find_status(session, directory, rotation, now=request.now)
        change(request, changes.editor_of_person(request.person, directory, request.runtime.config.admins), status)
    except NotifybotError as error:
        return f"{error.detail} {error.hint or ''}".strip()
    return oncall_screens.sentence(oncall_status.find_status(session, directory, rotation, now=request.now))


def _take_over(request: OnCallRequest, editor: Editor, status: RotationStatus, *, span: timedelta | None) -> None:
    """Take over for a span, or without one until the next handover."""
    if span is None:
        if status.next_handover is None:
            raise NotifybotError(NO_HANDOVER)
        span = status.next_handover - request.now
    _override(request, editor, status, member=editor.account, span=span)


def _override(request: OnCallRequest, editor: Editor, status: RotationStatus, *, member: str, span: timedelta) -> None:
    override = NewOverride(status.name, member, None, request.now + span)
    changes.add_override(request.session, override, editor, request.runtime.directory, now=request.now)


def _end(request: OnCallRequest, editor: Editor, status: RotationStatus) -> None:
    changes.end_current_override(request.session, status, editor, request.runtime.directory, now=request.now)
