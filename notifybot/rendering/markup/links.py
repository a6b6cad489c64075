"""Accept the URLs that Telegram accepts as links, in Telegram's spelling."""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address

from notifybot.rendering.markup.builder import TextBuilder

TELEGRAM_SCHEMES = re.compile(r"(tg|tonsite|ton):(?://)?", re.IGNORECASE)
MARKED_SCHEME = re.compile(r"([^:/?#@\[\]]*)://")
# Telegram would turn these into web URLs such as http://mailto:anna@example.org/.
NO_LINKS = re.compile(r"(?:mailto|tel):", re.IGNORECASE)
AUTHORITY = re.compile(r"[^/?#]*")
LAST_COLON = re.compile(r".+:[^:\]@]*", re.DOTALL)
MAX_PORT = 65_535
HOST = re.compile(r"(?:[A-Za-z0-9.\-_!$,~*'();&+=\x80-\U0010ffff]|%[0-9A-Fa-f]{2})+")
USER = re.compile(r"(?:[A-Za-z0-9.\-_!$,~*'();&+=:\x80-\U0010ffff]|%[0-9A-Fa-f]{2})*")
UNSAFE = re.compile("[\x00-\x20]")
TELEGRAM_HOST = re.compile(r"[A-Za-z0-9_-]+")
TON_HOST = re.compile(r"[A-Za-z0-9_.-]+")

TG_QUERY = re.compile(r"tg:(?://)?(user|emoji|time)/?\?([^#]*)(?:#.*)?", re.IGNORECASE | re.DOTALL)
USER_ID = re.compile(r"[1-9][0-9]{0,15}")
LARGE_NUMBER = re.compile(r"-?[1-9][0-9]{0,18}")
LARGEST_EMOJI_ID = 2**63 - 1
DATE_FORMAT = re.compile(r"[rR]|[tTdDwW]*")
LARGEST_TIME = 2**31 - 1


@dataclass(frozen=True)
class _Address:
    """Parts of a web URL, or of one with a Telegram scheme. `rest` starts with a slash."""

    scheme: str
    user: str
    host: str
    port: str
    rest: str


def link(draft: TextBuilder, begin: int, address: str) -> None:
    """Link the text from `begin` on; note a link that Telegram would refuse."""
    url = checked(address)
    if url is None:
        draft.lose_link(begin, address.strip())
    else:
        draft.mark("text_link", begin, url=url)


def checked(address: str) -> str | None:
    """Return the URL as Telegram stores it, with a scheme and a lower-case host; None if Telegram would not link it.

    A person (tg://user?id=…) is a link too; Telegram turns it into a mention.
    """
    if (user := tg_query(address, "user")) is not None and USER_ID.fullmatch(user.get("id", "")):
        return f"tg://user?id={user['id']}"
    if NO_LINKS.match(address):
        return None
    own = TELEGRAM_SCHEMES.match(address)
    found = _split(address[own.end() :] if own else address)
    if found is None or (own and MARKED_SCHEME.match(address, own.end())):
        return None
    return _own_link(own[1].lower(), found) if own else _web_link(found)


def tg_query(address: str, host: str) -> dict[str, str] | None:
    """Return the parameters of tg://HOST?…; None for any other URL."""
    found = TG_QUERY.fullmatch(address)
    if found is None or found[1].lower() != host:
        return None
    pairs = [parameter.partition("=") for parameter in found[2].split("&")]
    return {name: value for name, _, value in reversed(pairs)}


def is_emoji_id(text: str) -> bool:
    return LARGE_NUMBER.fullmatch(text) is not None and abs(int(text)) <= LARGEST_EMOJI_ID


def is_time(text: str) -> bool:
    return LARGE_NUMBER.fullmatch(text) is not None and 0 < int(text) <= LARGEST_TIME


def is_date_format(text: str) -> bool:
    return DATE_FORMAT.fullmatch(text) is not None


def _web_link(found: _Address) -> str | None:
    if "." not in found.host and not found.host.startswith("["):
        return None
    user = f"{found.user}@" if found.user else ""
    port = f":{found.port}" if found.port else ""
    return f"{found.scheme}://{user}{found.host}{port}{found.rest}"


def _own_link(scheme: str, found: _Address) -> str | None:
    allowed = TON_HOST if scheme == "tonsite" else TELEGRAM_HOST
    if found.user or found.port or not allowed.fullmatch(found.host):
        return None
    rest = found.rest[1:] if found.rest.startswith("/?") else found.rest
    return f"{scheme}://{found.host}{rest}"


def _split(address: str) -> _Address | None:
    """Split a URL, by default with the scheme http; None if a part is invalid."""
    marked = MARKED_SCHEME.match(address)
    scheme = marked[1].lower() if marked else "http"
    begin = marked.end() if marked else 0
    authority = AUTHORITY.match(address, begin)
    if scheme not in ("http", "https") or authority is None:
        return None
    place, port = _without_port(authority[0])
    user, _, host = place.rpartition("@")
    if port is None or not _is_host(host.lower()) or not USER.fullmatch(user):
        return None
    return _Address(scheme, user, host.lower(), port, _rest(address[authority.end() :]))


def _without_port(authority: str) -> tuple[str, str | None]:
    """Split off the port: "" if there is none, None if it is invalid."""
    if not LAST_COLON.fullmatch(authority):
        return authority, ""
    place, _, digits = authority.rpartition(":")
    is_port = digits.isascii() and digits.isdigit() and len(digits.lstrip("0")) <= len(str(MAX_PORT))
    port = int(digits) if is_port else 0
    return place, str(port) if 0 < port <= MAX_PORT else None


def _is_host(host: str) -> bool:
    if host.startswith("[") and host.endswith("]"):
        return _is_ipv6(host[1:-1])
    return host != "." and HOST.fullmatch(host) is not None


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text


def _rest(rest: str) -> str:
    rest = rest.rstrip(" \t\r\n\v\0")
    rest = rest if rest.startswith("/") else f"/{rest}"
    return UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", rest)
