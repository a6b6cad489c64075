"""GitHub's documents as events, and its signature."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from notifybot.errors import NotifybotError
from notifybot.inbound.event import Event
from notifybot.inbound.github import is_signed, read
from notifybot.inbound.received import Received

REPOSITORY: dict[str, Any] = {"repository": {"full_name": "acme/web"}, "sender": {"login": "anna"}}
PULL = {"number": 7, "title": "Fix the disk", "html_url": "https://github.com/acme/web/pull/7", "merged": False}
RUN = {
    "name": "CI",
    "head_branch": "main",
    "conclusion": "failure",
    "display_title": "Fix",
    "html_url": "https://g.co/1",
}
RELEASE = {"tag_name": "v1", "name": "", "html_url": "https://github.com/acme/web/releases/v1"}


def event(kind: str, **document: Any) -> Event | None:
    headers = {"x-github-event": kind, "x-github-delivery": "d-1"}
    return read(Received(json.dumps(REPOSITORY | document).encode(), headers))


def commits(count: int) -> list[dict[str, str]]:
    return [{"message": f"change {number}\n\nwhy"} for number in range(count)]


PUSH = {"ref": "refs/heads/main", "pusher": {"name": "anna"}, "compare": "https://github.com/acme/web/compare/a"}


@pytest.mark.parametrize(
    ("kind", "document", "title", "text"),
    [
        ("push", {**PUSH, "commits": commits(1)}, "acme/web: anna pushed 1 commit to main", "change 0"),
        ("push", {**PUSH, "commits": commits(2)}, "acme/web: anna pushed 2 commits to main", "change 0\nchange 1"),
        (
            "pull_request",
            {"action": "opened", "pull_request": PULL},
            "acme/web: pull request #7 opened",
            "Fix the disk\nby anna",
        ),
        (
            "pull_request",
            {"action": "closed", "pull_request": PULL | {"merged": True}},
            "acme/web: pull request #7 merged",
            "Fix the disk\nby anna",
        ),
        ("issues", {"action": "closed", "issue": PULL}, "acme/web: issue #7 closed", "Fix the disk\nby anna"),
        ("release", {"action": "published", "release": RELEASE}, "acme/web: v1 released", "by anna"),
        ("workflow_run", {"action": "completed", "workflow_run": RUN}, "acme/web: CI failure on main", "Fix"),
        (
            "workflow_run",
            {"action": "completed", "workflow_run": RUN | {"conclusion": "timed_out"}},
            "acme/web: CI timed out on main",
            "Fix",
        ),
    ],
)
def test_an_event(kind: str, document: dict[str, Any], title: str, text: str) -> None:
    found = event(kind, **document)
    assert found is not None
    assert (found.title, found.text, found.delivery_id) == (title, text, "d-1")
    assert [link.text for link in found.buttons] == ["Open on GitHub"]


def test_a_large_push_shows_its_first_commits() -> None:
    found = event("push", **PUSH, commits=commits(30))
    assert found is not None
    assert found.text.endswith("change 9\nand 20 more")


def test_a_success_resolves_the_failure_of_the_same_workflow_and_branch() -> None:
    failed, succeeded, other = (
        event("workflow_run", action="completed", workflow_run=RUN | more)
        for more in ({}, {"conclusion": "success"}, {"head_branch": "next"})
    )
    assert failed is not None and succeeded is not None and other is not None
    assert failed.key == succeeded.key != other.key
    assert (failed.is_resolved, succeeded.is_resolved) == (False, True)


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("ping", {"zen": "x"}),
        ("push", {"ref": "refs/tags/v1", "commits": []}),
        ("push", {"ref": "refs/heads/x", "deleted": True}),
        ("pull_request", {"action": "labeled"}),
        ("issues", {"action": "assigned"}),
        ("workflow_run", {"action": "requested"}),
        ("workflow_run", {"action": "completed", "workflow_run": RUN | {"conclusion": "skipped"}}),
        ("release", {"action": "created"}),
    ],
)
def test_what_concerns_nobody_is_ignored(kind: str, document: dict[str, Any]) -> None:
    assert event(kind, **document) is None


@pytest.mark.parametrize(
    ("kind", "document", "reason"),
    [
        ("star", {}, "The event 'star' is unknown"),
        ("", {}, "The event '' is unknown"),
        ("push", {"commits": [1]}, "commits: this must be a list of objects"),
        ("push", {"commits": commits(1)}, "ref: this field is required"),
        ("issues", {"action": "opened"}, "issue.number: this field is required"),
        ("issues", {"action": ["opened"]}, "action: this must be text"),
        (
            "release",
            {"action": "published", "release": RELEASE, "repository": None},
            "repository.full_name: this field",
        ),
        ("workflow_run", {"action": "completed", "workflow_run": "x"}, "workflow_run: this must be an object"),
    ],
)
def test_what_does_not_fit_is_refused(kind: str, document: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotifybotError) as refused:
        event(kind, **document)
    assert refused.value.detail.startswith(reason)


def test_the_signature() -> None:
    right = "sha256=" + hmac.new(b"s3cret", b"{}", hashlib.sha256).hexdigest()
    assert is_signed(Received(b"{}", {"x-hub-signature-256": right}), "s3cret")
    for body, given in ((b"{ }", right), (b"{}", right[:-1]), (b"{}", ""), (b"{}", "é"), (b"{}", right[7:])):
        assert not is_signed(Received(body, {"x-hub-signature-256": given}), "s3cret")
