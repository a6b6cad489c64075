"""/settings, /mute and /status in a private chat: what its owner chose, changed by buttons or by what they write.

A settings post names itself in its buttons, and each button says what it does: nothing is remembered between presses.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlmodel import Session
from telegram import Update

from notifybot.errors import NotifybotError
from notifybot.handlers import settings_screens, texts
from notifybot.handlers.settings_screens import SettingsDefaults, SettingsScreen
from notifybot.handlers.transaction import Context, in_transaction, queue_answer, runtime_of
from notifybot.model.ids import new_id
from notifybot.model.people import Person
from notifybot.people import preferences
from notifybot.people.preferences import PreferenceChanges
from notifybot.posts import posts, replies
from notifybot.rendering.buttons import SettingPress
from notifybot.rendering.parts import Part
from notifybot.runtime import Runtime
from notifybot.times.spans import LONGEST, parse_span
from notifybot.times.zones import AREAS

NOT_YOURS = "These settings are somebody else's."
UNKNOWN = "This button is not notifybot's any more."
SAVED = "Saved."
TYPED_FORMS = (
    "Write /settings zone Europe/Berlin, summary 07:30, quiet 22:00-07:00 or notices off; or off to take it back."
)
OFF = ("off", "none", "no", "default")
LONGEST_WORDS = 64
Screen = Callable[[SettingsScreen], Part]

MENUS: dict[str, Screen] = {
    "home": settings_screens.overview,
    "areas": settings_screens.areas,
    "times": settings_screens.times,
    "nights": settings_screens.nights,
    "mutes": settings_screens.mutes,
}


async def show(update: Update, context: Context) -> None:
    """/settings alone shows them; with words behind it, it changes them."""
    words = " ".join(context.args or ())
    if not words:
        await _say(update, context, settings_screens.overview)
        return
    await _change(update, context, lambda sheet: _typed(words))


async def mute(update: Update, context: Context) -> None:
    """/mute 1h, /mute off; alone it shows how it stands."""
    words = " ".join(context.args or ())
    if not words:
        await _say(update, context, settings_screens.mutes)
        return
    await _change(update, context, lambda sheet: _mute(words, sheet))


async def _say(update: Update, context: Context, view: Screen) -> None:
    """Show something of the settings in a new post."""
    runtime, chat = runtime_of(context), update.effective_chat
    assert chat is not None

    def show(session: Session) -> None:
        person = preferences.of_chat(session, str(chat.id))
        if person is None:
            queue_answer(session, update, texts.START_FIRST, now=runtime.clock.now())
        else:
            _queue(session, view, screen_of(runtime, person))

    await in_transaction(update, context, show)


async def _change(update: Update, context: Context, read: Callable[[SettingsScreen], PreferenceChanges]) -> None:
    """Change what somebody wrote, and show what holds now; or say what is wrong with it."""
    runtime, chat = runtime_of(context), update.effective_chat
    assert chat is not None

    def change(session: Session) -> None:
        person = preferences.of_chat(session, str(chat.id))
        if person is None:
            queue_answer(session, update, texts.START_FIRST, now=runtime.clock.now())
            return
        sheet = screen_of(runtime, person)
        try:
            preferences.change(session, person, read(sheet), now=sheet.now)
        except NotifybotError as error:
            queue_answer(session, update, Part(f"{error.detail} {error.hint or ''}".strip()), now=sheet.now)
        else:
            _queue(session, partial(settings_screens.overview, note=SAVED), sheet)

    await in_transaction(update, context, change)


def _queue(session: Session, view: Screen, sheet: SettingsScreen) -> None:
    replies.queue_reply(session, sheet.person.chat_id, view(sheet), now=sheet.now, post_id=sheet.post_id)


def screen_of(runtime: Runtime, person: Person, post_id: str | None = None) -> SettingsScreen:
    """A sheet for a post that stands there, or for a new one."""
    now, summary = runtime.clock.now(), runtime.config.summary
    defaults = SettingsDefaults(summary.time_zone, f"{summary.time:%H:%M}", runtime.config.alerts.reach_muted)
    return SettingsScreen(person, post_id or new_id(now), defaults, now)


async def press(update: Update, context: Context, pressed: SettingPress) -> str | None:
    """A button of somebody's settings: do what it says, and let its post show what follows."""
    query, runtime = update.callback_query, runtime_of(context)
    assert query is not None
    message = query.message
    # In a private chat nobody else can press; a button that came elsewhere is not one that we made.
    if message is None or message.chat.id != query.from_user.id:
        return await in_transaction(update, context, lambda _: NOT_YOURS)

    def work(session: Session) -> str:
        person = preferences.of_chat(session, str(message.chat.id))
        if person is None:
            return texts.START_FIRST.text
        posts.adopt(session, pressed.post_id, person.chat_id, message.message_id)
        return _do(session, pressed, screen_of(runtime, person, pressed.post_id))

    return await in_transaction(update, context, work)


def _do(session: Session, pressed: SettingPress, sheet: SettingsScreen) -> str:
    view = _menu(pressed)
    if view is not None:
        _show_in_its_post(session, view, sheet)
        return ""
    changes = _change_of_button(pressed, sheet)
    if changes is None:
        return UNKNOWN
    try:
        preferences.change(session, sheet.person, changes, now=sheet.now)
    except NotifybotError as error:
        return error.detail
    _show_in_its_post(session, settings_screens.overview, sheet)
    return SAVED


def _show_in_its_post(session: Session, view: Screen, sheet: SettingsScreen) -> None:
    """Where the post is forgotten, because it is old, a new one shows it."""
    if not replies.revise_reply(session, sheet.post_id, sheet.person.chat_id, view(sheet), now=sheet.now):
        _queue(session, view, SettingsScreen(sheet.person, new_id(sheet.now), sheet.defaults, sheet.now))


def _menu(pressed: SettingPress) -> Screen | None:
    if pressed.word == "area":
        area, _, page = pressed.value.partition(":")
        is_ours = area in AREAS and page.isascii() and page.isdigit() and len(page) < 3
        return partial(settings_screens.zones, area=area, page=int(page)) if is_ours else None
    return MENUS.get(pressed.word)


def _change_of_button(pressed: SettingPress, sheet: SettingsScreen) -> PreferenceChanges | None:
    """What a button changes; None for what none of ours says."""
    value = pressed.value or None
    match pressed.word, value:
        case "on", "0" | "1":
            return PreferenceChanges(enabled=value == "1")
        case "zone", _:
            return PreferenceChanges(time_zone=value)
        case "time", _:
            return PreferenceChanges(summary_time=value)
        case "quiet", _:
            return PreferenceChanges(quiet_hours=value)
        case "mute", None:
            return PreferenceChanges(muted_until=None)
        case "mute", str() if value.isascii() and value.isdigit() and 0 < int(value) <= LONGEST.total_seconds():
            return PreferenceChanges(muted_until=preferences.mute_end(timedelta(seconds=int(value)), now=sheet.now))
    return None


def _typed(words: str) -> PreferenceChanges:
    """`zone Europe/Berlin`, `summary 07:30`, `quiet off`, … Raises NotifybotError."""
    what, _, value = words[:LONGEST_WORDS].partition(" ")
    chosen = None if value.strip().lower() in OFF else value.strip()
    match what.lower():
        case "zone":
            return PreferenceChanges(time_zone=chosen)
        case "summary":
            return PreferenceChanges(summary_time=chosen)
        case "quiet":
            return PreferenceChanges(quiet_hours=chosen)
        case "notices" if value.strip().lower() in ("on", "off"):
            return PreferenceChanges(enabled=value.strip().lower() == "on")
    raise NotifybotError("This is no setting.", hint=TYPED_FORMS)


def _mute(words: str, sheet: SettingsScreen) -> PreferenceChanges:
    """Raises NotifybotError."""
    if words.lower() in OFF:
        return PreferenceChanges(muted_until=None)
    try:
        span = parse_span(words[:LONGEST_WORDS])
    except ValueError as error:
        raise NotifybotError(f"This cannot be read: {error}.", hint="Write /mute 1h, or /mute off.") from error
    return PreferenceChanges(muted_until=None if span is None else preferences.mute_end(span, now=sheet.now))


def read_as_setting(text: str) -> tuple[str, str, str] | None:
    """What plain text may mean: a label, and the word and value of the button that does it."""
    words = text.strip()
    if len(words) > LONGEST_WORDS:
        return None
    for label, word, read in (
        ("Daily summary at {}", "time", preferences.read_time),
        ("Quiet hours {}", "quiet", _hours),
        ("Time zone {}", "zone", preferences.read_zone),
    ):
        try:
            value = read(words)
        except ValueError:
            continue
        if value is not None:
            return label.format(value), word, value
    return None


def offer(session: Session, sheet: SettingsScreen, meant: tuple[str, str, str]) -> None:
    """Ask whether plain text was meant as a setting."""
    label, word, value = meant
    _queue(session, partial(settings_screens.offer, label=label, word=word, value=value), sheet)


def _hours(words: str) -> str:
    return "-".join(each for each in preferences.read_quiet_hours(words) if each is not None)
