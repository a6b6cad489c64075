"""`notifybot oncall`, and the same from Python."""

from datetime import UTC, datetime, timedelta

import pytest

from notifybot.client import Client, Refused
from tests.cli.running import run
from tests.cli.standin import CREATED, Json, StandIn
from tests.cli.test_commands import assert_two_lines

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MONDAY, NEXT_MONDAY = "2026-03-02T09:00:00Z", "2026-03-09T09:00:00Z"
OVERRIDE = "0193f3a4-0001-7000-8000-0000000000aa"


def a_stint(*names: str, **fields: object) -> Json:
    members = [name.lower() for name in names]
    return {"on_call": members, "names": list(names), "reason": "turn", "from": CREATED, "until": MONDAY, **fields}


def an_override(**fields: object) -> Json:
    return {
        "id": OVERRIDE,
        "rotation": "ops",
        "member": "carol",
        "name": "Carol",
        "created_by": "account:alice",
        "from": CREATED,
        "until": "2026-03-01T14:00:00Z",
        "created_at": CREATED,
        "cancelled_at": None,
        **fields,
    }


def a_rotation(name: str, now: Json, *after: Json, **fields: object) -> Json:
    facts: Json = {"rotation": name, "time_zone": "Europe/Berlin", "handover_at": MONDAY, "overrides": []}
    return {**facts, **now, "next": list(after), **fields}


@pytest.fixture
def turning(daemon: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Run a daemon with two rotations: an override for Carol in one, nobody on call in the other."""
    monkeypatch.setattr("notifybot.cli.commands.oncall.now", lambda: NOW)
    monkeypatch.setattr("notifybot.cli.times.now", lambda: NOW)
    bob = a_stint("Bob", **{"from": MONDAY, "until": NEXT_MONDAY})
    carol = a_stint("Carol", reason="override", until="2026-03-01T14:00:00Z")
    nobody = a_stint(reason="otherwise", until=None)
    daemon.canned = {
        "GET /api/oncall": {
            "rotations": [a_rotation("ops", carol, bob, overrides=[an_override()]), a_rotation("database", nobody)]
        },
        "POST /api/oncall/ops/overrides": an_override(),
        "POST /api/oncall/the night/overrides": an_override(**{"from": MONDAY, "until": NEXT_MONDAY}),
        f"DELETE /api/oncall/overrides/{OVERRIDE}": an_override(cancelled_at=CREATED),
    }
    return daemon


@pytest.mark.parametrize("words", [("oncall",), ("oncall", "show")])
def test_the_list_shows_who_is_on_call_until_when_and_who_is_next(
    words: tuple[str, ...], turning: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, *words)

    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["ROTATION", "ON", "CALL", "UNTIL", "THEN"],
        ["ops", "Carol", "14:00:00", "Bob"],
        ["database", "nobody", "-", "-"],
    ]


def test_show_prints_the_reason_and_the_overrides(turning: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "oncall", "show", "ops")

    assert code == 0
    assert out.startswith("ops  Carol\n  reason        an override\n")
    assert "  until         2026-03-01 14:00:00 UTC (in 2h)\n" in out
    assert "2026-03-02 09:00  2026-03-09 09:00  Bob\n" in out
    assert f"{OVERRIDE[:13]}  09:31:02  14:00:00  account:alice  Carol\n" in out


def test_an_unknown_rotation_suggests_the_nearest(turning: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "oncall", "show", "databse")

    assert code == 2
    assert assert_two_lines(err) == ("There is no rotation databse.", "Did you mean database?")


def test_an_override_for_a_span(turning: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "oncall", "override", "ops", "carol", "--for", "2h")

    assert (code, turning.bodies()) == (0, [{"member": "carol", "for": "2h"}])
    assert out == f"Carol is on call in ops until Sun 2026-03-01 14:00 UTC (in 2h): {OVERRIDE}\n"


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("2026-03-01T14:00:00Z", "until Sun 2026-03-01 14:00 UTC (in 2h)"),
        (MONDAY, "until Mon 2026-03-02 09:00 UTC (in 21h); the override ends Sun 2026-03-01 14:00 UTC (in 2h)"),
        (None, "with no end in sight; the override ends Sun 2026-03-01 14:00 UTC (in 2h)"),
    ],
)
def test_an_override_of_somebody_on_call_says_the_true_end(
    until: str | None, said: str, turning: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    turning.canned["POST /api/oncall/ops/overrides"] = an_override(on_call_until=until)

    _, out, _ = run(capsys, "oncall", "override", "ops", "carol", "--for", "2h")

    assert out == f"Carol is on call in ops {said}: {OVERRIDE}\n"


def test_an_override_from_a_time_until_a_time(turning: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--from", "mon 9:00", "--until", "2026-03-09 09:00")

    code, out, _ = run(capsys, "oncall", "override", "the night", "carol", *words)

    wanted = {"member": "carol", "from": "2026-03-02T09:00:00+00:00", "until": "2026-03-09T09:00:00+00:00"}
    assert (code, turning.bodies()) == (0, [wanted])
    assert "from Mon 2026-03-02 09:00 UTC (in 21h) until Mon 2026-03-09 09:00 UTC (in 7d)" in out


def test_an_override_until_the_next_handover(turning: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, _ = run(capsys, "oncall", "override", "ops", "carol", "--until", "hand-over")

    assert (code, turning.bodies()) == (0, [{"member": "carol", "until": "2026-03-02T09:00:00+00:00"}])


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "One of the arguments --for --until is required."),
        (("--for", "1h", "--until", "18:30"), "not allowed with argument"),
        (("--until", "today 9:00"), "`today 9:00` is in the past."),
    ],
)
def test_an_override_needs_one_end_in_the_future(
    words: tuple[str, ...], error: str, turning: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "oncall", "override", "ops", "carol", *words)

    assert (code, turning.asked) == (2, [])
    assert error in assert_two_lines(err)[0]


def test_an_override_is_ended_by_a_unique_prefix_of_its_id(
    turning: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "oncall", "cancel", OVERRIDE[:13])

    assert (code, out) == (0, f"ended: {OVERRIDE} (Carol in ops)\n")


def test_the_python_client_shows_who_is_on_call_and_overrides_it(turning: StandIn) -> None:
    on_call = Client().on_call()

    ops, database = on_call.everybody()
    made = on_call.override("ops", "carol", span=timedelta(hours=2))

    assert (ops.now.members, ops.after[0].names, database.now.members) == (("carol",), ("Bob",), ())
    assert (made.member, turning.bodies()) == ("carol", [{"member": "carol", "for": 7200}])
    with pytest.raises(Refused, match="a span or an end"):
        on_call.override("ops", "carol")
