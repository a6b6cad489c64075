"""Records: what frozen dataclasses do, and nothing that takes time at import."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from notifybot.client import Accepted, AttachmentInfo, Button, File, Health, MessageInfo, Subscriber, Token
from notifybot.client.record import fields_of, is_record, key, record, whole


@record()
class Place:
    name: str
    floor: int = 0
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}, floor {self.floor}"


@record(kw_only=True)
class Named:
    is_open: bool = key("open", default=False)
    title: str | None
    document: object = whole()


@dataclass(frozen=True)
class Twin:
    """Place, as a dataclass."""

    name: str
    floor: int = 0
    notes: tuple[str, ...] = ()


Make = Callable[[type], object]


@pytest.mark.parametrize(
    "make",
    [
        lambda kind: kind("roof"),
        lambda kind: kind("roof", 9),
        lambda kind: kind("roof", 9, ("windy",)),
        lambda kind: kind(name="roof"),
        lambda kind: kind("roof", notes=("windy",)),
        lambda kind: kind(notes=("windy",), floor=9, name="roof"),
        lambda kind: kind(name="", floor=-1),
        lambda kind: kind("Größe", 2**70),
    ],
)
def test_a_record_is_made_compared_hashed_and_shown_like_a_dataclass(make: Make) -> None:
    made, twin = make(Place), make(Twin)

    assert vars(made) == vars(twin)
    assert repr(made) == repr(twin).replace("Twin", "Place")
    assert (made == make(Place), made != make(Place), hash(made) == hash(make(Place))) == (True, False, True)
    assert (made == Place("cellar"), made == twin, made == ("roof", 0, ())) == (False, False, False)


@pytest.mark.parametrize(
    "make",
    [
        lambda kind: kind(),
        lambda kind: kind(floor=1),
        lambda kind: kind("roof", 1, (), "more"),
        lambda kind: kind("roof", name="roof"),
        lambda kind: kind("roof", colour="red"),
        lambda kind: kind("roof", 1, floor=2),
        lambda kind: kind(notes=()),
        lambda kind: kind(Name="roof"),
    ],
)
@pytest.mark.parametrize("kind", [Place, Twin])
def test_wrong_arguments_are_refused_as_by_a_dataclass(make: Make, kind: type) -> None:
    with pytest.raises(TypeError, match=r"argument"):
        make(kind)


def test_a_record_by_name_alone_takes_no_positions_and_may_have_defaults_first() -> None:
    assert repr(Named(title=None, document={})) == "Named(is_open=False, title=None, document={})"

    with pytest.raises(TypeError, match="takes 0 positional arguments but 1 were given"):
        Named(True, title=None, document={})  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing the argument 'document'"):
        Named(title=None)  # type: ignore[call-arg]


def test_a_record_never_changes() -> None:
    place = Place("roof")

    with pytest.raises(AttributeError, match="cannot change 'floor': a Place is frozen"):
        place.floor = 1  # type: ignore[misc]
    with pytest.raises(AttributeError, match="frozen"):
        del place.name
    with pytest.raises(AttributeError, match="frozen"):
        place.colour = "red"  # type: ignore[attr-defined]
    assert place == Place("roof")


def test_a_record_is_copied_pickled_and_matched() -> None:
    place = Place("roof", 9)

    assert copy.copy(place) == copy.deepcopy(place) == pickle.loads(pickle.dumps(place)) == place
    match place:
        case Place(name, 9, notes=()):
            assert name == "roof"
        case _:
            pytest.fail("the pattern does not match")
    assert str(place) == "roof, floor 9"


def test_a_field_without_a_default_is_no_attribute_of_the_class() -> None:
    assert (Place.floor, Named.is_open) == (0, False)
    assert not hasattr(Named, "document")
    assert [field.key for field in fields_of(Named)] == ["open", "title", None]


@pytest.mark.parametrize("kind", [Accepted, AttachmentInfo, Button, File, Health, MessageInfo, Subscriber, Token])
def test_public_values_are_records(kind: type) -> None:
    assert is_record(kind)
    assert kind.__doc__
