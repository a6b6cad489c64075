"""GitHub's webhooks: pushes, pull requests, issues, releases, and how workflows end.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping

from notifybot.errors import NotifybotError
from notifybot.inbound.event import Event, Link, links_of, short_key
from notifybot.inbound.received import Fields, Received

MAX_COMMITS = 10
MAX_LINE = 200
FAILED = ("failure", "timed_out", "startup_failure", "action_required")
ACTIONS: Mapping[str, tuple[str, ...]] = {
    "pull_request": ("opened", "closed", "reopened", "ready_for_review"),
    "issues": ("opened", "closed", "reopened"),
    "release": ("published",),
    "workflow_run": ("completed",),
}
"""Actions that are reported; the others are ignored."""


def is_signed(received: Received, secret: str) -> bool:
    """Check X-Hub-Signature-256, the HMAC of the body."""
    expected = hmac.new(secret.encode(), received.body, hashlib.sha256).hexdigest()
    given = received.headers.get("x-hub-signature-256", "")
    return hmac.compare_digest(given.encode("utf-8", "replace"), f"sha256={expected}".encode())


def read(received: Received) -> Event | None:
    """Return the event; None for one that concerns nobody, such as the ping of a new webhook."""
    kind = received.headers.get("x-github-event", "")
    if kind == "ping":
        return None
    if kind not in READERS:
        known = ", ".join(READERS)
        raise NotifybotError(
            f"The event {kind[:80]!r} is unknown: {known} are reported.", hint="Select only those in GitHub's settings."
        )
    document = received.fields()
    if kind in ACTIONS and document.text("action") not in ACTIONS[kind]:
        return None
    return READERS[kind](document, received.headers.get("x-github-delivery") or None)


def _push(document: Fields, delivery: str | None) -> Event | None:
    commits = document.items("commits")
    if not commits:  # a deleted branch, or a tag
        return None
    who, branch = document.section("pusher").text("name"), document.needed("ref").removeprefix("refs/heads/")
    count = f"{len(commits)} commit{'s' if len(commits) > 1 else ''}"
    lines = [_first_line(each.text("message")) for each in commits[:MAX_COMMITS]]
    more = [f"and {len(commits) - MAX_COMMITS} more"] if len(commits) > MAX_COMMITS else []
    title = f"{_repository(document)}: {who or 'somebody'} pushed {count} to {branch}"
    return Event(title, "\n".join([*lines, *more]), links=_open(document.text("compare")), delivery_id=delivery)


def _pull_request(document: Fields, delivery: str | None) -> Event:
    request = document.section("pull_request")
    action = "merged" if request.text("merged") == "true" else document.text("action").replace("_", " ")
    return _thread(document, request, f"pull request #{request.needed('number')} {action}", delivery)


def _issue(document: Fields, delivery: str | None) -> Event:
    issue = document.section("issue")
    return _thread(document, issue, f"issue #{issue.needed('number')} {document.text('action')}", delivery)


def _release(document: Fields, delivery: str | None) -> Event:
    release = document.section("release")
    title = f"{_repository(document)}: {release.text('name') or release.needed('tag_name')} released"
    return Event(title, _by(document), links=_open(release.text("html_url")), delivery_id=delivery)


def _workflow_run(document: Fields, delivery: str | None) -> Event | None:
    """Return an alert for a run that failed; the next success of the workflow on that branch resolves it."""
    run = document.section("workflow_run")
    name, branch, conclusion = run.needed("name"), run.text("head_branch"), run.text("conclusion")
    if conclusion not in (*FAILED, "success"):
        return None
    is_over, repository = conclusion == "success", _repository(document)
    return Event(
        title=f"{repository}: {name} {'succeeded' if is_over else conclusion.replace('_', ' ')} on {branch}",
        text=_first_line(run.text("display_title")) or _by(document),
        key=short_key(f"{repository} {name} {branch}"),
        is_resolved=is_over,
        links=_open(run.text("html_url")),
        delivery_id=delivery,
    )


def _thread(document: Fields, thread: Fields, what: str, delivery: str | None) -> Event:
    text = "\n".join(filter(None, (_first_line(thread.text("title")), _by(document))))
    title = f"{_repository(document)}: {what}"
    return Event(title, text, links=_open(thread.text("html_url")), delivery_id=delivery)


def _repository(document: Fields) -> str:
    return document.section("repository").needed("full_name")


def _by(document: Fields) -> str:
    login = document.section("sender").text("login")
    return f"by {login}" if login else ""


def _open(url: str) -> tuple[Link, ...]:
    return links_of({"Open on GitHub": url})


def _first_line(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}…"


READERS: Mapping[str, Callable[[Fields, str | None], Event | None]] = {
    "push": _push,
    "pull_request": _pull_request,
    "issues": _issue,
    "release": _release,
    "workflow_run": _workflow_run,
}
"""Events that have words here."""
