"""Parse and check cron expressions."""

import re

_WORDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {word: at for at, word in enumerate(_MONTHS, 1)}),
    ("day of the week", 0, 7, {word: at for at, word in enumerate(_DAYS)}),
)
_PART = re.compile(r"(?:\*|(?P<first>[0-9a-z]{1,3})(?:-(?P<last>[0-9a-z]{1,3}))?)(?:/(?P<step>[1-9][0-9]?))?")
_MONTH_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def parse_cron(text: str) -> str:
    """Return five fields of numbers, names, ranges, lists and steps; "@daily" and its like are spelled out."""
    fields = _WORDS.get(text, text).lower().split()
    if len(fields) != len(_FIELDS):
        raise ValueError("a cron expression has five fields, like 0 9 * * mon-fri, or is @daily or the like")
    _, _, days, months, _ = cron_numbers(" ".join(fields))
    if fields[4] == "*" and not any(min(days) <= _MONTH_LENGTHS[month - 1] for month in months):
        raise ValueError("this day never comes")
    return " ".join(fields)


def cron_numbers(cron: str) -> list[set[int]]:
    """Return what each of five fields allows: minutes, hours, days, months, weekdays (0 and 7 are Sunday)."""
    return [_numbers(field, *rule) for field, rule in zip(cron.split(), _FIELDS, strict=True)]


def _numbers(field: str, name: str, least: int, most: int, words: dict[str, int]) -> set[int]:
    """Return the numbers that one field allows; raise ValueError with the part that cannot be read."""
    numbers: set[int] = set()
    for part in field.split(","):
        found = _PART.fullmatch(part)
        allowed = range(0) if found is None else _span(found, least, most, words)
        if not allowed or allowed.start < least or allowed.stop > most + 1:
            raise ValueError(f"the {name} {part!r} is not within {least} and {most}, or not in order")
        numbers.update(allowed)
    return numbers


def _span(part: re.Match[str], least: int, most: int, words: dict[str, int]) -> range:
    """Return what `*`, `5`, `5-10` and each of them with a step stand for; "5/10" goes on to the end."""
    first, last = (_number(part[end], words) for end in ("first", "last"))
    step = int(part["step"] or 1)
    if first is None:
        return range(least, most + 1, step)
    if last is None:
        last = most if part["step"] else first
    return range(first, last + 1, step)


def _number(word: str | None, words: dict[str, int]) -> int | None:
    if word is None:
        return None
    return int(word) if word.isdigit() else words.get(word, -1)
