"""Write a daily summary as plain text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from notifybot.summaries.facts import SummaryFacts, Tally
from notifybot.times.display import shorten
from notifybot.times.spans import format_span

MOST_NAMES = 8
"""Of sources, events and people; of the others only how many there are."""
LONGEST_NAME = 40


@dataclass(frozen=True)
class Audience:
    """To whom a summary speaks: in which zone, of whose messages (None: of all), and whether somebody asked for it."""

    zone: str
    account: str | None
    is_manual: bool = False


def title(facts: SummaryFacts, setting: Audience) -> str:
    """`Daily summary, Monday 2 March`."""
    day = facts.period.end.astimezone(ZoneInfo(setting.zone))
    kind = "Summary, asked for by hand" if setting.is_manual else "Daily summary"
    return f"{kind}, {day:%A} {day.day} {day:%B}"


def nothing_to_report(facts: SummaryFacts, setting: Audience) -> str:
    """The one line where there is nothing to say."""
    kind = "Summary, asked for by hand" if setting.is_manual else "Daily summary"
    return f"{kind}: {_since(facts, setting)} nothing was sent, and no alert is open."


def body(facts: SummaryFacts, setting: Audience) -> str:
    """A line for each thing that there is something to say of."""
    whose = "everything on this server" if setting.account is None else f"what {setting.account} sent or was shown"
    since = _since(facts, setting)
    return "\n".join([f"{since[:1].upper()}{since[1:]}: {whose}.", "", *_lines(facts, setting)])


def _since(facts: SummaryFacts, setting: Audience) -> str:
    """`since Sunday 1 March, 09:00 (Europe/Berlin)`."""
    begin = facts.period.begin.astimezone(ZoneInfo(setting.zone))
    return f"since {begin:%A} {begin.day} {begin:%B}, {begin:%H:%M} ({setting.zone})"


def _lines(facts: SummaryFacts, setting: Audience) -> Iterator[str]:
    tally, before = facts.tally, facts.before
    alerts = f", {tally.alerts} of them alerts" if tally.alerts else ""
    yield f"Sent: {tally.sent} ({_before(facts)} {before.sent}){alerts}"
    if tally.waiting:
        yield f"On their way: {tally.waiting}"
    yield from _if_any("Failed", tally.failed, before.failed)
    yield from _acknowledged(facts, before)
    yield from _if_any("Closed without an answer", tally.unanswered, before.unanswered)
    yield from _still_open(facts, setting)
    yield from _names("By source", facts.sources)
    yield from _names("Events", facts.events)


def _before(facts: SummaryFacts) -> str:
    return "the day before:" if facts.period.is_a_day else "as long before:"


def _if_any(what: str, count: int, before: int) -> Iterator[str]:
    if count or before:
        yield f"{what}: {count} ({before})"


def _acknowledged(facts: SummaryFacts, before: Tally) -> Iterator[str]:
    """How many, how fast, and by whom."""
    for line in _if_any("Answered", facts.tally.answered, before.answered):
        fast = f", half of them within {_rounded(facts.median)}" if facts.median is not None else ""
        who = f", by {_listed(facts.answered_by)}" if facts.answered_by else ""
        yield f"{line}{fast}{who}"


def _rounded(span: timedelta) -> str:
    """To the second within the first two minutes, then to the minute."""
    seconds = max(1, round(span.total_seconds()))
    return format_span(timedelta(seconds=seconds if seconds < 120 else round(seconds / 60) * 60))


def _still_open(facts: SummaryFacts, setting: Audience) -> Iterator[str]:
    if not facts.open:
        return
    yield f"Still open: {facts.open}"
    for alert in facts.oldest:
        yield f"• {_when(alert.since, facts.period.end, setting)} {alert.text}"
    if facts.open > len(facts.oldest):
        yield f"• and {facts.open - len(facts.oldest)} more"


def _when(moment: datetime, beside: datetime, setting: Audience) -> str:
    """`07:12`, with the date where it is not the day's own."""
    zone = ZoneInfo(setting.zone)
    local = moment.astimezone(zone)
    is_today = local.date() == beside.astimezone(zone).date()
    return f"{local:%H:%M}" if is_today else f"{local.day} {local:%b} {local:%H:%M}"


def _names(what: str, counted: Sequence[tuple[str, int]]) -> Iterator[str]:
    if counted:
        yield f"{what}: {_listed(counted)}"


def _listed(counted: Sequence[tuple[str, int]]) -> str:
    """`backup 20, web 12, 3 others 4`."""
    most = MOST_NAMES if len(counted) > MOST_NAMES + 1 else len(counted)
    shown = [f"{_short(name)} {count}" for name, count in counted[:most]]
    if others := counted[most:]:
        shown.append(f"{len(others)} others {sum(count for _, count in others)}")
    return ", ".join(shown)


def _short(name: str) -> str:
    return shorten(" ".join(name.split()), LONGEST_NAME)
