"""Types of single config values: a name for errors, the YAML types it accepts, and its parser."""

import contextlib
import ipaddress
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, time, timedelta
from enum import Enum
from pathlib import Path
from typing import Generic, NoReturn, TypeVar, cast
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from yaml.nodes import ScalarNode

from notifybot.config.chats import CHAT_FORM, meant_chat, parse_chat
from notifybot.config.problems import reason_and_hint, shown
from notifybot.config.proxies import parse_proxy
from notifybot.config.secrets import variables_in
from notifybot.config.yaml_nodes import At, YamlKind
from notifybot.times.cron import parse_cron
from notifybot.times.spans import Tomorrow, parse_reminding, parse_snooze, parse_span, parse_time_of_day
from notifybot.times.zones import find_or_keep_zone, find_zone

T = TypeVar("T")
Choice = TypeVar("Choice", bound=Enum)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


SUBSCRIBERS = "subscribers"
ANYONE, SELF = "*", "self"
"""In lists of allowed recipients: any recipient, and the caller's own account."""
USER_ID_FORM = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
"""With CHAT_FORM these decide what kind of recipient a text names; see recipients/address.py."""


@dataclass(frozen=True)
class Value(Generic[T]):
    """Type of a single value. `parse` takes the text from the file and raises ValueError(reason) or (reason, hint).

    No error quotes the text of a secret.
    """

    name: str
    parse: Callable[[str], T]
    kinds: frozenset[YamlKind] = frozenset({YamlKind.TEXT})
    is_secret: bool = False
    parse_at_start: Callable[[str], T] | None = None
    """More lenient parser for the daemon's start: what was valid once must not keep it from starting."""

    def read(self, at: At) -> T:
        """Return the value at this place, or report why there is none and raise UnusableError."""
        text, kind = at.text()
        if kind is YamlKind.NOTHING:
            at.refuse(f"must be {self.name}, but is empty", "Set a value, or remove the key.")
        if kind is not None and kind not in self.kinds:
            self._refuse_kind(at, text, kind)
        parse = self.parse_at_start if at.reading.is_start and self.parse_at_start is not None else self.parse
        try:
            return parse(text)
        except ValueError as error:
            raw = cast(ScalarNode, at.node).value
            reason, hint = reason_and_hint(error)
            at.refuse(f"{_origin(raw) if self.is_secret else shown(raw)} is invalid: {reason}", hint)

    def _refuse_kind(self, at: At, text: str, kind: YamlKind) -> NoReturn:
        if self.is_secret:
            at.refuse(f"must be {self.name}, but YAML reads it as {kind}", "Put it in quotes.")
        if YamlKind.TEXT in self.kinds and self._accepts(text):
            at.refuse(f"YAML reads {shown(text)} as {kind}", f'Put it in quotes: "{shown(text)[1:-1]}".')
        hint = "Write it without quotes." if cast(ScalarNode, at.node).style in ("'", '"') else None
        at.refuse(f"must be {self.name}, not {shown(text)}", hint)

    def _accepts(self, text: str) -> bool:
        try:
            self.parse(text)
        except ValueError:
            return False
        return True


@dataclass(frozen=True)
class Listen:
    """A TCP address to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def choice(kind: type[Choice]) -> Value[Choice]:
    words = [str(member.value) for member in kind]
    return Value(" or ".join(words), lambda text: kind(_one_of(text, words)))


def whole(minimum: int, maximum: int) -> Value[int]:
    name = f"a whole number from {minimum} to {maximum}"
    parse = lambda text: int(_bounded(text, minimum, maximum, r"[0-9]{1,15}", name))  # noqa: E731
    return Value(name, parse, frozenset({YamlKind.WHOLE}))


def number(minimum: float, maximum: float) -> Value[float]:
    name = f"a number from {minimum:g} to {maximum:g}"
    parse = lambda text: _bounded(text, minimum, maximum, r"[0-9]{1,9}(\.[0-9]{1,9})?", name)  # noqa: E731
    return Value(name, parse, frozenset({YamlKind.WHOLE, YamlKind.NUMBER}))


def _origin(raw: str) -> str:
    """Name the source of a secret in the file without showing it."""
    names = variables_in(raw)
    return f"the value of ${{{names[0]}}}" if names else "the value"


def _bounded(text: str, minimum: float, maximum: float, pattern: str, name: str) -> float:
    if not re.fullmatch(pattern, text) or not minimum <= float(text) <= maximum:
        raise ValueError(f"it must be {name}")
    return float(text)


def _one_of(text: str, words: Collection[str]) -> str:
    if text not in words:
        raise ValueError(f"it must be {' or '.join(words)}")
    return text


def _matching(pattern: str, refusal: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def parse(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(refusal)
        return text

    return parse


def _parse_flag(text: str) -> bool:
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    return words[_one_of(text.lower(), words)]


def _parse_lasting_span(text: str) -> timedelta:
    span = parse_span(text)
    if span is None:
        raise ValueError("this cannot be turned off; set a span of at least 1s")
    return span


def _parse_size(text: str) -> int:
    units = {"": 1, "B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3}
    found = re.fullmatch(r"([0-9]{1,12}) ?([A-Za-z]{0,2})", text)
    if found is None or found[2].upper() not in units or not (size := int(found[1]) * units[found[2].upper()]):
        raise ValueError("a size is written like 500kB, 100MB or 2GB, or as a number of bytes")
    return size


def _parse_name(text: str) -> str:
    if text in (SUBSCRIBERS, "*") or re.fullmatch(r"-?[0-9]+", text):
        raise ValueError("subscribers, * and numbers are reserved")
    if not re.fullmatch(r"[^\s@,$*][^\s,]{0,127}", text) or not text.isprintable():
        raise ValueError("a name has 1 to 128 characters, no spaces or commas, and does not start with @, * or $")
    return text


def _parse_account(text: str) -> str:
    """Any one line of text: accounts come from other programs, and many of those number them."""
    if text in (SUBSCRIBERS, "*"):
        raise ValueError("subscribers and * are reserved")
    if not 1 <= len(text) <= 128 or text != text.strip() or not text.isprintable():
        raise ValueError("an account has 1 to 128 printable characters, and no spaces around them")
    return text


def _parse_recipient(text: str) -> str:
    """Return a chat id, "@name", user_id in lower case, "subscribers", account or name from the config."""
    if CHAT_FORM.fullmatch(text):
        return parse_chat(text)
    if text == SUBSCRIBERS:
        return text
    if USER_ID_FORM.fullmatch(text):
        return str(UUID(text))
    if (advice := meant_chat(text)) is not None:
        raise ValueError(advice)
    return _parse_name(text)


def _parse_allowed(text: str) -> str:
    return text if text in (ANYONE, SELF) else _parse_recipient(text)


def _parse_mode(text: str) -> int:
    found = re.fullmatch(r"(?:0o?)?([0-7]{3})", text)
    if found is None:
        raise ValueError('a mode is three octal digits in quotes, like "0660"')
    mode = int(found[1], 8)
    if mode & 0o600 != 0o600:
        raise ValueError("the daemon's user needs read and write access, as in 0660")
    return mode


def _parse_path(text: str) -> Path:
    if not text.isprintable():
        raise ValueError("a path cannot contain control characters")
    return Path(text)


def _split_url(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("this is not a URL") from None
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s\x00-\x1f\x7f\\]", text):
        raise ValueError("a URL looks like https://example.org")
    return parts


def _parse_url(text: str) -> str:
    parts = _split_url(text)
    if parts.username is not None or parts.query or parts.fragment or text.endswith(("?", "#")):
        raise ValueError("remove the user, password, ? and # from the URL")
    return text.rstrip("/")


def _parse_bot_api_url(text: str) -> str:
    if re.search(r"/bot([0-9]+(:|$)|$)", urlsplit(_parse_url(text)).path):
        raise ValueError("give only the server's address, without /bot<token>")
    return _parse_url(text)


def _parse_database_url(text: str) -> str:
    scheme, _, rest = text.partition("://")
    if scheme == "sqlite" and re.fullmatch(r"//?[^/\x00?#][^\x00?#]*", rest):
        return text
    if scheme == "sqlite":
        raise ValueError(
            "a SQLite URL names a file: sqlite:////var/lib/x.sqlite3, or sqlite:///./x.sqlite3 beside the config"
        )
    if scheme != "postgresql" or not rest or re.search(r"[\s\x00-\x1f]", rest) or not _has_a_possible_port(text):
        raise ValueError("a database URL looks like sqlite:////path or postgresql://user@host/name")
    return text


def _has_a_possible_port(url: str) -> bool:
    with contextlib.suppress(ValueError):
        return urlsplit(url).port != 0
    return False


def _parse_listen(text: str) -> Listen:
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})", text)
    if found is None or int(found[2]) > 65535:
        raise ValueError("a listen address looks like 127.0.0.1:8000 or [::1]:8000")
    host = found[1].strip("[]")
    if found[1] != host:
        _address(host)
    return Listen(host, int(found[2]))


def _address(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ValueError("this is not an IPv6 address") from None


def _parse_network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        wide = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError("a network looks like 10.0.0.0/8, 127.0.0.1 or fd00::/8") from None
    raise ValueError("host bits are set", f"Did you mean {wide}?")


def _parse_date(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("a date looks like 2026-01-31")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("this day does not exist") from None


def _parse_token(text: str) -> str:
    if not re.fullmatch(r"[0-9]{3,12}:[A-Za-z0-9_-]{30,100}", text.strip()):
        raise ValueError("a bot token is digits, a colon and at least 30 characters, as @BotFather gives it")
    return text.strip()


_NUMERIC = frozenset({YamlKind.TEXT, YamlKind.WHOLE})
_CHAT_KINDS = frozenset({*_NUMERIC, YamlKind.NUMBER})
"""With numbers, because the parsers say what to write instead of -1.0e12."""
_PRINTABLE = r"[^\x00-\x1f\x7f]+"

TEXT = Value("text", _matching(_PRINTABLE, "it must be one line of text"))
FLAG = Value("true or false", _parse_flag, frozenset({YamlKind.FLAG}))
SPAN = Value("a span like 15m", _parse_lasting_span, _NUMERIC)
SPAN_OR_NEVER: Value[timedelta | None] = Value("a span like 15m, or never", parse_span, _NUMERIC)
REMINDING: Value[timedelta | None] = Value("a span like 30m, or never", parse_reminding, _NUMERIC)
SNOOZE: Value[timedelta | Tomorrow] = Value("a span like 1h, or tomorrow 09:00", parse_snooze, _NUMERIC)
TIME_OF_DAY: Value[time] = Value('a time of day like "09:00"', parse_time_of_day)
SIZE = Value("a size like 100MB", _parse_size, frozenset({YamlKind.TEXT, YamlKind.WHOLE}))
DATE = Value("a date like 2026-01-31", _parse_date, frozenset({YamlKind.TEXT, YamlKind.DATE}))
ZONE = Value("a time zone like Europe/Berlin", find_zone, parse_at_start=find_or_keep_zone)
CRON = Value('a cron expression like "0 9 * * mon"', parse_cron)
CHAT = Value("a chat id like -1001234567890", parse_chat, _CHAT_KINDS)
ROUTE = Value(
    "a route name",
    _matching(r"[a-z0-9][a-z0-9_-]{0,63}", "a route name may contain a-z, 0-9, - and _"),
)
NAME = Value("a name", _parse_name)
ACCOUNT = Value("an account", _parse_account, _NUMERIC)
RECIPIENT = Value("a recipient", _parse_recipient, _CHAT_KINDS)
ALLOWED = Value("a recipient, self or *", _parse_allowed, _CHAT_KINDS)
URL = Value("a URL", _parse_url)
BOT_API_URL = Value("the URL of a Bot API server", _parse_bot_api_url)
DATABASE_URL = Value("the URL of a database", _parse_database_url, is_secret=True)
LISTEN = Value("an address like 127.0.0.1:8000", _parse_listen)
NETWORK: Value[Network] = Value("a network like 10.0.0.0/8", _parse_network)
URL_PATH = Value(
    "a path like /webhook", _matching(r"/[A-Za-z0-9_.~/-]*\*?", "a path starts with / and has no spaces, ? or #")
)
MODE = Value('a mode like "0660"', _parse_mode, _NUMERIC)
PATH = Value("a path", _parse_path)
MEDIA_TYPE = Value(
    "a media type", _matching(r"[a-z]+/([a-z0-9.+-]+|\*)", "a media type looks like image/png or image/*")
)
PROXY = Value("the URL of a proxy, or direct", parse_proxy, is_secret=True)
BOT_TOKEN = Value("a bot token", _parse_token, is_secret=True)
WEBHOOK_SECRET = Value(
    "a webhook secret",
    _matching(r"[A-Za-z0-9_-]{1,256}", "it has 1 to 256 characters from A-Z a-z 0-9 _ -"),
    is_secret=True,
)
WEBHOOK_PATH = Value(
    URL_PATH.name, _matching(r"/[A-Za-z0-9_.~/-]+", "a path starts with / and has no spaces, ? or #"), is_secret=True
)
SECRET = Value("a secret", _matching(_PRINTABLE, "it must be one line of text"), is_secret=True)
