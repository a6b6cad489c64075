"""/settings and /mute in a private chat: change preferences by buttons or by typing.

The buttons carry the id of their post and what they do: nothing is remembered between presses.
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
from notifybot.times.zones import AREAS, zone_in_use

NOT_YOURS = "These settings belong to someone else."
SAVED = "Saved."
TYPED_FORMS = (
    "Use /settings zone Europe/Berlin, summary 07:30, quiet 22:00-07:00 or notices off. “off” resets a setting."
)
OFF = ("off", "none", "no", "default")
MAX_WORDS_LENGTH = 64
Screen = Callable[[SettingsScreen], Part]

MENUS: dict[str, Screen] = {
    "home": settings_screens.overview,
    "areas": settings_screens.areas,
    "times": settings_screens.times,
    "nights": settings_screens.nights,
    "mutes": settings_screens.mutes,
}


async def show(update: Update, context: Context) -> None:
    """/settings alone shows the settings; with words it changes them."""
    words = " ".join(context.args or ())
    if not words:
        await _show(update, context, settings_screens.overview)
        return
    await _change(update, context, lambda _: _read_command(words))


async def mute(update: Update, context: Context) -> None:
    """/mute 1h and /mute off; alone it shows the mute menu."""
    words = " ".join(context.args or ())
    if not words:
        await _show(update, context, settings_screens.mutes)
        return
    await _change(update, context, lambda screen: _read_mute(words, screen))


async def _show(update: Update, context: Context, view: Screen) -> None:
    """Show a screen in a new post."""
    runtime, chat = runtime_of(context), update.effective_chat
    assert chat is not None

    def work(session: Session) -> None:
        person = preferences.of_chat(session, str(chat.id))
        if person is None:
            queue_answer(session, update, texts.START_FIRST, now=runtime.clock.now())
        else:
            _queue(session, view, screen_of(runtime, person))

    await in_transaction(update, context, work)


async def _change(update: Update, context: Context, read: Callable[[SettingsScreen], PreferenceChanges]) -> None:
    """Apply typed changes and show the settings, or reply with the refusal."""
    runtime, chat = runtime_of(context), update.effective_chat
    assert chat is not None

    def work(session: Session) -> None:
        person = preferences.of_chat(session, str(chat.id))
        if person is None:
            queue_answer(session, update, texts.START_FIRST, now=runtime.clock.now())
            return
        screen = screen_of(runtime, person)
        try:
            preferences.change(session, person, read(screen), now=screen.now)
        except NotifybotError as error:
            queue_answer(session, update, Part(f"{error.detail} {error.hint or ''}".strip()), now=screen.now)
        else:
            _queue(session, partial(settings_screens.overview, note=SAVED), screen)

    await in_transaction(update, context, work)


def _queue(session: Session, view: Screen, screen: SettingsScreen) -> None:
    replies.queue_reply(session, screen.person.chat_id, view(screen), now=screen.now, post_id=screen.post_id)


def screen_of(runtime: Runtime, person: Person, post_id: str | None = None) -> SettingsScreen:
    """Return the settings of a person, for an existing post or a new one."""
    now, summary = runtime.clock.now(), runtime.config.summary
    defaults = SettingsDefaults(
        zone_in_use(summary.time_zone), f"{summary.time:%H:%M}", runtime.config.alerts.reach_muted
    )
    return SettingsScreen(person, post_id or new_id(now), defaults, now)


async def press(update: Update, context: Context, pressed: SettingPress) -> str | None:
    """Apply a pressed settings button, and update its post."""
    query, runtime = update.callback_query, runtime_of(context)
    assert query is not None
    message = query.message
    # In a private chat nobody else can press; a press from elsewhere is not on a button of ours.
    if message is None or message.chat.id != query.from_user.id:
        return await in_transaction(update, context, lambda _: NOT_YOURS)

    def work(session: Session) -> str:
        person = preferences.of_chat(session, str(message.chat.id))
        if person is None:
            return texts.START_FIRST.text
        posts.adopt(session, pressed.post_id, person.chat_id, message.message_id)
        return _do(session, pressed, screen_of(runtime, person, pressed.post_id))

    return await in_transaction(update, context, work)


def _do(session: Session, pressed: SettingPress, screen: SettingsScreen) -> str:
    view = _menu(pressed)
    if view is not None:
        _revise(session, view, screen)
        return ""
    changes = _read_button(pressed, screen)
    if changes is None:
        return texts.UNKNOWN_BUTTON
    try:
        preferences.change(session, screen.person, changes, now=screen.now)
    except NotifybotError as error:
        return error.detail
    _revise(session, settings_screens.overview, screen)
    return SAVED


def _revise(session: Session, view: Screen, screen: SettingsScreen) -> None:
    """Update the post; if its row was deleted for age, show a new post."""
    if not replies.revise_reply(session, screen.post_id, screen.person.chat_id, view(screen), now=screen.now):
        _queue(session, view, SettingsScreen(screen.person, new_id(screen.now), screen.defaults, screen.now))


def _menu(pressed: SettingPress) -> Screen | None:
    if pressed.action == "area":
        area, _, page = pressed.value.partition(":")
        is_valid = area in AREAS and page.isascii() and page.isdigit() and len(page) < 3
        return partial(settings_screens.zones, area=area, page=int(page)) if is_valid else None
    return MENUS.get(pressed.action)


def _read_button(pressed: SettingPress, screen: SettingsScreen) -> PreferenceChanges | None:
    """Read the changes of a button; None if no button of ours says this."""
    value = pressed.value or None
    match pressed.action, value:
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
            return PreferenceChanges(muted_until=preferences.mute_end(timedelta(seconds=int(value)), now=screen.now))
    return None


def _read_command(words: str) -> PreferenceChanges:
    """Read `zone Europe/Berlin`, `summary 07:30`, `quiet off`, … Raises NotifybotError."""
    name, _, value = words[:MAX_WORDS_LENGTH].partition(" ")
    chosen = None if value.strip().lower() in OFF else value.strip()
    match name.lower():
        case "zone":
            return PreferenceChanges(time_zone=chosen)
        case "summary":
            return PreferenceChanges(summary_time=chosen)
        case "quiet":
            return PreferenceChanges(quiet_hours=chosen)
        case "notices" if value.strip().lower() in ("on", "off"):
            return PreferenceChanges(enabled=value.strip().lower() == "on")
    raise NotifybotError("Unknown setting.", hint=TYPED_FORMS)


def _read_mute(words: str, screen: SettingsScreen) -> PreferenceChanges:
    """Read `1h` or `off`. Raises NotifybotError."""
    if words.lower() in OFF:
        return PreferenceChanges(muted_until=None)
    try:
        span = parse_span(words[:MAX_WORDS_LENGTH])
    except ValueError as error:
        raise NotifybotError(f"I could not read that: {error}.", hint="Use /mute 1h or /mute off.") from error
    return PreferenceChanges(muted_until=None if span is None else preferences.mute_end(span, now=screen.now))


def read_as_setting(text: str) -> tuple[str, str, str] | None:
    """Read plain text as a setting: a label, and the word and value of the button that changes it."""
    words = text.strip()
    if len(words) > MAX_WORDS_LENGTH:
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


def offer(session: Session, screen: SettingsScreen, setting: tuple[str, str, str]) -> None:
    """Ask whether plain text was meant as a setting."""
    label, word, value = setting
    _queue(session, partial(settings_screens.offer, label=label, word=word, value=value), screen)


def _hours(words: str) -> str:
    return "-".join(each for each in preferences.read_quiet_hours(words) if each is not None)
