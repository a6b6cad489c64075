"""`notifybot jobs` and `notifybot event`, and the same from Python."""

from datetime import UTC, datetime

import pytest

from notifybot.client import Client
from tests.cli.running import run
from tests.cli.standin import CREATED, Json, StandIn, accepted, message_id
from tests.cli.test_commands import TO, assert_two_lines

AT_WORK = datetime(2026, 3, 1, 9, 31, 20, tzinfo=UTC)


def a_run(**fields: object) -> Json:
    facts: Json = {"job": "close", "started_at": CREATED, "duration_s": 0.0021, "done": 3, "manual": False}
    return {**facts, "succeeded": True, "error": None, **fields}


def a_job(name: str, **fields: object) -> Json:
    return {
        "name": name,
        "next_run": "2026-03-01T09:31:32Z",
        "running_since": None,
        "last_run": CREATED,
        "last_duration_s": 0.0021,
        "last_done": 3,
        "average": 1.25,
        "success_rate": 0.99951,
        "runs": 2000,
        "since": CREATED,
        "is_failing": False,
        "last_error": None,
        "last_error_at": None,
        "put_off": [],
        **fields,
    }


@pytest.fixture
def working(daemon: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Run a daemon with a job that succeeds, one that fails, and one that has not run yet."""
    monkeypatch.setattr("notifybot.cli.commands.jobs.now", lambda: AT_WORK)
    put_off = {"row": "message 7", "error": "no plan", "since": CREATED, "times": 2, "tried_again_at": CREATED}
    failing = {"is_failing": True, "last_error": "no chart", "last_error_at": CREATED, "put_off": [put_off]}
    new = {"last_run": None, "success_rate": None, "runs": 0, "average": None, "last_duration_s": None}
    jobs = [
        a_job("close", history=[a_run(manual=True), a_run(error="locked", done=0)]),
        a_job("telegram_daily_summary", **failing),
        a_job("retention", **new),
    ]
    daemon.canned = {
        "GET /api/admin/scheduler/status": {"jobs": jobs},
        "POST /api/admin/scheduler/jobs/close/trigger": a_run(manual=True),
        "POST /api/admin/scheduler/jobs/retention/trigger": a_run(job="retention", error="the disk is full"),
    }
    return daemon


@pytest.mark.parametrize("words", [("jobs",), ("jobs", "list")])
def test_the_list_shows_when_each_job_runs_and_its_statistics(
    words: tuple[str, ...], working: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, *words)

    assert code == 0
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "JOB STATUS LAST NEXT TOOK AVERAGE SUCCESS ERROR",
        "close ok 09:31:02 09:31:32 2 ms 1.2 s 99.9 %",
        "telegram_daily_summary failing 09:31:02 09:31:32 2 ms 1.2 s 99.9 % no chart",
        "retention ok - 09:31:32 - - -",
    ]


def test_show_prints_the_latest_runs(working: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "jobs", "show", "close")

    assert code == 0
    assert working.asked[-1][1] == "/api/admin/scheduler/status?runs=20"
    assert "  last run      2026-03-01 09:31:02 UTC (18s ago), 2 ms\n" in out
    assert "  average       1.2 s in 2000 runs\n" in out
    assert [line.split()[3:] for line in out.splitlines()[-2:]] == [
        ["2", "ms", "3", "manual"],
        ["2", "ms", "0", "scheduled", "locked"],
    ]


def test_show_prints_the_rows_that_were_put_off(working: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "jobs", "show", "telegram_daily_summary")

    assert "  last error    2026-03-01 09:31:02 UTC (18s ago): no chart\n" in out
    assert "message 7  2026-03-01 09:31:02 UTC  2      09:31:02  no plan\n" in out


def test_an_unknown_job_suggests_the_nearest(working: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "jobs", "show", "clos")

    assert code == 2
    assert assert_two_lines(err) == ("There is no job clos.", "Did you mean close?")


def test_a_job_is_run_manually(working: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "jobs", "trigger", "close") == (0, "done: close (2 ms, 3 processed)\n", "")


def test_a_run_that_fails_is_a_failure(working: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "jobs", "trigger", "retention")

    assert (code, out) == (1, "")
    assert assert_two_lines(err)[0] == "retention failed: the disk is full"


def test_the_python_client_lists_jobs_and_runs_one(working: StandIn) -> None:
    jobs = Client().jobs()

    close, summary, retention = jobs.everything(runs=2)

    assert (close.success_rate, close.latest[0].is_manual, retention.success_rate) == (0.99951, True, None)
    assert (summary.is_failing, summary.put_off[0].row) == (True, "message 7")
    assert jobs.trigger("close").done == 3


# events


def test_an_event_is_reported_with_its_data(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.canned = {"POST /api/events": accepted()}

    words = ("--to", TO, "--to", "ops", "--data", "platform=Mastodon", "--data", "attempts=3", "--source", "poster")
    code, out, err = run(capsys, "event", "post_failure", *words, "--client-id", "k1")

    assert (code, out, err) == (0, f"accepted: {message_id(1)}\n", "")
    assert daemon.bodies() == [
        {
            "event": "post_failure",
            "to": [TO, "ops"],
            "data": {"platform": "Mastodon", "attempts": 3},
            "source": "poster",
            "acknowledge": False,
            "client_id": "k1",
        }
    ]


def test_an_event_may_be_an_alert(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.canned = {"POST /api/events": accepted()}

    run(capsys, "event", "post_failure", "--to", TO, "--alert", "--policy", "night", "--title", "Posting fails")

    body = daemon.bodies()[0]
    assert (body["to"], body["acknowledge"], body["policy"], body["title"]) == ([TO], True, "night", "Posting fails")


def test_an_event_may_be_delayed(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifybot.cli.times.now", lambda: AT_WORK)
    monkeypatch.setattr("notifybot.cli.commands.send.now", lambda: AT_WORK)
    daemon.canned = {"POST /api/events": accepted() | {"status": "scheduled", "send_at": "2026-03-01T18:00:00Z"}}

    code, out, _ = run(capsys, "event", "post_success", "--to", TO, "--at", "6pm", "--time-zone", "UTC")

    assert (code, daemon.bodies()[0]["send_at"]) == (0, "2026-03-01T18:00:00+00:00")
    assert out == f"scheduled: {message_id(1)} for Sun 2026-03-01 18:00 UTC (in 8h)\n"


def test_the_python_client_reports_an_event(daemon: StandIn) -> None:
    daemon.canned = {"POST /api/events": accepted()}

    told = Client().event("automation_executed", to="ops", data={"actions": ["3 posts moved"]})

    assert told.id == message_id(1)
    assert daemon.bodies()[0]["data"] == {"actions": ["3 posts moved"]}


def test_an_event_cannot_have_files(daemon: StandIn) -> None:
    with pytest.raises(TypeError, match="'photos'"):
        Client().event("automation_executed", to="ops", photos=["a.png"])

    assert daemon.asked == []
