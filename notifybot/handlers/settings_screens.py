"""What people see of their settings: the overview and the menus below it, each with its buttons."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifybot.model.people import Person
from notifybot.people import preferences
from notifybot.rendering.buttons import setting_button
from notifybot.rendering.parts import Buttons, Entity, Part, PostButton
from notifybot.rendering.split import utf16_len
from notifybot.times.display import local_time
from notifybot.times.spans import format_span
from notifybot.times.zones import AREAS, zones_of

SUMMARY_TIMES = ("06:00", "07:00", "08:00", "09:00", "10:00", "12:00", "17:00", "20:00")
QUIET_HOURS = ("22:00-06:00", "22:00-07:00", "22:00-08:00", "23:00-07:00", "00:00-08:00", "20:00-08:00")
MUTES = (timedelta(hours=1), timedelta(hours=8), timedelta(days=1), timedelta(days=7))
ZONES_A_PAGE = 24
A_ROW, CITIES_A_ROW, TIMES_A_ROW = 2, 3, 4

TYPED = (
    "You can write it as well: /settings zone Europe/Berlin, /settings summary 07:30, /settings quiet 22:00-07:00, "
    "/settings notices off."
)
_TYPED_FORM = re.compile(r"/[a-z]+ [a-z0-9]+( [A-Za-z0-9/:-]+)?")


@dataclass(frozen=True)
class SettingsDefaults:
    """What the config says: of people who chose nothing, and whether alerts come to who wants no notices."""

    time_zone: str
    summary_time: str
    reach_muted: bool


@dataclass(frozen=True)
class SettingsScreen:
    """Whose settings are shown in which post, and when."""

    person: Person
    post_id: str
    defaults: SettingsDefaults
    now: datetime

    @property
    def zone(self) -> str:
        return self.person.time_zone or self.defaults.time_zone

    @property
    def of_alerts(self) -> str:
        return "alerts come all the same" if self.defaults.reach_muted else "alerts do not come either"

    def button(self, label: str, word: str, value: str = "") -> PostButton:
        return setting_button(self.post_id, label, word, value)


def overview(sheet: SettingsScreen, *, note: str = "Your settings") -> Part:
    person = sheet.person
    toggle = ("Turn notices off", "0") if person.is_enabled else ("Turn notices on", "1")
    buttons = (
        (sheet.button(toggle[0], "on", toggle[1]),),
        (sheet.button("Time zone", "areas"), sheet.button("Daily summary", "times")),
        (sheet.button("Quiet hours", "nights"), sheet.button("Mute", "mutes")),
    )
    return _page(f"{note}\n\n{chosen(sheet)}\n\n{TYPED}", buttons)


def chosen(sheet: SettingsScreen) -> str:
    """What somebody chose, a line each."""
    person = sheet.person
    default = "" if person.time_zone else " (nothing chosen)"
    quiet = preferences.quiet_hours_of(person)
    lines = [
        f"Notices and summaries: {'on' if person.is_enabled else f'off; {sheet.of_alerts}'}",
        muted(sheet),
        f"Time zone: {sheet.zone}{default}",
        f"Daily summary: {person.summary_time or sheet.defaults.summary_time}",
        f"Quiet hours: {quiet or 'none'}{'; notices wait until they end, alerts do not' if quiet else ''}",
    ]
    return "\n".join(lines)


def muted(sheet: SettingsScreen) -> str:
    until = sheet.person.muted_until
    if until is None or until <= sheet.now:
        return "Muted: no"
    return f"Muted: no notices until {local_time(until, sheet.zone, now=sheet.now)}; {sheet.of_alerts}"


def areas(sheet: SettingsScreen) -> Part:
    text = "Time zone\n\nChoose where you live, or write the name to me, like Europe/Berlin or New York."
    buttons = [sheet.button(area, "area", f"{area}:0") for area in AREAS]
    utc = (sheet.button("UTC", "zone", "UTC"), sheet.button(f"As usual ({sheet.defaults.time_zone})", "zone"))
    return _page(text, (*_rows(buttons, CITIES_A_ROW), utc, _back(sheet)))


def zones(sheet: SettingsScreen, area: str, page: int) -> Part:
    names = zones_of(area)
    pages = -(-len(names) // ZONES_A_PAGE)
    page = min(page, pages - 1)
    shown = names[page * ZONES_A_PAGE : (page + 1) * ZONES_A_PAGE]
    buttons = [sheet.button(_city(name), "zone", name) for name in shown]
    turning = [
        sheet.button(label, "area", f"{area}:{to}")
        for label, to in (("◀ Earlier", page - 1), ("More ▶", page + 1))
        if 0 <= to < pages
    ]
    text = f"Time zone\n\n{area}, page {page + 1} of {pages}. You can also write the name to me."
    rows = (*_rows(buttons, CITIES_A_ROW), *((tuple(turning),) if turning else ()))
    return _page(text, (*rows, (sheet.button("Other areas", "areas"), *_back(sheet))))


def times(sheet: SettingsScreen) -> Part:
    text = f"Daily summary\n\nWhen do you want it, in {sheet.zone}? You can also write it to me, like 07:30."
    buttons = [sheet.button(time, "time", time) for time in SUMMARY_TIMES]
    usual = sheet.button(f"As usual ({sheet.defaults.summary_time})", "time")
    return _page(text, (*_rows(buttons, TIMES_A_ROW), (usual, *_back(sheet))))


def nights(sheet: SettingsScreen) -> Part:
    text = (
        f"Quiet hours\n\nNotices wait until they end, alerts do not. They are in {sheet.zone}. "
        "You can also write them to me, like 22:00-07:00."
    )
    buttons = [sheet.button(hours, "quiet", hours) for hours in QUIET_HOURS]
    return _page(text, (*_rows(buttons), (sheet.button("None", "quiet"), *_back(sheet))))


def mutes(sheet: SettingsScreen) -> Part:
    text = f"{muted(sheet)}\n\nFor how long do you want no notices? You can also write /mute 2h, and /mute off."
    buttons = [sheet.button(format_span(span), "mute", f"{span.total_seconds():.0f}") for span in MUTES]
    return _page(text, (*_rows(buttons, TIMES_A_ROW), (sheet.button("Not muted", "mute"), *_back(sheet))))


def offer(sheet: SettingsScreen, label: str, word: str, value: str) -> Part:
    """What somebody wrote reads like one of these: they press if they mean it."""
    return Part("Is this meant for your settings?", buttons=((sheet.button(label, word, value),),))


def _page(text: str, buttons: Buttons) -> Part:
    """Its first line stands out, and what can be written is copied by a tap."""
    head, _, _ = text.partition("\n")
    forms = [
        Entity("code", utf16_len(text[: found.start()]), utf16_len(found[0])) for found in _TYPED_FORM.finditer(text)
    ]
    return Part(text, (Entity("bold", 0, utf16_len(head)), *forms), buttons)


def _city(zone: str) -> str:
    return zone.partition("/")[2].replace("_", " ")


def _back(sheet: SettingsScreen) -> tuple[PostButton, ...]:
    return (sheet.button("Back", "home"),)


def _rows(buttons: Sequence[PostButton], size: int = A_ROW) -> Buttons:
    return tuple(tuple(buttons[start : start + size]) for start in range(0, len(buttons), size))
