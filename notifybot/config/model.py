"""Sections of the config as frozen dataclasses: one line for each key, with type and default."""

# key(), required() and secret_key() make dataclass fields, as dataclasses.field() does.
# ruff: noqa: RUF009

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from datetime import time as time_of_day
from enum import StrEnum
from pathlib import Path

from yaml.nodes import MappingNode

from notifybot.config import types as values
from notifybot.config.proxies import Proxy
from notifybot.config.reader import ListOf, MapOf, SectionOf, key, required, secret_key
from notifybot.config.types import Listen, Network, Value, choice, number, whole
from notifybot.config.yaml_nodes import At
from notifybot.model.enums import Priority
from notifybot.times.spans import Tomorrow

AS_ALERTS = timedelta(-1)
"""Marks a span that a policy takes from `alerts`; no file can contain it."""


class Mode(StrEnum):
    """Source of updates from Telegram."""

    POLLING = "polling"
    WEBHOOK = "webhook"


class AcknowledgeBy(StrEnum):
    """People whose Acknowledge counts: everyone in the chat, or only those linked to an account."""

    ANYONE = "anyone"
    LINKED = "linked"


class Algorithm(StrEnum):
    """Signature of a dashboard's JWTs; tokens with another algorithm are refused."""

    HS256 = "HS256"
    RS256 = "RS256"
    ES256 = "ES256"


class Day(StrEnum):
    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


class InboundFormat(StrEnum):
    """Payload format of an inbound route."""

    ALERTMANAGER = "alertmanager"
    GRAFANA = "grafana"
    UPTIME_KUMA = "uptime-kuma"
    GITHUB = "github"
    HEALTHCHECKS = "healthchecks"
    ONCALL = "oncall"
    ZABBIX = "zabbix"
    NTFY = "ntfy"
    GOTIFY = "gotify"
    APPRISE = "apprise"
    JSON = "json"
    FORM = "form"
    TEXT = "text"


class InboundField(StrEnum):
    """Part of a message that `inbound.*.fields` can find in a document."""

    TITLE = "title"
    TEXT = "text"
    KEY = "key"
    STATUS = "status"
    SEVERITY = "severity"
    URL = "url"
    LABELS = "labels"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """`auto` is journald under systemd, console on a terminal, and JSON lines otherwise."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"
    JOURNALD = "journald"


@dataclass(frozen=True)
class Topic:
    """A topic of a group, as a section."""

    chat: str = required(values.CHAT)
    thread: int = required(whole(1, 2**31 - 1))


@dataclass(frozen=True)
class OrTopic:
    """A recipient in one word, or a topic as `{chat, thread}`."""

    word: Value[str]

    def read(self, at: At) -> str:
        if not isinstance(at.node, MappingNode):
            return self.word.read(at)
        topic = SectionOf(Topic).read(at)
        if ":" in topic.chat:
            at.refuse("the topic is given twice", "Leave it out of chat.")
        return f"{topic.chat}:{topic.thread}"


CHAT, RECIPIENT, ALLOWED = OrTopic(values.CHAT), OrTopic(values.RECIPIENT), OrTopic(values.ALLOWED)


@dataclass(frozen=True)
class Webhook:
    """Telegram posts updates to `url` + `path`. By default, `path` contains the secret."""

    url: str | None = key(values.URL, None)
    listen: Listen = key(values.LISTEN, Listen("127.0.0.1", 8443))
    path: str | None = key(values.WEBHOOK_PATH, None, repr=False)
    secret_token: str | None = secret_key(
        values.WEBHOOK_SECRET, None, variable="TELEGRAM_WEBHOOK_SECRET", credential="telegram_webhook_secret"
    )


@dataclass(frozen=True)
class RateLimitsConfig:
    """Telegram's rate limits, applied before Telegram enforces them."""

    overall_per_second: float = key(number(0.01, 1000), 30.0)
    chat_per_second: float = key(number(0.01, 1000), 1.0)
    group_per_minute: float = key(number(0.01, 60000), 20.0)


@dataclass(frozen=True)
class Telegram:
    """The bot, and the way to Telegram. `load` takes `proxy` from the environment if the file has none."""

    token: str | None = secret_key(values.BOT_TOKEN, None, variable="TELEGRAM_BOT_TOKEN", credential="telegram_token")
    base_url: str = key(values.BOT_API_URL, "https://api.telegram.org")
    proxy: Proxy | None = secret_key(values.PROXY, None, credential="telegram_proxy")
    mode: Mode = key(choice(Mode), Mode.POLLING)
    webhook: Webhook = key(SectionOf(Webhook), Webhook())
    keep_webhook: bool = key(values.FLAG, False)
    limits: RateLimitsConfig = key(SectionOf(RateLimitsConfig), RateLimitsConfig())


@dataclass(frozen=True)
class DatabaseConfig:
    """`load` fills in `url`, which may contain a password."""

    url: str = secret_key(values.DATABASE_URL, "", variable="DATABASE_URL", credential="database_url")


@dataclass(frozen=True)
class Socket:
    """The unix socket. `load` fills in `path`; `allow` lists the recipients for its callers."""

    path: Path = key(values.PATH, Path())
    mode: int = key(values.MODE, 0o660)
    group: str | None = key(values.TEXT, None)
    admin_groups: tuple[str, ...] = key(ListOf(values.TEXT), ())
    allow: tuple[str, ...] = key(ListOf(ALLOWED), ("*",))


@dataclass(frozen=True)
class Tls:
    certificate: Path = required(values.PATH)
    key: Path = required(values.PATH)


@dataclass(frozen=True)
class Jwt:
    """JWTs of a dashboard: `secret` verifies HS256, the PEM file `public_key` verifies RS256 and ES256."""

    algorithm: Algorithm = key(choice(Algorithm), Algorithm.HS256)
    secret: str | None = secret_key(values.SECRET, None, credential="http_jwt_secret")
    public_key: Path | None = key(values.PATH, None)
    issuer: str | None = key(values.TEXT, None)
    audience: str | None = key(values.TEXT, None)
    account_claim: str = key(values.TEXT, "sub")
    leeway: timedelta = key(values.SPAN, timedelta(seconds=30))


@dataclass(frozen=True)
class Anonymous:
    """Let callers from these networks use these paths (a trailing * matches a prefix) without a token, as `account`."""

    networks: tuple[Network, ...] = required(ListOf(values.NETWORK, may_be_empty=False))
    paths: tuple[str, ...] = required(ListOf(values.URL_PATH, may_be_empty=False))
    account: str = required(values.ACCOUNT)


@dataclass(frozen=True)
class Http:
    """The TCP listener; `allow` lists the recipients for people who sign in with a JWT."""

    listen: Listen | None = key(values.LISTEN, None)
    public_url: str | None = key(values.URL, None)
    tls: Tls | None = key(SectionOf(Tls), None)
    jwt: Jwt | None = key(SectionOf(Jwt), None)
    anonymous: tuple[Anonymous, ...] = key(ListOf(SectionOf(Anonymous)), ())
    allow: tuple[str, ...] = key(ListOf(ALLOWED), (values.SELF,))


@dataclass(frozen=True)
class CallersConfig:
    """Allowance of each caller; admins have none. `messages_per_minute` does not count alerts."""

    messages_per_minute: int = key(whole(1, 1_000_000), 600)
    alerts_per_minute: int = key(whole(1, 1_000_000), 6000)
    bytes_per_minute: int = key(values.SIZE, 100_000_000)


@dataclass(frozen=True)
class StepConfig:
    """Step of a policy: notify `to` at `after` from acceptance."""

    after: timedelta = required(values.SPAN)
    to: tuple[str, ...] = required(ListOf(RECIPIENT, may_be_empty=False))


@dataclass(frozen=True)
class Policy:
    """Steps by which an alert escalates. `repeat`: number of times that all steps run again.

    `close_after` and `remind_every` default to those of `alerts`.
    """

    steps: tuple[StepConfig, ...] = required(ListOf(SectionOf(StepConfig), may_be_empty=False))
    repeat: int = key(whole(0, 100), 0)
    close_after: timedelta | None = key(values.SPAN_OR_NEVER, AS_ALERTS)
    remind_every: timedelta | None = key(values.REMINDING, AS_ALERTS)

    def with_defaults(self, alerts: "Alerts") -> "Policy":
        """Return the policy with the spans of `alerts` where it has none of its own."""
        close_after = alerts.close_after if self.close_after == AS_ALERTS else self.close_after
        remind_every = alerts.remind_every if self.remind_every == AS_ALERTS else self.remind_every
        return Policy(self.steps, self.repeat, close_after, remind_every)


@dataclass(frozen=True)
class Alerts:
    """Spans count from acceptance; None switches a deadline or the reminders off.

    `reach_muted` sends alerts also to people who turned notifications off.
    """

    escalate_after: timedelta | None = key(values.SPAN_OR_NEVER, timedelta(minutes=15))
    close_after: timedelta | None = key(values.SPAN_OR_NEVER, timedelta(hours=1))
    close_on_acknowledge: bool = key(values.FLAG, True)
    remind_every: timedelta | None = key(values.REMINDING, None)
    escalation_channel: str | None = key(CHAT, None)
    reach_muted: bool = key(values.FLAG, True)
    acknowledge_by: AcknowledgeBy = key(choice(AcknowledgeBy), AcknowledgeBy.ANYONE)
    snooze: tuple[timedelta | Tomorrow, ...] = key(
        ListOf(values.SNOOZE), (timedelta(hours=1), Tomorrow(time_of_day(9)))
    )
    policies: Mapping[str, Policy] = key(MapOf(SectionOf(Policy)), {})


@dataclass(frozen=True)
class Window:
    """Hours on some days, in the rotation's zone. An `end` at or before `start` is on the next day."""

    days: tuple[Day, ...] = key(ListOf(choice(Day), may_be_empty=False), tuple(Day))
    start: time_of_day = key(values.TIME_OF_DAY, time_of_day(0))
    end: time_of_day = key(values.TIME_OF_DAY, time_of_day(0))


@dataclass(frozen=True)
class RotationConfig:
    """The first member is on call from `start`, the next one from each handover.

    Outside `hours`, if any are set, `otherwise` is on call.
    """

    members: tuple[str, ...] = required(ListOf(RECIPIENT, may_be_empty=False))
    start: date = required(values.DATE)
    handover: str = key(values.CRON, "0 9 * * mon")
    time_zone: str = key(values.ZONE, "UTC")
    hours: tuple[Window, ...] = key(ListOf(SectionOf(Window)), ())
    otherwise: tuple[str, ...] = key(ListOf(RECIPIENT), ())


@dataclass(frozen=True)
class DeliveryConfig:
    """`storm_after` None: waiting messages of a chat are never merged."""

    storm_after: timedelta | None = key(values.SPAN_OR_NEVER, timedelta(seconds=10))
    max_parts: int = key(whole(1, 100), 5)
    give_up_after: timedelta = key(values.SPAN, timedelta(hours=24))


@dataclass(frozen=True)
class Summary:
    """`time` and `time_zone` are the defaults for people; `to` lists additional recipients."""

    time: time_of_day = key(values.TIME_OF_DAY, time_of_day(9))
    time_zone: str = key(values.ZONE, "UTC")
    to: tuple[str, ...] = key(ListOf(RECIPIENT), ())
    when_empty: bool = key(values.FLAG, True)
    chart: bool = key(values.FLAG, True)


@dataclass(frozen=True)
class Retention:
    """None keeps them forever."""

    messages: timedelta | None = key(values.SPAN_OR_NEVER, timedelta(days=90))
    attachments: timedelta | None = key(values.SPAN_OR_NEVER, timedelta(days=30))


@dataclass(frozen=True)
class Attachments:
    """`types` None allows all. `scan_command` is an argument list, run without a shell."""

    max_bytes: int = key(whole(1, 2_000_000_000), 50_000_000)
    types: tuple[str, ...] | None = key(ListOf(values.MEDIA_TYPE, may_be_empty=False), None)
    scan_command: tuple[str, ...] | None = key(ListOf(values.TEXT, may_be_empty=False), None)


@dataclass(frozen=True)
class Scripts:
    """Commands for /scripts in Telegram, with the placeholders `{account}` and `{name}`. None turns /scripts off."""

    list_command: tuple[str, ...] | None = key(ListOf(values.TEXT, may_be_empty=False), None)
    run_command: tuple[str, ...] | None = key(ListOf(values.TEXT, may_be_empty=False), None)
    timeout: timedelta = key(values.SPAN, timedelta(seconds=60))


@dataclass(frozen=True)
class Inbound:
    """Route `/in/<name>` for another program's format. `policy` names one of `alerts.policies`."""

    format: InboundFormat = required(choice(InboundFormat))
    to: tuple[str, ...] = required(ListOf(RECIPIENT, may_be_empty=False))
    secret: str | None = secret_key(values.SECRET, None)
    acknowledge: bool = key(values.FLAG, True)
    policy: str | None = key(values.NAME, None)
    priority: Priority = key(choice(Priority), Priority.NORMAL)
    fields: Mapping[str, str] = key(MapOf(values.TEXT), {})
    """Path of each InboundField in the document, for json and form."""


@dataclass(frozen=True)
class Log:
    level: LogLevel = key(choice(LogLevel), LogLevel.INFO)
    format: LogFormat = key(choice(LogFormat), LogFormat.AUTO)
    file: Path | None = key(values.PATH, None)


@dataclass(frozen=True)
class Config:
    """The whole config. `load` fills in `data_dir`, `socket.path` and `database.url`."""

    telegram: Telegram = key(SectionOf(Telegram), Telegram())
    database: DatabaseConfig = key(SectionOf(DatabaseConfig), DatabaseConfig())
    data_dir: Path = key(values.PATH, Path())
    socket: Socket = key(SectionOf(Socket), Socket())
    http: Http = key(SectionOf(Http), Http())
    accounts: Mapping[str, str] = key(MapOf(values.ACCOUNT, values.ACCOUNT), {})
    admins: tuple[str, ...] = key(ListOf(RECIPIENT), ())
    callers: CallersConfig = key(SectionOf(CallersConfig), CallersConfig())
    alerts: Alerts = key(SectionOf(Alerts), Alerts())
    recipients: Mapping[str, tuple[str, ...]] = key(MapOf(ListOf(RECIPIENT, may_be_empty=False)), {})
    rotations: Mapping[str, RotationConfig] = key(MapOf(SectionOf(RotationConfig)), {})
    templates: Path | None = key(values.PATH, None)
    delivery: DeliveryConfig = key(SectionOf(DeliveryConfig), DeliveryConfig())
    summary: Summary = key(SectionOf(Summary), Summary())
    retention: Retention = key(SectionOf(Retention), Retention())
    attachments: Attachments = key(SectionOf(Attachments), Attachments())
    scripts: Scripts = key(SectionOf(Scripts), Scripts())
    inbound: Mapping[str, Inbound] = key(MapOf(SectionOf(Inbound), values.ROUTE), {})
    log: Log = key(SectionOf(Log), Log())
