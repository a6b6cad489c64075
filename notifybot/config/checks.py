"""Checks across keys: contradictions and unknown names."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from notifybot.config.model import Algorithm, Config, Inbound, InboundField, InboundFormat, Jwt, Mode
from notifybot.errors import did_you_mean
from notifybot.times.spans import comes_before_close, format_span

MAX_SOCKET_PATH_BYTES = 107
MAX_SNOOZES = 8
POSSIBLE_YEARS = range(1970, 3000)

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_SPECIAL = re.compile(r"@.*|-?[0-9]+(:[0-9]+)?|subscribers|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Contradiction:
    """`key` is the dotted path of the key at fault."""

    key: str
    what: str
    hint: str | None = None


def contradictions(config: Config) -> Iterator[Contradiction]:
    """Yield all contradictions in a config. Opens the files that it names."""
    yield from _telegram(config)
    yield from _http(config)
    yield from _files(config)
    yield from _allowances(config)
    yield from _snoozes(config)
    yield from _names(config)
    yield from _starts(config)
    yield from _steps(config)
    yield from _inbound(config)
    yield from _scripts(config)


def _telegram(config: Config) -> Iterator[Contradiction]:
    webhook = config.telegram.webhook
    if config.telegram.mode is Mode.WEBHOOK and webhook.url is None:
        yield Contradiction(
            "telegram.webhook.url", "webhook mode needs the URL that Telegram calls", "Set it, or set mode: polling."
        )
    if webhook.url and webhook.url.startswith("http:") and config.telegram.base_url == "https://api.telegram.org":
        yield Contradiction("telegram.webhook.url", "Telegram only calls https URLs", "Start it with https://.")
    if len(os.fsencode(config.socket.path)) > MAX_SOCKET_PATH_BYTES:
        yield Contradiction(
            "socket.path", f"a socket path can have at most {MAX_SOCKET_PATH_BYTES} bytes", "Choose a shorter one."
        )


def _allowances(config: Config) -> Iterator[Contradiction]:
    if config.callers.bytes_per_minute < config.attachments.max_bytes:
        yield Contradiction(
            "callers.bytes_per_minute",
            f"a file of attachments.max_bytes ({config.attachments.max_bytes}) would never get through",
            "Raise it, or lower attachments.max_bytes.",
        )


def _snoozes(config: Config) -> Iterator[Contradiction]:
    snoozes = config.alerts.snooze
    if len(snoozes) > MAX_SNOOZES:
        yield Contradiction("alerts.snooze", f"at most {MAX_SNOOZES} snooze buttons are allowed", "Remove some.")
    if len(set(snoozes)) < len(snoozes):
        yield Contradiction("alerts.snooze", "the same button is listed twice", "Remove one.")


def _http(config: Config) -> Iterator[Contradiction]:
    jwt = config.http.jwt
    if jwt is None:
        return
    if jwt.algorithm is not Algorithm.HS256 and jwt.public_key is None:
        yield Contradiction("http.jwt.public_key", f"{jwt.algorithm} needs the PEM file of the public key")
    if jwt.algorithm is Algorithm.HS256 and jwt.secret is None:
        yield Contradiction(
            "http.jwt.secret", "HS256 needs the secret that signs the tokens", "Set it, or remove http.jwt."
        )
    yield from _weak_key(jwt)


def _weak_key(jwt: Jwt) -> Iterator[Contradiction]:
    """Report an unusable or weak key. `_files` reports an unreadable file."""
    is_shared = jwt.algorithm is Algorithm.HS256
    material = jwt.secret.encode() if is_shared and jwt.secret else _content(None if is_shared else jwt.public_key)
    if material is None:
        return
    # cryptography takes as long to import as everything else here.
    from notifybot.config.jwt_key import WeakKey, read_key

    try:
        read_key(jwt.algorithm.value, material)
    except WeakKey as error:
        yield Contradiction("http.jwt.secret" if is_shared else "http.jwt.public_key", str(error))


def _content(path: Path | None) -> bytes | None:
    with suppress(OSError):
        return None if path is None else path.read_bytes()
    return None


def _files(config: Config) -> Iterator[Contradiction]:
    tls, jwt = config.http.tls, config.http.jwt
    named = {
        "http.tls.certificate": tls.certificate if tls else None,
        "http.tls.key": tls.key if tls else None,
        "http.jwt.public_key": jwt.public_key if jwt else None,
    }
    for key, path in named.items():
        if path is not None and (reason := _why_unreadable(path, lambda path: path.open("rb"))):
            yield Contradiction(key, f"the file {path} cannot be read: {reason}")
    folder = config.templates
    if folder is not None and (reason := _why_unreadable(folder, os.scandir)):
        yield Contradiction("templates", f"the folder {folder} cannot be read: {reason}")


def _why_unreadable(path: Path, look: Callable[[Path], AbstractContextManager[object]]) -> str | None:
    try:
        with look(path):
            return None
    except OSError as error:
        return os.strerror(error.errno or 0)


def _names(config: Config) -> Iterator[Contradiction]:
    for name in config.recipients.keys() & config.rotations.keys():
        yield Contradiction(f"rotations.{name}", "this name is also defined under recipients", "Rename one of them.")
    yield from _aliases(config)
    members = _members(config)
    for name in members:
        if loop := _loop(name, members):
            section = "recipients" if name in config.recipients else "rotations"
            yield Contradiction(
                f"{section}.{name}", f"this name refers back to itself: {' → '.join(loop)}", "Break the loop."
            )


def _aliases(config: Config) -> Iterator[Contradiction]:
    """Check that an alias leads to an account and nothing else.

    An account listed as itself may share a name with a group: the account is meant where only a person fits.
    """
    for other, account in config.accounts.items():
        if other == account:
            continue
        if (first := config.accounts.get(account, account)) != account:
            yield Contradiction(
                f"accounts.{other}", f"'{account}' is itself an alias of '{first}'", f"Use '{first}' here."
            )
        for section, names in (("recipients", config.recipients), ("rotations", config.rotations)):
            if other in names:
                what = f"'{other}' is also defined under {section}"
                yield Contradiction(f"accounts.{other}", what, "Rename one of them.")


def _starts(config: Config) -> Iterator[Contradiction]:
    """Refuse years that are typing errors and that date arithmetic cannot handle."""
    for name, rotation in config.rotations.items():
        if rotation.start.year not in POSSIBLE_YEARS:
            what = f"a rotation starts between {POSSIBLE_YEARS.start} and {POSSIBLE_YEARS[-1]}"
            yield Contradiction(f"rotations.{name}.start", what, "Use the day of the first shift.")


def _members(config: Config) -> dict[str, tuple[str, ...]]:
    """Return the members of each name under recipients and rotations."""
    rotations = {name: (*rotation.members, *rotation.otherwise) for name, rotation in config.rotations.items()}
    return {**rotations, **config.recipients}


def _loop(name: str, members: Mapping[str, tuple[str, ...]]) -> list[str] | None:
    """Return the shortest path from a name back to itself, both ends included."""
    came_from: dict[str, str] = {}
    waiting = [name]
    for current in waiting:
        for member in members[current]:
            if member == name:
                return [*_path(name, current, came_from), name]
            if member in members and member not in came_from:
                came_from[member] = current
                waiting.append(member)
    return None


def _path(start: str, end: str, came_from: Mapping[str, str]) -> list[str]:
    path = [end]
    while path[-1] != start:
        path.append(came_from[path[-1]])
    return path[::-1]


def _steps(config: Config) -> Iterator[Contradiction]:
    known = _known_names(config)
    for name, policy in config.alerts.policies.items():
        for at, step in enumerate(policy.steps):
            place = f"alerts.policies.{name}.steps[{at}]"
            if at and step.after <= policy.steps[at - 1].after:
                yield Contradiction(
                    f"{place}.after", "each step must come after the previous one", "Spans count from acceptance."
                )
            close_after = policy.with_defaults(config.alerts).close_after
            if not comes_before_close(step.after, close_after):
                yield Contradiction(
                    f"{place}.after",
                    f"the alert closes after {format_span(close_after)}, before this step",
                    f"Set a later close_after for the policy, or {format_span(None)}.",
                )
            yield from _unknown(f"{place}.to", step.to, known)


def _known_names(config: Config) -> set[str]:
    members = _members(config)
    people = {person for each in members.values() for person in each}
    return people | set(members) | set(config.accounts) | set(config.accounts.values())


def _unknown(key: str, recipients: tuple[str, ...], known: set[str]) -> Iterator[Contradiction]:
    """Report unknown names here, because a typing error would otherwise surface only during an incident."""
    for index, recipient in enumerate(recipients):
        if recipient not in known and not _SPECIAL.fullmatch(recipient):
            yield Contradiction(f"{key}[{index}]", f"unknown recipient '{recipient}'", _suggestion(recipient, known))


def _suggestion(name: str, known: set[str]) -> str:
    near = did_you_mean(name, known)
    return f"Did you mean '{near}'?" if near else f"If it is an account, add it to accounts: {{{name}: {name}}}."


def _inbound(config: Config) -> Iterator[Contradiction]:
    known = _known_names(config)
    for name, route in config.inbound.items():
        yield from _unknown(f"inbound.{name}.to", route.to, known)
        if route.format is InboundFormat.GITHUB and route.secret is None:
            yield Contradiction(
                f"inbound.{name}.secret",
                "GitHub requests are verified by their signature",
                "Set the webhook's secret.",
            )
        yield from _inbound_fields(f"inbound.{name}.fields", route)
        if route.policy is not None and route.policy not in config.alerts.policies:
            near = did_you_mean(route.policy, config.alerts.policies)
            hint = f"Did you mean '{near}'?" if near else "Add it under alerts.policies."
            yield Contradiction(f"inbound.{name}.policy", f"unknown policy '{route.policy}'", hint)


def _inbound_fields(path: str, route: Inbound) -> Iterator[Contradiction]:
    if route.fields and route.format not in (InboundFormat.JSON, InboundFormat.FORM):
        yield Contradiction(
            path, f"the format {route.format} has its own fields", "Remove this, or use the format json."
        )
    for field in route.fields:
        if field not in list(InboundField):
            near = did_you_mean(field, list(InboundField))
            hint = f"Did you mean '{near}'?" if near else f"Use {', '.join(InboundField)}."
            yield Contradiction(f"{path}.{field}", f"unknown part of a message '{field}'", hint)


def _scripts(config: Config) -> Iterator[Contradiction]:
    commands = {
        "list_command": ({"account"}, config.scripts.list_command),
        "run_command": ({"account", "name"}, config.scripts.run_command),
    }
    for key, (needed, command) in commands.items():
        given = {found for word in command or () for found in _PLACEHOLDER.findall(word)}
        if command is not None and given != needed:
            wanted = " and ".join(sorted(f"{{{word}}}" for word in needed))
            yield Contradiction(f"scripts.{key}", f"the command must contain {wanted}, and no other placeholder")
