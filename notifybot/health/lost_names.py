"""Names that lead to nobody, and what still uses them: waiting messages, schedules, policies, overrides, tokens."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select as select_columns
from sqlalchemy import text
from sqlmodel import Session, col, func, select

from notifybot.model.conditions import IS_NEXT, MAY_BE_RELEASED, MAY_ESCALATE
from notifybot.model.messages import Message
from notifybot.model.people import ApiToken
from notifybot.model.schedules import OnCallOverride
from notifybot.people import people
from notifybot.recipients.address import Recipient, RecipientKind, recipient_of
from notifybot.recipients.directory import Directory
from notifybot.recipients.reachability import is_unknown
from notifybot.storage.statements import table_of
from notifybot.times.display import listed, shorten

MAX_LOOKED_AT = 1000
"""Waiting messages, and open alerts, that /health looks at, the next ones first."""
MAX_LABEL = 40
MESSAGES = table_of(Message)


@dataclass(frozen=True)
class Use:
    """Something that names a recipient. `account`: the caller who named it."""

    name: str
    what: str
    account: str


def lost_names(
    session: Session, directory: Directory, *, now: datetime, limit: int | None = MAX_LOOKED_AT
) -> list[str]:
    """Return a sentence for each name that leads to nobody, with what uses it."""
    uses = [*_of_messages(session, limit), *_of_policies(session, limit), *_of_overrides(session, now)]
    uses += _of_tokens(session)
    found: dict[str, dict[str, None]] = {}
    reasons: dict[str, str] = {}
    linked = _linked(session, uses, directory)
    for use in uses:
        if (reason := _why_lost(use, directory, linked)) is not None:
            found.setdefault(use.name, {})[use.what] = None
            reasons[use.name] = reason
    return [
        *(f"{name} {reasons[name]}, but is used by {listed(list(what))}." for name, what in sorted(found.items())),
        *_lost_rotations(session, directory, now),
    ]


def _linked(session: Session, uses: Iterable[Use], directory: Directory) -> set[str]:
    """Return the people behind these names who have a chat with the bot."""
    members = {member for use in uses for member in directory.members(recipient_of(use.name))}
    return set(people.readers(session, {each.name for each in members if _is_person(each)}))


def _why_lost(use: Use, directory: Directory, linked: set[str]) -> str | None:
    """Return why the name leads to nobody; None if it leads to someone, or may do so later, as a rotation."""
    recipient = recipient_of(use.name)
    members = directory.members(recipient)
    if directory.is_rotating(recipient) or any(not _is_person(each) or each.name in linked for each in members):
        return None
    if is_unknown(recipient, use.account, directory):
        return "no longer exists"
    return "has no chat with the bot" if len(members) == 1 else "has no member with a chat with the bot"


def _is_person(member: Recipient) -> bool:
    return member.kind not in (RecipientKind.CHAT, RecipientKind.SUBSCRIBERS)


def _of_messages(session: Session, limit: int | None) -> Iterator[Use]:
    """Yield the recipients of messages that wait for their time; a schedule has one, even while it is paused."""
    said = func.coalesce(MESSAGES.c.title, func.substr(MESSAGES.c.content, 1, 4 * MAX_LABEL)).label("said")
    columns = select_columns(*(MESSAGES.c[name] for name in ("id", "schedule_id", "recipients", "account")), said)
    waiting = columns.where(text(MAY_BE_RELEASED)).order_by(MESSAGES.c.release_at).limit(limit)
    paused = columns.where(text(IS_NEXT), MESSAGES.c.release_at.is_(None)).limit(limit)
    for row in (*session.execute(waiting), *session.execute(paused)):
        what = f"message {row.id}" if row.schedule_id is None else f"schedule {row.schedule_id}"
        line = shorten(row.said.strip().partition("\n")[0], MAX_LABEL)
        yield from (Use(name, f"{what} ({line})", row.account) for name in row.recipients)


def _of_policies(session: Session, limit: int | None) -> Iterator[Use]:
    """Yield the recipients of the steps of open alerts, as their policy was at acceptance."""
    columns = select(col(Message.policy), col(Message.plan), col(Message.account)).where(text(MAY_ESCALATE))
    for policy, plan, account in session.exec(columns.order_by(col(Message.escalate_at)).limit(limit)):
        what = "the steps of an open alert" if policy is None else f"open alerts with the policy {policy}"
        yield from (Use(name, what, account) for step in (plan or {"steps": ()})["steps"] for name in step["to"])


def _of_overrides(session: Session, now: datetime) -> Iterator[Use]:
    for override in session.exec(_current_overrides(now)):
        yield Use(override.member, f"an override of the rotation {override.rotation} ({override.id})", "")


def _of_tokens(session: Session) -> Iterator[Use]:
    columns = select(col(ApiToken.name), col(ApiToken.recipients), col(ApiToken.account))
    for token, recipients, account in session.exec(columns.where(col(ApiToken.revoked_at).is_(None))):
        yield from (Use(name, f"the token {token}", account) for name in recipients or ())


def _current_overrides(now: datetime) -> Any:
    return select(OnCallOverride).where(col(OnCallOverride.ends_at) > now, col(OnCallOverride.cancelled_at).is_(None))


def _lost_rotations(session: Session, directory: Directory, now: datetime) -> Iterator[str]:
    """Warn of rotations without any member who can be notified, and of overrides of a rotation that is gone."""
    gone = {each.rotation: each for each in session.exec(_current_overrides(now))}
    for name in sorted(gone.keys() - directory.rotations.keys()):
        yield f"The rotation {name} no longer exists, but has overrides until {gone[name].ends_at:%Y-%m-%d %H:%M} UTC."
    for name in directory.rotations:
        members = directory.names[name]
        if all(_is_person(each) for each in members):
            names = {each.name for each in members}
            if not people.readers(session, names):
                yield f"Nobody in the rotation {name} has a chat with the bot: {listed(sorted(names))}."
