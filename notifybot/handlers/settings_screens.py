"""Screens of /settings: the overview and the menus below it, each with its buttons."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifybot.model.people import Person
from notifybot.people import preferences
from notifybot.rendering.buttons import button_rows, setting_button
from notifybot.rendering.parts import Buttons, Entity, Part, PostButton
from notifybot.rendering.split import utf16_len
from notifybot.times.display import local_time
from notifybot.times.spans import format_span
from notifybot.times.zones import AREAS, zone_in_use, zones_of

SUMMARY_TIMES = ("06:00", "07:00", "08:00", "09:00", "10:00", "12:00", "17:00", "20:00")
QUIET_HOURS = ("22:00-06:00", "22:00-07:00", "22:00-08:00", "23:00-07:00", "00:00-08:00", "20:00-08:00")
MUTES = (timedelta(hours=1), timedelta(hours=8), timedelta(days=1), timedelta(days=7))
ZONES_A_PAGE = 24
CITIES_A_ROW, TIMES_A_ROW = 3, 4

TYPED = (
    "You can also type /settings zone Europe/Berlin, /settings summary 07:30, /settings quiet 22:00-07:00, "
    "/settings notices off."
)
_COMMAND = re.compile(r"/[a-z]+ [a-z0-9]+( [A-Za-z0-9/:-]+)?")


@dataclass(frozen=True)
class SettingsDefaults:
    """Defaults from the config. `reach_muted`: alerts reach people who have muted notices."""

    time_zone: str
    summary_time: str
    reach_muted: bool


@dataclass(frozen=True)
class SettingsScreen:
    """Settings of a person as of `now`, and the post that shows them."""

    person: Person
    post_id: str
    defaults: SettingsDefaults
    now: datetime

    @property
    def zone(self) -> str:
        return zone_in_use(self.person.time_zone or self.defaults.time_zone)

    @property
    def alert_note(self) -> str:
        return "alerts still come" if self.defaults.reach_muted else "alerts are muted too"

    def button(self, label: str, word: str, value: str = "") -> PostButton:
        return setting_button(self.post_id, label, word, value)


def overview(screen: SettingsScreen, *, note: str = "Your settings") -> Part:
    person = screen.person
    toggle = ("Turn notices off", "0") if person.is_enabled else ("Turn notices on", "1")
    buttons = (
        (screen.button(toggle[0], "on", toggle[1]),),
        (screen.button("Time zone", "areas"), screen.button("Daily summary", "times")),
        (screen.button("Quiet hours", "nights"), screen.button("Mute", "mutes")),
    )
    return _page(f"{note}\n\n{chosen(screen)}\n\n{TYPED}", buttons)


def chosen(screen: SettingsScreen) -> str:
    """List the settings, one per line."""
    person = screen.person
    default = "" if person.time_zone else " (default)"
    if person.time_zone and person.time_zone != screen.zone:
        default = f": {person.time_zone} is unknown on this server. Choose another"
    quiet = preferences.quiet_hours_of(person)
    lines = [
        f"Notices and summaries: {'on' if person.is_enabled else f'off; {screen.alert_note}'}",
        muted(screen),
        f"Time zone: {screen.zone}{default}",
        f"Daily summary: {person.summary_time or screen.defaults.summary_time}",
        f"Quiet hours: {quiet or 'none'}{'; notices wait until they end, alerts do not' if quiet else ''}",
    ]
    return "\n".join(lines)


def muted(screen: SettingsScreen) -> str:
    until = screen.person.muted_until
    if until is None or until <= screen.now:
        return "Muted: no"
    return f"Muted: no notices until {local_time(until, screen.zone, now=screen.now)}; {screen.alert_note}"


def areas(screen: SettingsScreen) -> Part:
    text = "Time zone\n\nChoose your area, or type a name like Europe/Berlin or New York."
    buttons = [screen.button(area, "area", f"{area}:0") for area in AREAS]
    utc = (screen.button("UTC", "zone", "UTC"), screen.button(f"Default ({screen.defaults.time_zone})", "zone"))
    return _page(text, (*button_rows(buttons, CITIES_A_ROW), utc, _back(screen)))


def zones(screen: SettingsScreen, area: str, page: int) -> Part:
    names = zones_of(area)
    pages = -(-len(names) // ZONES_A_PAGE)
    page = min(page, pages - 1)
    shown = names[page * ZONES_A_PAGE : (page + 1) * ZONES_A_PAGE]
    buttons = [screen.button(_city(name), "zone", name) for name in shown]
    turning = [
        screen.button(label, "area", f"{area}:{to}")
        for label, to in (("◀ Earlier", page - 1), ("More ▶", page + 1))
        if 0 <= to < pages
    ]
    text = f"Time zone\n\n{area}, page {page + 1} of {pages}. You can also type the name."
    rows = (*button_rows(buttons, CITIES_A_ROW), *((tuple(turning),) if turning else ()))
    return _page(text, (*rows, (screen.button("Other areas", "areas"), *_back(screen))))


def times(screen: SettingsScreen) -> Part:
    text = f"Daily summary\n\nWhen do you want it, in {screen.zone}? You can also type a time, like 07:30."
    buttons = [screen.button(time, "time", time) for time in SUMMARY_TIMES]
    default = screen.button(f"Default ({screen.defaults.summary_time})", "time")
    return _page(text, (*button_rows(buttons, TIMES_A_ROW), (default, *_back(screen))))


def nights(screen: SettingsScreen) -> Part:
    text = (
        f"Quiet hours\n\nNotices wait until they end; alerts do not. Times are in {screen.zone}. "
        "You can also type them, like 22:00-07:00."
    )
    buttons = [screen.button(hours, "quiet", hours) for hours in QUIET_HOURS]
    return _page(text, (*button_rows(buttons), (screen.button("None", "quiet"), *_back(screen))))


def mutes(screen: SettingsScreen) -> Part:
    text = f"{muted(screen)}\n\nFor how long do you want to mute notices? You can also type /mute 2h or /mute off."
    buttons = [screen.button(format_span(span), "mute", f"{span.total_seconds():.0f}") for span in MUTES]
    return _page(text, (*button_rows(buttons, TIMES_A_ROW), (screen.button("Unmute", "mute"), *_back(screen))))


def offer(screen: SettingsScreen, label: str, word: str, value: str) -> Part:
    """Ask if typed text was meant as a setting, with a button that changes it."""
    return Part("Do you want to change this setting?", buttons=((screen.button(label, word, value),),))


def _page(text: str, buttons: Buttons) -> Part:
    """Make the first line bold, and typed forms copyable by a tap."""
    head, _, _ = text.partition("\n")
    forms = [Entity("code", utf16_len(text[: found.start()]), utf16_len(found[0])) for found in _COMMAND.finditer(text)]
    return Part(text, (Entity("bold", 0, utf16_len(head)), *forms), buttons)


def _city(zone: str) -> str:
    return zone.partition("/")[2].replace("_", " ")


def _back(screen: SettingsScreen) -> tuple[PostButton, ...]:
    return (screen.button("Back", "home"),)
