"""Names of the config and the recipients behind them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from notifybot.recipients.address import Recipient, RecipientKind, recipient_of
from notifybot.rotations.rotation import Override, Rotation, on_call_at


@dataclass(frozen=True)
class Directory:
    """Recipients as the config defines them.

    A rotating name (a rotation, or a name that contains one) stands for everyone who may be on call, until `at`
    returns a directory in which it stands for those who are.
    """

    names: Mapping[str, tuple[Recipient, ...]] = field(default_factory=dict)
    """All people and chats behind each name."""
    accounts: Mapping[str, str] = field(default_factory=dict)
    """Aliases of accounts."""
    known: frozenset[str] = frozenset()
    """Accounts that the config mentions, linked or not."""
    rotations: Mapping[str, Rotation] = field(default_factory=dict)
    nested: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Direct members of each name, as written in the config."""
    rotating: frozenset[str] = frozenset()
    time_zone: str = "UTC"
    """For people who chose none."""
    alerts_reach_muted: bool = True
    admins: tuple[str, ...] = ()
    """Told of trouble with notifybot itself."""

    def members(self, recipient: Recipient) -> tuple[Recipient, ...]:
        """Return the people and chats that a recipient stands for."""
        if recipient.kind is RecipientKind.CHAT:
            return (recipient,)
        if recipient.kind is RecipientKind.NAME and recipient.name in self.names:
            return self.names[recipient.name]
        return (_single(recipient, self.accounts),)

    def members_at_any_time(self, recipient: Recipient) -> tuple[Recipient, ...]:
        """Return the people and chats that it always stands for, and rotations by name: anyone may come on call."""
        if not self.is_rotating(recipient):
            return self.members(recipient)
        ends = dict.fromkeys(_ends(recipient.name, self.nested))
        return tuple(end if end.name in self.rotations else _single(end, self.accounts) for end in ends)

    def is_rotating(self, recipient: Recipient) -> bool:
        return recipient.kind is RecipientKind.NAME and recipient.name in self.rotating

    def at(self, moment: datetime, overrides: Mapping[str, Sequence[Override]]) -> "Directory":
        """Return a copy in which each rotation stands for whoever is on call; `overrides` by rotation."""
        on_call = {
            name: on_call_at(rotation, overrides.get(name, ()), moment).members
            for name, rotation in self.rotations.items()
        }
        held = {**self.nested, **on_call}
        current = {name: _stands_for(name, held, self.accounts) for name in self.rotating}
        return replace(self, names={**self.names, **current})


def _single(recipient: Recipient, accounts: Mapping[str, str]) -> Recipient:
    """Resolve the alias of an account; a name that the config does not define is an account."""
    if recipient.kind in (RecipientKind.NAME, RecipientKind.PERSON):
        return Recipient(RecipientKind.PERSON, accounts.get(recipient.name, recipient.name))
    return recipient


def flattened(names: Mapping[str, tuple[str, ...]], accounts: Mapping[str, str]) -> dict[str, tuple[Recipient, ...]]:
    """Return all people and chats behind each name, without duplicates, in config order."""
    return {name: _stands_for(name, names, accounts) for name in names}


def _stands_for(name: str, names: Mapping[str, tuple[str, ...]], accounts: Mapping[str, str]) -> tuple[Recipient, ...]:
    return tuple(dict.fromkeys(_single(end, accounts) for end in _ends(name, names)))


def rotating_names(names: Mapping[str, tuple[str, ...]], rotations: Mapping[str, Rotation]) -> frozenset[str]:
    """Return the rotations and every name that leads to one."""
    holders: dict[str, list[str]] = {}
    for name, members in names.items():
        for member in members:
            holders.setdefault(member, []).append(name)
    waiting, rotating = list(rotations), set(rotations)
    while waiting:
        found = [name for name in holders.get(waiting.pop(), ()) if name not in rotating]
        rotating.update(found)
        waiting += found
    return frozenset(rotating)


def _ends(name: str, names: Mapping[str, tuple[str, ...]]) -> Iterator[Recipient]:
    """Walk down nested names without recursion, as a config may nest them deeper than Python's stack."""
    waiting, seen = [name], set()
    while waiting:
        current = waiting.pop()
        if current not in names:
            yield recipient_of(current)
        elif current not in seen:
            seen.add(current)
            waiting += reversed(names[current])
