"""Build the directory of recipients from the config."""

from collections.abc import Iterator

from notifybot.config.model import Config, Day, RotationConfig, Window
from notifybot.recipients.address import Recipient, RecipientKind, recipient_of
from notifybot.recipients.directory import Directory, flattened, rotating_names
from notifybot.rotations.rotation import Hours, Rotation
from notifybot.times.zones import zone_in_use


def directory_of(config: Config) -> Directory:
    by_rotation = {name: (*rotation.members, *rotation.otherwise) for name, rotation in config.rotations.items()}
    rotations = {name: rotation_of(rotation) for name, rotation in config.rotations.items()}
    return Directory(
        names=flattened({**config.recipients, **by_rotation}, config.accounts),
        accounts=config.accounts,
        known=frozenset(_known(config)),
        rotations=rotations,
        nested=config.recipients,
        rotating=rotating_names({**config.recipients, **by_rotation}, rotations),
        time_zone=zone_in_use(config.summary.time_zone),
        alerts_reach_muted=config.alerts.reach_muted,
        admins=config.admins,
    )


def rotation_of(rotation: RotationConfig) -> Rotation:
    return Rotation(
        rotation.members,
        rotation.start,
        rotation.handover,
        zone_in_use(rotation.time_zone),
        tuple(map(_hours, rotation.hours)),
        rotation.otherwise,
    )


def _hours(window: Window) -> Hours:
    days = list(Day)
    return Hours(frozenset(map(days.index, window.days)), window.start, window.end)


def chats_of(config: Config) -> frozenset[str]:
    """Return the chats that the config names."""
    channel = config.alerts.escalation_channel
    named = [*_named(config), *([] if channel is None else [recipient_of(channel)])]
    return frozenset(recipient.chat_id for recipient in named if recipient.kind is RecipientKind.CHAT)


def _known(config: Config) -> Iterator[str]:
    """Yield the accounts that the config mentions: such a name is no typo, even if nobody is linked to it."""
    yield from config.accounts
    yield from config.accounts.values()
    yield from (recipient.name for recipient in _named(config) if _is_account(recipient, config))


def _named(config: Config) -> list[Recipient]:
    """Return the recipients that the config names."""
    named = [*config.recipients.values(), config.admins, config.summary.to]
    named += [members for rotation in config.rotations.values() for members in (rotation.members, rotation.otherwise)]
    named += [step.to for policy in config.alerts.policies.values() for step in policy.steps]
    named += [route.to for route in config.inbound.values()]
    return [recipient_of(text) for texts in named for text in texts]


def _is_account(recipient: Recipient, config: Config) -> bool:
    return recipient.kind is RecipientKind.NAME and recipient.name not in {**config.recipients, **config.rotations}
