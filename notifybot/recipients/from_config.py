"""Build the directory of recipients from the config."""

from collections.abc import Iterator

from notifybot.config.model import Config, Day, RotationConfig, Window
from notifybot.recipients.address import Recipient, RecipientKind, recipient_of
from notifybot.recipients.directory import Directory, flattened, rotating_names
from notifybot.rotations.rotation import Handover, Hours
from notifybot.rotations.rotation import Rotation as Rota


def directory_of(config: Config) -> Directory:
    """Names with whom they stand for, accounts with their other names, and who is known without being linked."""
    all_turns = {name: (*rotation.members, *rotation.otherwise) for name, rotation in config.rotations.items()}
    rotas = {name: rotation_of(rotation) for name, rotation in config.rotations.items()}
    return Directory(
        names=flattened({**config.recipients, **all_turns}, config.accounts),
        accounts=config.accounts,
        known=frozenset(_known(config)),
        rotas=rotas,
        nested=config.recipients,
        turning=rotating_names({**config.recipients, **all_turns}, rotas),
        time_zone=config.summary.time_zone,
        alerts_reach_muted=config.alerts.reach_muted,
    )


def rotation_of(rotation: RotationConfig) -> Rota:
    return Rota(
        rotation.members,
        rotation.start,
        Handover.read(rotation.handover),
        rotation.time_zone,
        tuple(map(_hours, rotation.hours)),
        rotation.otherwise,
    )


def _hours(window: Window) -> Hours:
    days = list(Day)
    return Hours(frozenset(map(days.index, window.days)), window.start, window.end)


def _known(config: Config) -> Iterator[str]:
    """The accounts that the config speaks of: who is named in it is no slip of the pen."""
    yield from config.accounts
    yield from config.accounts.values()
    named = [*config.recipients.values(), config.admins, config.summary.to]
    named += [turn for rotation in config.rotations.values() for turn in (rotation.members, rotation.otherwise)]
    named += [step.to for policy in config.alerts.policies.values() for step in policy.steps]
    named += [route.to for route in config.inbound.values()]
    for recipient in (recipient_of(text) for texts in named for text in texts):
        if _is_account(recipient, config):
            yield recipient.name


def _is_account(recipient: Recipient, config: Config) -> bool:
    return recipient.kind is RecipientKind.NAME and recipient.name not in {**config.recipients, **config.rotations}
