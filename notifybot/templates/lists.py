"""The filters of lists and objects. Each pays for all that it looks at, and makes lists, never what is read later."""

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import cast

from jinja2 import Environment, Undefined, pass_environment
from jinja2.filters import FILTERS, ignore_case, make_attrgetter, make_multi_attrgetter

from notifybot.templates.budget import fits, look_through, spend
from notifybot.templates.words import Unfit, kind, must_be_there, saying

Filter = Callable[..., object]
Key = Callable[[object], object]
MOST_FIELDS = 10
"""Of the path to an attribute, such as address.city."""
OF_THE_LIBRARY = "first last map reject rejectattr reverse select selectattr"
NO_ORDER = "only numbers have an order among themselves, and texts"


def filters() -> dict[str, Filter]:
    theirs = cast("Mapping[str, Filter]", FILTERS)
    return {name: theirs[name] for name in OF_THE_LIBRARY.split()} | {
        "count": _length,
        "length": _length,
        "list": items_of,
        "items": _pairs,
        "sort": _sort,
        "dictsort": _dictsort,
        "groupby": _groupby,
        "unique": _unique,
        "min": _min,
        "max": _max,
        "sum": _sum,
    }


def items_of(value: object) -> list[object]:
    """What loops go through: items, an object's names, a text's signs."""
    must_be_there(value)
    if not isinstance(value, list | tuple | dict | str):
        raise Unfit(f"{kind(value)} has no items")
    spend(len(value))
    return list(value)


def path_fits(path: object) -> None:
    """Raise Unfit for the path of an attribute that no data has: each item would be asked for each of its fields."""
    if isinstance(path, str) and path.count(".") + path.count(",") >= MOST_FIELDS:
        raise Unfit(f"the path to an attribute has at most {MOST_FIELDS} fields")


def _length(value: object) -> int:
    must_be_there(value)
    if not isinstance(value, list | tuple | dict | str):
        raise Unfit(f"{kind(value)} has no length")
    return len(value)


def _pairs(value: object) -> list[object]:
    must_be_there(value)
    if not isinstance(value, dict):
        raise Unfit(f"{kind(value)} has no fields")
    return [list(pair) for pair in value.items()]


def _keys(items: Iterable[object], key: Key) -> list[object]:
    """What the items are put in order by, paid for."""
    found = []
    for item in items:
        found.append(key(item))
        look_through(found[-1])
    return found


def _ordered(items: list[object], key: Key, *, reverse: bool) -> list[object]:
    keys = _keys(items, key)
    with saying(NO_ORDER):
        places = sorted(range(len(items)), key=lambda place: keys[place], reverse=reverse)  # type: ignore[arg-type, return-value] # what has no order raises
    return [items[place] for place in places]


@pass_environment
def _sort(
    environment: Environment,
    value: object,
    reverse: bool = False,
    case_sensitive: bool = False,
    attribute: str | int | None = None,
) -> list[object]:
    key = make_multi_attrgetter(environment, attribute, postprocess=None if case_sensitive else ignore_case)
    return _ordered(items_of(value), key, reverse=bool(reverse))


def _dictsort(value: object, case_sensitive: bool = False, by: str = "key", reverse: bool = False) -> list[object]:
    if by not in ("key", "value"):
        raise Unfit("dictsort goes by 'key' or by 'value'")
    place = ("key", "value").index(by)

    def key(pair: object) -> object:
        found = cast("list[object]", pair)[place]
        return found if case_sensitive else ignore_case(found)

    return _ordered(_pairs(value), key, reverse=bool(reverse))


@pass_environment
def _groupby(
    environment: Environment, value: object, attribute: str | int, default: object = None, case_sensitive: bool = False
) -> list[object]:
    """Pairs of what the attribute says and the items that say so."""
    said = make_attrgetter(environment, attribute, default=default)
    key = said if case_sensitive else lambda item: ignore_case(said(item))
    groups = (list(found) for _, found in groupby(_ordered(items_of(value), key, reverse=False), key))
    return [[said(found[0]), found] for found in groups]


@pass_environment
def _unique(
    environment: Environment, value: object, case_sensitive: bool = False, attribute: str | int | None = None
) -> list[object]:
    items = items_of(value)
    key = make_attrgetter(environment, attribute, postprocess=None if case_sensitive else ignore_case)
    keys = _keys(items, key)
    if any(isinstance(each, list | dict) for each in keys):
        raise Unfit("unique goes by texts and numbers: name an attribute")
    firsts = {each: place for place, each in reversed(list(enumerate(keys)))}
    return [items[place] for place in sorted(firsts.values())]


@pass_environment
def _min(environment: Environment, value: object, case_sensitive: bool = False, attribute: str | None = None) -> object:
    return _extreme(environment, _sort(environment, value, False, case_sensitive, attribute))


@pass_environment
def _max(environment: Environment, value: object, case_sensitive: bool = False, attribute: str | None = None) -> object:
    return _extreme(environment, _sort(environment, value, True, case_sensitive, attribute))


def _extreme(environment: Environment, ordered: list[object]) -> object:
    return ordered[0] if ordered else environment.undefined("a list without items has no least and no greatest")


@pass_environment
def _sum(environment: Environment, value: object, attribute: str | int | None = None, start: object = 0) -> object:
    total = start
    for item in map(make_attrgetter(environment, attribute), items_of(value)):
        must_be_there(item)
        if not isinstance(item, int | float) or not isinstance(total, int | float):
            raise Unfit(f"numbers are summed up, not {kind(item)}")
        total += item
        fits(total)
    return total


def as_list(value: object) -> object:
    """What the library makes to be read later is read now."""
    if value is None or isinstance(value, str | int | float | list | dict | Undefined):
        return value
    if not isinstance(value, Iterable):
        return value
    return [list(each) if isinstance(each, tuple) else each for each in value]
