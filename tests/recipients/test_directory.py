"""Nested names: the recipients behind them, and loops."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from notifybot.config import load
from notifybot.config.problems import ConfigInvalid
from notifybot.recipients.address import EVERYBODY, Recipient, RecipientKind, person_recipient, recipient_of
from notifybot.recipients.directory import Directory, flattened
from notifybot.recipients.from_config import directory_of
from notifybot.rotations.rotation import Override

USER_ID = "01890a5d-ac96-474b-bcce-b302099a8057"
LEAVES = ["alice", "bob", "carol@example.org", "-1001", "42", "@status", "subscribers", USER_ID]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("-1001", Recipient(RecipientKind.CHAT, "-1001")),
        ("@status", Recipient(RecipientKind.CHAT, "@status")),
        ("subscribers", EVERYBODY),
        (USER_ID.upper(), Recipient(RecipientKind.PERSON, USER_ID)),
        ("alice", Recipient(RecipientKind.NAME, "alice")),
        ("42nd", Recipient(RecipientKind.NAME, "42nd")),
    ],
)
def test_the_form_of_a_recipient_tells_its_kind(text: str, meant: Recipient) -> None:
    assert recipient_of(text) == meant


def test_a_name_in_the_config_does_not_count_where_a_person_is_meant() -> None:
    directory = Directory(names={"ops": (recipient_of("-1001"),)})
    assert directory.members(recipient_of("ops")) == (recipient_of("-1001"),)
    assert directory.members(person_recipient("ops")) == (person_recipient("ops"),)


def test_aliases_of_accounts_are_resolved_within_names() -> None:
    accounts = {"a@example.org": "alice"}
    directory = Directory(flattened({"ops": ("a@example.org", "alice")}, accounts), accounts)
    assert directory.members(recipient_of("ops")) == (person_recipient("alice"),)
    assert directory.members(person_recipient("a@example.org")) == (person_recipient("alice"),)


@st.composite
def nested_names(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Generate names without loops: each contains people, chats and later names."""
    names = [f"n{number}" for number in range(draw(st.integers(1, 8)))]
    return {
        name: tuple(draw(st.lists(st.sampled_from(LEAVES + names[at + 1 :]), min_size=1, max_size=6)))
        for at, name in enumerate(names)
    }


def ends(name: str, names: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return all recipients behind a name, with duplicates, by plain recursion."""
    return [end for member in names[name] for end in (ends(member, names) if member in names else [member])]


@given(nested_names())
def test_nested_names_are_flattened_without_duplicates_in_order(names: dict[str, tuple[str, ...]]) -> None:
    found = flattened(names, {})
    directory = Directory(names=found)
    for name in names:
        expected = [directory.members(recipient_of(end))[0] for end in dict.fromkeys(ends(name, names))]
        assert list(found[name]) == expected


@given(nested_names(), st.data())
def test_the_config_is_refused_exactly_if_a_name_leads_back_to_itself(
    tmp_path_factory: pytest.TempPathFactory, names: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_text(yaml.safe_dump({"recipients": {name: list(members) for name, members in names.items()}}))
    assert directory_of(load(path, {})).names.keys() == names.keys()

    lower, upper = sorted(data.draw(st.tuples(st.sampled_from(list(names)), st.sampled_from(list(names)))))
    looped = {**names, upper: (*names[upper], lower), lower: (*names[lower], upper)}
    path.write_text(yaml.safe_dump({"recipients": {name: list(members) for name, members in looped.items()}}))
    with pytest.raises(ConfigInvalid, match="refers back to itself"):
        load(path, {})


def test_a_loop_is_refused_with_its_position_and_path(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("recipients:\n  oncall: [alice, backend]\n  backend: [bob, oncall]\n")
    with pytest.raises(ConfigInvalid) as refused:
        load(path, {})
    said = str(refused.value)
    assert "config.yaml:2:11: recipients.oncall: this name refers back to itself: oncall → backend → oncall." in said
    assert "config.yaml:3:12: recipients.backend: this name refers back to itself" in said


def test_names_may_be_nested_deeper_than_the_stack() -> None:
    deep = 3000
    names = {f"n{number}": (f"n{number + 1}",) for number in range(deep)} | {f"n{deep}": ("alice",)}
    assert set(flattened(names, {}).values()) == {(person_recipient("alice"),)}


def test_accounts_in_the_config_are_known(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "accounts: {a@example.org: alice}\nadmins: [dora]\n"
        "recipients: {ops: [bob, nights, '@status', -1001, subscribers], all: [ops]}\n"
        "rotations: {nights: {members: [erin], start: 2026-01-05}}\n"
        "alerts: {policies: {night: {steps: [{after: 5m, to: [bob, all]}]}}}\n"
    )
    assert directory_of(load(path, {})).known == {"a@example.org", "alice", "bob", "dora", "erin"}


ROTATING = """
recipients: {wide: [duty, carol], wider: [wide, "-1001"], steady: [carol]}
rotations:
  duty: {members: [alice, team], start: 2026-01-05, otherwise: [bob]}
  team: {members: [dora, erin], start: 2026-01-05, handover: "@daily"}
"""
MONDAY = datetime(2026, 1, 12, 9, tzinfo=UTC)


@pytest.fixture
def rotating(tmp_path: Path) -> Directory:
    path = tmp_path / "config.yaml"
    path.write_text(ROTATING)
    return directory_of(load(path, {}))


def who(directory: Directory, name: str) -> list[str]:
    return [member.name for member in directory.members(recipient_of(name))]


def test_a_name_that_contains_a_rotation_rotates_with_it(rotating: Directory) -> None:
    assert rotating.rotating == {"duty", "team", "wide", "wider"}
    a_week_before, a_day_later = MONDAY - timedelta(days=1), MONDAY + timedelta(days=1)
    assert who(rotating.at(a_week_before, {}), "wider") == ["alice", "carol", "-1001"]
    assert who(rotating.at(MONDAY, {}), "wider") == ["erin", "carol", "-1001"]
    assert who(rotating.at(a_day_later, {}), "wider") == ["dora", "carol", "-1001"]
    assert who(rotating.at(MONDAY, {}), "steady") == ["carol"]


def test_an_override_applies_in_every_name_that_contains_the_rotation(rotating: Directory) -> None:
    instead = Override("o", "wider", MONDAY, MONDAY + timedelta(hours=1), MONDAY)
    assert who(rotating.at(MONDAY, {"team": [instead]}), "team") == ["carol", "-1001"]
    found = rotating.at(MONDAY, {"duty": [Override("o", "zoe", MONDAY, MONDAY + timedelta(hours=1), MONDAY)]})
    assert (who(found, "wide"), who(found, "team")) == (["zoe", "carol"], ["erin"])


def test_a_rotation_resolves_to_everyone_who_may_be_on_call(rotating: Directory) -> None:
    assert set(who(rotating, "wide")) == {"alice", "dora", "erin", "bob", "carol"}


def test_members_at_any_time_are_named_by_their_rotation(rotating: Directory) -> None:
    def at_any_time(name: str) -> list[str]:
        return [member.name for member in rotating.at(MONDAY, {}).members_at_any_time(recipient_of(name))]

    assert at_any_time("wider") == ["duty", "carol", "-1001"]
    assert at_any_time("duty") == ["duty"]
    assert at_any_time("steady") == ["carol"]
    assert at_any_time("alice") == ["alice"]
