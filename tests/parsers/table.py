"""The parsers that meet bytes of others, each with the pieces of its language."""

import argparse
import ipaddress
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pydantic
import telegram
from telegram.error import BadRequest, InvalidToken

from notifybot import config
from notifybot.auth import jwt, remote_callers, throttle
from notifybot.cli import arguments, import_sources, output, stdin
from notifybot.cli import times as cli_times
from notifybot.cli.parser import UsageError
from notifybot.config import chats, env_file, jwt_key, proxies, secrets, types
from notifybot.config.problems import ConfigInvalid
from notifybot.errors import NotifybotError
from notifybot.files import local, media_types, public_addresses
from notifybot.files.local import PeerCredentials
from notifybot.handlers import settings
from notifybot.model import ids, names
from notifybot.people import preferences
from notifybot.recipients import address
from notifybot.rendering import buttons, cleaning, markup, split, terminal, written_links
from notifybot.rendering.markup import links
from notifybot.rendering.parts import Delete, Edit, Part, Send
from notifybot.schemas import types as request_types
from notifybot.system import logs, systemd
from notifybot.telegram_api import http, refusals, results, verdict
from notifybot.times import cron, recurrence, spans, timestamps, wall_clock, zones
from notifybot.web import hosts
from notifybot.web import json as strict_json

Refusal = type[Exception]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BOT = telegram.Bot("123456:" + "A" * 35)
TRUST = jwt.Trust("HS256", b"k" * 32, None, None, "sub", timedelta())
NOBODY = PeerCredentials(65_534, frozenset({65_534}))
NAMES = hosts.Hosts(frozenset({"localhost", "db1.lan"}))
CALLS = (Send("7", Part("x")), Edit("7", 5, Part("x")), Delete("7", (5,)))
MAX_LINE = 8190
"""Of a header: aiohttp refuses longer ones."""


@dataclass(frozen=True)
class Parser:
    """`room` is its module; `refuses` are the only exceptions it may raise; `write` turns what it read back into text,
    from which the same is read again; `most`: characters that its callers let through."""

    room: str
    name: str
    read: Callable[[str], object]
    marks: tuple[str, ...] = field(repr=False)
    refuses: tuple[Refusal, ...] = ()
    write: Callable[[Any], str] | None = None
    most: int = 1_000_000

    def __str__(self) -> str:
        return f"{self.room}:{self.name}"


def parsers() -> list[Parser]:
    return [
        *_of_requests(),
        *_of_fields(),
        *_of_times(),
        *_of_markup(),
        *_of_files(),
        *_of_telegram(),
        *_of_config(),
        *_of_the_command_line(),
    ]


JSON = (
    *("{", "}", "[", "]", "[[", '{"a":', ",", ":", '"', '"a"', '"\\u0000"', '"\\ud800"', "\\", "1e999", "-1e999"),
    *("NaN", "Infinity", "null", "true", "0", "-", "9", "1.5", "1e5", ' "a":1,"a":2', '"a":1', "\n", "\ufeff"),
)
HOST = ("localhost", "db1.lan", "evil.example", ".", ":", "[", "]", "::1", "127.0.0.1", "%", "0x7f", "@", " ", "-")
NUMBER = ("0", "9", "-", "+", "1e5", ".", "٣", "²", "99999", ":", " ", "0x", "_")


def _of_requests() -> Iterator[Parser]:
    yield Parser("web/json", "parse", strict_json.parse, JSON, (NotifybotError,), json.dumps)
    yield Parser("web/hosts", "is_own", NAMES.is_own, HOST, most=MAX_LINE)
    token = ("eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiJhIn0", ".", "=", "-", "_", "e30", "bnVsbA", "W10", "nb_", " ")
    yield Parser("auth/jwt", "account_of", _account_of, token, (jwt.InvalidJwt,))
    yield Parser("auth/remote_callers", "plain_address", lambda text: remote_callers.plain_address((text, 80)), HOST)
    yield Parser("auth/throttle", "network_of", throttle.network_of, HOST, most=MAX_LINE)
    yield Parser("model/ids", "is_id", ids.is_id, ("0", "a", "7", "-", "01890a5d-ac96-774b-bcce-b302099a8057"))
    yield Parser("recipients/address", "recipient_of", address.recipient_of, RECIPIENT, most=128)
    yield Parser("recipients/address", "person_recipient", address.person_recipient, RECIPIENT, most=128)


def _account_of(text: str) -> str:
    return jwt.account_of(text, TRUST, now=NOW)


NAME = ("alice", "@", "*", "$", ",", " ", "-", "5", "subscribers", "é", "\u202e", "\x7f")
RECIPIENT = (*NAME, "@some_channel", ":42", "-100", "01890a5d-ac96-774b-bcce-b302099a8057", "0", "９")
SPAN = ("1", "9", "d", "h", "m", "s", "15m", " ", "never", "tomorrow ", "9:00", "-", "٣", ".5", "1e5", "22:30")
CRON = ("*", "/", "*/5", "0", "59", "-", ",", " ", "mon", "fri", "@daily", "every ", "15m", "L", "#", "0 0 31 2 *", "?")
TIME = (
    "2026-01-31",
    "T",
    "18:30",
    ":60",
    "Z",
    "+02:00",
    "+99:99",
    ".5",
    "0001-01-01",
    "9999-12-31",
    "-",
    "W",
    "٣",
    "20",
)
ZONE = ("Europe", "/", "Berlin", "new york", "UTC", "..", "posix/", "right/", "localtime", "_", " ", "\0", "Etc", "é")
FIELDS = {
    name: kind
    for name, kind in vars(request_types).items()
    if not name.startswith("_") and hasattr(kind, "__metadata__")
}
"""The types of fields in requests."""


def _of_fields() -> Iterator[Parser]:
    pieces = (*RECIPIENT, *SPAN, *CRON, *TIME, *ZONE)
    for name, kind in FIELDS.items():
        validate = pydantic.TypeAdapter(kind).validate_python
        write = None if name in ("LocalTimestamp", "QueryFlag", "RequestTimestamp", "Span") else str
        refusals = (pydantic.ValidationError,)
        yield Parser("schemas/types", name, lambda text, read=validate: read(text), pieces, refusals, write)  # type: ignore[misc]
    recipients = pydantic.TypeAdapter(FIELDS["Recipients"]).validate_python
    yield Parser(
        "schemas/types",
        "a list of recipients",
        lambda text: recipients(text.split(",")),
        RECIPIENT,
        (pydantic.ValidationError,),
        ",".join,
    )


def _of_times() -> Iterator[Parser]:
    refused = (ValueError,)
    yield Parser("times/spans", "parse_span", spans.parse_span, SPAN, refused, spans.format_span)
    yield Parser("times/spans", "parse_reminding", spans.parse_reminding, SPAN, refused, spans.format_span)
    yield Parser("times/spans", "parse_time_of_day", spans.parse_time_of_day, SPAN, refused, lambda at: f"{at:%H:%M}")
    yield Parser("times/spans", "parse_snooze", spans.parse_snooze, SPAN, refused, spans.format_snooze)
    yield Parser("times/cron", "parse_cron", cron.parse_cron, CRON, refused, str, most=512)
    yield Parser("times/recurrence", "parse", recurrence.parse, CRON, refused, str, most=512)
    late = (ValueError, OverflowError)
    yield Parser(
        "times/timestamps", "parse_timestamp", timestamps.parse_timestamp, TIME, late, lambda at: str(at.isoformat())
    )
    yield Parser("times/zones", "find_zone", zones.find_zone, ZONE, refused, str, most=128)
    yield Parser("times/zones", "find_or_keep_zone", zones.find_or_keep_zone, ZONE, refused, str, most=128)
    yield Parser("times/zones", "zone_of", zones.zone_of, ZONE, (), str, most=128)
    yield Parser("times/wall_clock", "Daily.read", wall_clock.Daily.read, (*SPAN, *ZONE), refused, str, most=128)


WEB = (
    "https://",
    "http:",
    "x.org",
    "/",
    "?a=b",
    "&",
    "#",
    "@",
    ":80",
    "[::1]",
    "%2e",
    "%",
    "\\",
    " ",
    "tg://",
    "user?id=5",
)
TAGS = (
    *("<", ">", "</", "<b>", "</b>", "<i>", "<pre>", "</pre>", '<code class="language-', '<a href="', '">', "</a>"),
    *("<blockquote expandable>", "</blockquote>", "<tg-emoji emoji-id=", "<!--", "&", "&amp;", "&#", "&#x110000;", '"'),
    *("&#99999999999;", "&lt", "<b", "a ", "=", "'", "\0"),
)
MARKDOWN = (
    *("*", "**", "_", "__", "||", "~", "`", "```", "[", "](", ")", "![", "\\", ">", "**>", "\n", "\n\n", "# ", "- "),
    *("  - ", "1. ", "|", "|-|\n", "<", "&amp;", "x", "a b", "~~", "    ", "[a]: b\n", "[a]", "---\n", "===\n", "\t"),
    *WEB[:4],
)
SCREEN = (
    *("\x1b", "\x1b[", "\x1b[31m", "\x1b]0;", "\x07", "\x1b\\", "\x9b5", "C", "\x1b[999999999C", "\x1b[5D", "\x1b[1K"),
    *(
        "\r",
        "\n",
        "\r\n",
        "\b",
        "\t",
        "漢",
        "\u0301",
        "\u030a",
        "\u200e",
        "\u202e",
        "\u2028",
        "\ufeff",
        "a",
        " ",
        "\x85",
    ),
)


def _of_markup() -> Iterator[Parser]:
    refused = (markup.Unparseable,)
    for mode in markup.ParseMode:
        marks = TAGS if mode is markup.ParseMode.HTML else MARKDOWN
        yield Parser("rendering/markup/__init__", mode, lambda text, mode=mode: _parse(text, mode), marks, refused)  # type: ignore[misc]
    yield Parser("rendering/markup/links", "checked", links.checked, WEB, (), lambda url: url or "", most=8192)
    yield Parser("rendering/cleaning", "clean", lambda text: cleaning.clean(text)[0], SCREEN, (), str)
    yield Parser("rendering/cleaning", "replayed", lambda text: cleaning.replayed(text)[0], SCREEN)
    yield Parser("rendering/terminal", "last_state", terminal.last_state, SCREEN)
    yield Parser("rendering/terminal", "width", terminal.width, SCREEN)
    yield Parser("rendering/split", "first_part", lambda text: split.split(text, limit=4096), (*SCREEN, *MARKDOWN))
    yield Parser("rendering/written_links", "without_links", lambda text: written_links.without_links(text, ()), WEB)
    data = ("ack:", "sno:", "set:", "onc:", "one:", ":", "0" * 32, "01890a5dac96774bbcceb302099a8057", "t0930", *NUMBER)
    yield Parser(
        "rendering/buttons", "read_callback_data", buttons.read_callback_data, (*data, "AYkKXayWd0u8zrMCCZqAVw")
    )


def _parse(text: str, mode: markup.ParseMode) -> object:
    return markup.parse(_sound(text), mode)


def _sound(text: str) -> str:
    """Texts have no lone surrogates when they reach the markup: schemas/types.py replaces them."""
    return text.encode("utf-8", "replace").decode()


IMAGE = (
    *(
        "\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        "\xff\xd8\xff",
        "\xff\xe1\0\x02",
        "\xff\xc0",
        "\xff\xff",
        "GIF89a",
        "BM",
        "RIFF",
    ),
    *("\0\0\0\0WEBPVP8X", "WEBPVP8L", "WEBPVP8 ", "PK\x03\x04", "mimetype", "word/", "ftyp", "avif", "\x1aE\xdf\xa3"),
    *("<svg", "<?xml", "<html", "\0", "\xff", "\x1f\x8b", "a", "application/vnd.oasis.opendocument."),
)
FILE = (
    "/",
    "..",
    ".",
    "a",
    ".png",
    "\\",
    "\0",
    "\u202e",
    '"',
    "\n",
    "e\u0301",
    "🔥",
    "\u200d",
    " ",
    "con",
    "%2f",
    "~",
    ":",
)


def _of_files() -> Iterator[Parser]:
    yield Parser("files/media_types", "detect", lambda text: media_types.detect(BytesIO(_bytes(text))), IMAGE)
    yield Parser("files/media_types", "safe_name", media_types.safe_name, FILE, (), str)
    yield Parser(
        "files/media_types",
        "safe_name of a picture",
        lambda text: media_types.safe_name(text, "image/png"),
        FILE,
        (),
        str,
    )
    yield Parser("files/public_addresses", "literal", _literal, HOST, (ValueError,), str, most=MAX_LINE)
    yield Parser("files/local", "open_as", lambda text: local.open_as(text, NOBODY), FILE, (NotifybotError,))


def _literal(text: str) -> object:
    """Read a host; a name is no address, and comes back as it is."""
    found = public_addresses.literal(text)
    return text if found is None else ipaddress.ip_address(str(found))


def _bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


USER = '{"id":7,"is_bot":false,"first_name":"Eve"}'
CHAT = '{"id":7,"type":"private"}'
MESSAGE = f'{{"message_id":5,"date":1,"chat":{CHAT},"from":{USER},"text":"hi"}}'
UPDATE = (
    *JSON,
    *(USER, CHAT, MESSAGE, '{"update_id":1', f'{{"update_id":1,"message":{MESSAGE}}}', '{"ok":true,"result":['),
    *('"callback_query":{"id":"q","from":', '"my_chat_member":', '"data":', '"update_id":', '"date":1e400', "]}", "}"),
    *('"date":99999999999999', '"entities":[', '"photo":[', '"reply_to_message":', '"migrate_to_chat_id":'),
)
WORDS = (
    *("message is not modified", "chat not found", "message #", "9", "unauthorized", "logged out", "not found: method"),
    *("too many requests", "retry after ", "wrong file", "can't parse entities", ":", "\n", "photo_", "_forbidden"),
)
SETTING = (*SPAN, *ZONE, "22:00-07:00", "–", "quiet", "off")


def _of_telegram() -> Iterator[Parser]:
    unread = (http.Unreadable,)
    parse = http.AiohttpRequest.parse_json_payload
    yield Parser("telegram_api/http", "parse_json_payload", lambda text: parse(_bytes(text)), UPDATE, unread)
    yield Parser("telegram_api/results", "read_stored", _read_stored, UPDATE)
    yield Parser("telegram_api/results", "updates_of", _updates_of, UPDATE, (*unread, http.WrongShape))
    yield Parser("telegram_api/results", "shown", _shown, UPDATE, unread)
    yield Parser("telegram_api/results", "check_shape", _check_shape, UPDATE, (*unread, http.WrongShape))
    yield Parser("telegram_api/results", "first_update", _first_update, UPDATE, unread)
    yield Parser("telegram_api/refusals", "outcome_of", lambda text: refusals.outcome_of(BadRequest(text)), WORDS)
    yield Parser(
        "telegram_api/verdict", "refusal_of_bot", lambda text: verdict.refusal_of_bot(InvalidToken(text)), WORDS
    )
    yield Parser("handlers/settings", "read_as_setting", settings.read_as_setting, SETTING, most=4096)
    refused = (ValueError,)
    yield Parser("people/preferences", "read_zone", preferences.read_zone, ZONE, refused, str, most=64)
    yield Parser("people/preferences", "read_time", preferences.read_time, SETTING, refused, str, most=64)
    yield Parser(
        "people/preferences", "read_quiet_hours", preferences.read_quiet_hours, SETTING, refused, "-".join, most=64
    )


def _document(text: str) -> Any:
    """Read as the client of the Bot API does."""
    return http.AiohttpRequest.parse_json_payload(_bytes(text)).get("result")


def _read_stored(text: str) -> str:
    return repr(results.read_stored(1, text, BOT).to_json())


def _updates_of(text: str) -> str:
    result = _document(text)
    results.check_shape("getUpdates", result)
    return repr([update.to_json() for update in results.updates_of(result, BOT)])


def _shown(text: str) -> object:
    result = _document(text)
    return [results.shown(call, result) for call in CALLS]


def _check_shape(text: str) -> None:
    result = _document(text)
    for method in ("getMe", "getWebhookInfo", "getUpdates"):
        results.check_shape(method, result)


def _first_update(text: str) -> str:
    return results.first_update(http.Unreadable("too deep", _bytes(text))).payload


YAML = (
    *(
        ": ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&a ",
        "*a",
        "!!str ",
        "!!python/object:os.system ",
        "|\n",
        "? ",
        "%",
        "---\n",
    ),
    *(
        "\t",
        "\n",
        "\n  ",
        "#",
        "<<: *a",
        "${A}",
        "${",
        "$${A}",
        "'",
        '"',
        "a",
        "socket",
        "alerts: ",
        "22:30",
        "no",
        ".inf",
    ),
)
VALUES = {name: value for name, value in vars(types).items() if isinstance(value, types.Value)}
"""The types of values in the config."""
WRITTEN = (
    "ALLOWED",
    "CHAT",
    "CRON",
    "NAME",
    "RECIPIENT",
    "URL",
    "ZONE",
    "NETWORK",
    "DATE",
    "BOT_TOKEN",
    "DATABASE_URL",
)


def _of_config() -> Iterator[Parser]:
    pieces = (
        *RECIPIENT,
        *SPAN,
        *WEB,
        *HOST,
        *NUMBER,
        "kB",
        "GB",
        "sqlite:////x",
        "postgresql://",
        "0660",
        "image/",
        "*",
    )
    for name, value in VALUES.items():
        write = str if name in WRITTEN else None
        yield Parser("config/types", name, value.parse, pieces, (ValueError,), write, most=4096)
    chat = (
        *RECIPIENT,
        "1.0e12",
        "e99",
        "\u2212",
        "1_000_000",
        ".",
        "https://t.me/",
        "c/123/4",
        "tg://resolve?domain=",
        "#",
    )
    yield Parser("config/chats", "parse_chat", chats.parse_chat, chat, (ValueError,), str, most=4096)
    yield Parser("config/chats", "meant_chat", chats.meant_chat, chat, most=4096)
    variables = ("A", "=", "export ", "'", '"', "\\", "#", " ", "\n", "$", "TELEGRAM_BOT_TOKEN=1:x", "\ud800", "é")
    yield Parser("config/env_file", "parse", partial(env_file.parse, Path(".env")), variables, (ConfigInvalid,))
    person = ("Anna", "\u3164", "\u200b", "\u202e", " ", "None", "é")
    yield Parser("model/names", "visible_name", names.visible_name, person, most=4096)
    proxy = (*WEB, "socks5://", "user:password@", "direct", ":1080", "\ud800", "é", "漢")
    yield Parser("config/proxies", "parse_proxy", proxies.parse_proxy, proxy, (ValueError,), most=4096)
    environ = {"A": "value", "B_FILE": "/nonexistent"}
    yield Parser(
        "config/secrets",
        "substitute",
        lambda text: secrets.substitute(text, environ),
        ("${", "A", "}", ":-", "$", "B"),
        (ValueError,),
    )
    yield Parser("config/secrets", "variables_in", secrets.variables_in, ("${", "A", "}", ":-", "$", "B"))
    key = ("-----BEGIN PUBLIC KEY-----\n", "-----END PUBLIC KEY-----", "MFkw", "secret", "1234567890", "abc", "=", "\n")
    for algorithm in ("HS256", "RS256", "ES256"):
        yield Parser(
            "config/jwt_key",
            f"read_key for {algorithm}",
            lambda text, algorithm=algorithm: jwt_key.read_key(algorithm, _bytes(text)),  # type: ignore[misc]
            key,
            (ValueError,),
            most=64_000,
        )
    yield Parser("config/yaml_nodes", "load", _load, YAML, (ConfigInvalid,))
    yield Parser("system/systemd", "listen_fds", _listen_fds, NUMBER)
    yield Parser("system/systemd", "watchdog_interval", _watchdog, NUMBER)
    token = ("123456:", "A" * 35, "%3A", "9" * 12, "/bot", "-", "a")
    yield Parser("system/logs", "redact", logs.redact, token, (), str)


def _load(text: str) -> object:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            return repr(config.load(file, {"A": "22:30"})).replace(folder, "")
        except ConfigInvalid as error:
            return [problem.what for problem in error.problems]


def _listen_fds(text: str) -> object:
    return systemd.listen_fds({"LISTEN_PID": "1", "LISTEN_FDS": text, "LISTEN_FDNAMES": text}, 1, name="\n")


def _watchdog(text: str) -> object:
    return systemd.watchdog_interval({"WATCHDOG_USEC": text}, 1)


def _of_the_command_line() -> Iterator[Parser]:
    for name in ("port", "limit", "thread", "file_number", "link_button", "data", "policy", "scopes", "wait", "number"):
        refused = (argparse.ArgumentTypeError,)
        yield Parser("cli/arguments", name, getattr(arguments, name), (*JSON, *NUMBER, "a=", ","), refused)
    late = (ValueError, OverflowError)
    moment = (*TIME, *SPAN, "+", "in ", "mon ", "today ", "am", "pm")
    yield Parser("cli/times", "read_moment", lambda text: cli_times.read_moment(text, NOW, UTC), moment, late)
    yield Parser("cli/times", "read_repetition", cli_times.read_repetition, (*CRON, *moment), (), str)
    mixed = ("\xff\xfe", "\xfe\xff", "\xef\xbb\xbf", "\xff\xfe\0\0", "\xe9", "a", "\0", "\n", "\xed\xa0\x80")
    yield Parser("cli/stdin", "decoded", lambda text: stdin.decoded(_bytes(text), "ascii"), mixed)
    yield Parser("cli/stdin", "looks_like_columns", stdin.looks_like_columns, ("a", "  ", "\n", "\t", "漢"))
    yield Parser("cli/output", "sanitized", output.sanitized, SCREEN, (), str)
    yield Parser("cli/output", "one_line", output.one_line, SCREEN, (), str)
    people = (
        *JSON,
        '{"chat_id":',
        '"123456":{"chat_id":5,"expires_at":',
        '"created_at":',
        "1e18",
        '"5"',
        '"chat_id":7',
    )
    yield Parser("cli/import_sources", "read_source", _read_source, people)


def _read_source(text: str) -> object:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "people.json")
        file.write_bytes(_bytes(text))
        try:
            return import_sources.read_source(str(file))
        except UsageError as error:
            return error.detail.replace(folder, "")
