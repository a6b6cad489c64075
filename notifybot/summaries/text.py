"""Write a daily summary as plain text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifybot.summaries.facts import SummaryFacts, Tally
from notifybot.times.display import shorten
from notifybot.times.spans import format_span
from notifybot.times.zones import zone_of

MAX_NAMES = 8
"""Sources, events or people on a line; the others are only counted."""
MAX_NAME_LENGTH = 40


@dataclass(frozen=True)
class Audience:
    """The reader of a summary. `account`: whose messages it covers, None for all. `is_manual`: it was requested."""

    zone: str
    account: str | None
    is_manual: bool = False


def title(facts: SummaryFacts, audience: Audience) -> str:
    """For example `Daily summary, Monday 2 March`."""
    day = facts.period.end.astimezone(zone_of(audience.zone))
    kind = "Summary on request" if audience.is_manual else "Daily summary"
    return f"{kind}, {day:%A} {day.day} {day:%B}"


def nothing_to_report(facts: SummaryFacts, audience: Audience) -> str:
    """The single line of an empty summary."""
    kind = "Summary on request" if audience.is_manual else "Daily summary"
    return f"{kind}: {_since(facts, audience)} nothing was sent, and no alert is open."


def body(facts: SummaryFacts, audience: Audience) -> str:
    """The period, and one line per figure that is not empty."""
    account = audience.account
    whose = "all messages on this server" if account is None else f"messages sent by or shown to {account}"
    since = _since(facts, audience)
    return "\n".join([f"{since[:1].upper()}{since[1:]}: {whose}.", "", *_lines(facts, audience)])


def _since(facts: SummaryFacts, audience: Audience) -> str:
    """For example `since Sunday 1 March, 09:00 (Europe/Berlin)`."""
    begin = facts.period.begin.astimezone(zone_of(audience.zone))
    return f"since {begin:%A} {begin.day} {begin:%B}, {begin:%H:%M} ({audience.zone})"


def _lines(facts: SummaryFacts, audience: Audience) -> Iterator[str]:
    tally, before = facts.tally, facts.before
    alerts = f", {tally.alerts} of them alerts" if tally.alerts else ""
    yield f"Sent: {tally.sent} ({_before(facts)} {before.sent}){alerts}"
    if tally.waiting:
        yield f"Waiting: {tally.waiting}"
    yield from _if_any("Failed", tally.failed, before.failed)
    yield from _acknowledged(facts, before)
    yield from _if_any("Expired unacknowledged", tally.expired, before.expired)
    yield from _still_open(facts, audience)
    yield from _names("By source", facts.sources)
    yield from _names("Events", facts.events)


def _before(facts: SummaryFacts) -> str:
    return "the day before:" if facts.period.is_a_day else "the period before:"


def _if_any(label: str, count: int, before: int) -> Iterator[str]:
    if count or before:
        yield f"{label}: {count} ({before})"


def _acknowledged(facts: SummaryFacts, before: Tally) -> Iterator[str]:
    """The line for acknowledgements: how many, how fast, and by whom."""
    for line in _if_any("Acknowledged", facts.tally.acknowledged, before.acknowledged):
        fast = f", half of them within {_rounded(facts.median)}" if facts.median is not None else ""
        who = f", by {_listed(facts.acknowledged_by)}" if facts.acknowledged_by else ""
        yield f"{line}{fast}{who}"


def _rounded(span: timedelta) -> str:
    """Format a span: to the second up to two minutes, to the minute beyond."""
    seconds = max(1, round(span.total_seconds()))
    return format_span(timedelta(seconds=seconds if seconds < 120 else round(seconds / 60) * 60))


def _still_open(facts: SummaryFacts, audience: Audience) -> Iterator[str]:
    if not facts.open:
        return
    yield f"Still open: {facts.open}"
    for alert in facts.oldest:
        yield f"• {_when(alert.since, facts.period.end, audience)} {alert.text}"
    if facts.open > len(facts.oldest):
        yield f"• and {facts.open - len(facts.oldest)} more"


def _when(moment: datetime, today: datetime, audience: Audience) -> str:
    """For example `07:12`, with the date where that is another day's."""
    zone = zone_of(audience.zone)
    local = moment.astimezone(zone)
    is_today = local.date() == today.astimezone(zone).date()
    return f"{local:%H:%M}" if is_today else f"{local.day} {local:%b} {local:%H:%M}"


def _names(label: str, counted: Sequence[tuple[str, int]]) -> Iterator[str]:
    if counted:
        yield f"{label}: {_listed(counted)}"


def _listed(counted: Sequence[tuple[str, int]]) -> str:
    """For example `backup 20, web 12, 3 others 4`."""
    limit = MAX_NAMES if len(counted) > MAX_NAMES + 1 else len(counted)
    shown = [f"{_short(name)} {count}" for name, count in counted[:limit]]
    if others := counted[limit:]:
        shown.append(f"{len(others)} others {sum(count for _, count in others)}")
    return ", ".join(shown)


def _short(name: str) -> str:
    return shorten(" ".join(name.split()), MAX_NAME_LENGTH)
