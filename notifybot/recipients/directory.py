"""Names of the config and the recipients behind them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from notifybot.recipients.address import Recipient, RecipientKind, recipient_of
from notifybot.rotations.rotation import Override, Rotation, on_call_at


@dataclass(frozen=True)
class Directory:
    """What the config says of recipients. `names`: whom each name stands for in the end; `accounts`: their other
    names; `known`: accounts that it speaks of, linked or not.

    A name that turns (a rotation, or one that holds a rotation) stands for all who may be on call, until `at` says who
    is.
    """

    names: Mapping[str, tuple[Recipient, ...]] = field(default_factory=dict)
    accounts: Mapping[str, str] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    rotas: Mapping[str, Rotation] = field(default_factory=dict)
    nested: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the names hold, as the config has it."""
    turning: frozenset[str] = frozenset()
    time_zone: str = "UTC"
    """Of people who chose none."""
    alerts_reach_muted: bool = True

    def members(self, recipient: Recipient) -> tuple[Recipient, ...]:
        """The people and chats that a recipient stands for."""
        if recipient.kind is RecipientKind.CHAT:
            return (recipient,)
        if recipient.kind is RecipientKind.NAME and recipient.name in self.names:
            return self.names[recipient.name]
        return (_single(recipient, self.accounts),)

    def lasting(self, recipient: Recipient) -> tuple[Recipient, ...]:
        """The people and chats that it stands for at any time, and in the place of those who take turns their rotation,
        as a name: who is on call at another time, and by an override, may be anybody."""
        if not self.turns(recipient):
            return self.members(recipient)
        ends = dict.fromkeys(_ends(recipient.name, self.nested))
        return tuple(end if end.name in self.rotas else _single(end, self.accounts) for end in ends)

    def turns(self, recipient: Recipient) -> bool:
        """Whether it stands for other people at other times."""
        return recipient.kind is RecipientKind.NAME and recipient.name in self.turning

    def at(self, moment: datetime, overrides: Mapping[str, Sequence[Override]]) -> "Directory":
        """The same, with whoever is on call at this moment in the place of each rotation; `overrides` by rotation."""
        on_call = {name: on_call_at(rota, overrides.get(name, ()), moment).members for name, rota in self.rotas.items()}
        held = {**self.nested, **on_call}
        current = {name: _stands_for(name, held, self.accounts) for name in self.turning}
        return replace(self, names={**self.names, **current})


def _single(recipient: Recipient, accounts: Mapping[str, str]) -> Recipient:
    """What is no name of the config: a name then is an account, or another name of one."""
    if recipient.kind in (RecipientKind.NAME, RecipientKind.PERSON):
        return Recipient(RecipientKind.PERSON, accounts.get(recipient.name, recipient.name))
    return recipient


def flattened(names: Mapping[str, tuple[str, ...]], accounts: Mapping[str, str]) -> dict[str, tuple[Recipient, ...]]:
    """Whom each name stands for in the end, each once, in the order of the config. No name may lead back to itself."""
    return {name: _stands_for(name, names, accounts) for name in names}


def _stands_for(name: str, names: Mapping[str, tuple[str, ...]], accounts: Mapping[str, str]) -> tuple[Recipient, ...]:
    return tuple(dict.fromkeys(_single(end, accounts) for end in _ends(name, names)))


def rotating_names(names: Mapping[str, tuple[str, ...]], rotas: Mapping[str, Rotation]) -> frozenset[str]:
    """The rotations, and all names that lead to one of them."""
    holders: dict[str, list[str]] = {}
    for name, members in names.items():
        for member in members:
            holders.setdefault(member, []).append(name)
    waiting, turning = list(rotas), set(rotas)
    while waiting:
        found = [name for name in holders.get(waiting.pop(), ()) if name not in turning]
        turning.update(found)
        waiting += found
    return frozenset(turning)


def _ends(name: str, names: Mapping[str, tuple[str, ...]]) -> Iterator[Recipient]:
    """Go down through names that hold names, each once, without recursion: a config may nest them deeper than that."""
    waiting, seen = [name], set()
    while waiting:
        current = waiting.pop()
        if current not in names:
            yield recipient_of(current)
        elif current not in seen:
            seen.add(current)
            waiting += reversed(names[current])
