"""Recipients that no longer exist when a message is sent to them: tell the admins at the first one.

A caller who names an unknown recipient is refused, so it was known once: the config or an account was renamed.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session

from notifybot.messages.announce import HEALTH, Announcement, announce_to_admins
from notifybot.model.chats import Bot
from notifybot.people import people
from notifybot.recipients.address import recipient_of
from notifybot.recipients.directory import Directory
from notifybot.recipients.reachability import is_unknown
from notifybot.recipients.resolve import Resolved

HINT = "Restore the name in the config, or cancel what uses it; `notifybot config check --against-database` lists that."


@dataclass
class LostRecipients:
    """The lost recipients of one transaction, each with the first message that was to go to it."""

    found: dict[str, str] = field(default_factory=dict)

    def note(self, message_id: str, resolved: Resolved) -> None:
        for name in resolved.unknown:
            self.found.setdefault(name, message_id)

    def report(self, session: Session, directory: Directory, *, now: datetime) -> None:
        """Tell the admins of each name once; again only after it existed in between."""
        if not self.found:
            return
        bot = session.get_one(Bot, 1)
        reported = bot.reported_names or []
        fresh = {name: message_id for name, message_id in self.found.items() if name not in reported}
        if not fresh:
            return
        bot.reported_names = [*reported, *fresh]
        session.add(bot)
        lines = [f"The message {each} was not sent to {name}: {name} no longer exists." for name, each in fresh.items()]
        announcement = Announcement((), HEALTH, "\n".join([*lines, HINT]), "Recipient not found")
        announce_to_admins(session, announcement, directory, now=now)


def forget_found(session: Session, directory: Directory) -> None:
    """Forget the reported names that exist again, so that their next loss is reported."""
    bot = session.get_one(Bot, 1)
    if bot.reported_names:
        bot.reported_names = _lost(session, bot.reported_names, directory) or None
        session.add(bot)


def _lost(session: Session, names: Collection[str], directory: Directory) -> list[str]:
    readers = people.readers(session, names)
    return [name for name in names if name not in readers and is_unknown(recipient_of(name), "", directory)]
