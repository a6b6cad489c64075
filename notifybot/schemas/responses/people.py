"""People, account links, API tokens and imports in the API."""

from dataclasses import dataclass
from typing import Annotated

from notifybot.config.model import Summary
from notifybot.model.people import ApiToken, Person
from notifybot.people.import_people import ImportEntry, ImportOutcome
from notifybot.people.linking import PersonStatus
from notifybot.people.preferences import quiet_hours_of
from notifybot.web.documents import OPTIONAL, Timestamp, build, named


@dataclass(slots=True, kw_only=True)
class PersonDocument:
    """A person with a chat."""

    user_id: str
    chat_id: str
    chat_name: str
    created_at: Timestamp


@dataclass(slots=True, kw_only=True)
class PersonDetailDocument(PersonDocument):
    """A person with their link and preferences. `unreachable` is why their chat takes no messages."""

    account: str | None
    linked_at: Timestamp | None
    linked_by: str | None
    is_enabled: Annotated[bool, named("enabled")]
    muted_until: Timestamp | None
    time_zone: str | None
    summary_time: str | None
    quiet_hours: str | None
    reachable: bool
    unreachable: str | None


@dataclass(slots=True, kw_only=True)
class PeopleDocument:
    people: list[PersonDetailDocument]


@dataclass(slots=True, kw_only=True)
class DeepLinkDocument:
    """A deep link to the bot. `qr` holds the lines of its QR code, only after ?qr=true."""

    url: str
    token: str
    expires_at: Timestamp
    qr: Annotated[list[str] | None, OPTIONAL] = None


@dataclass(slots=True, kw_only=True)
class LinkDocument:
    linked: bool
    linked_at: Timestamp | None


@dataclass(slots=True, kw_only=True)
class UnlinkedDocument:
    linked: bool = False


@dataclass(slots=True, kw_only=True)
class TestMessageDocument:
    sent: bool = True


@dataclass(slots=True, kw_only=True)
class AccountDocument:
    """An account's link to a chat, and its preferences."""

    linked: bool = False
    linked_at: Timestamp | None = None
    chat_name: str | None = None
    is_enabled: Annotated[bool, named("enabled")] = False
    time_zone: str | None = None
    summary_time: str | None = None
    reachable: bool = False


@dataclass(slots=True, kw_only=True)
class PreferencesDocument(AccountDocument):
    """An account's link after a change of its preferences."""

    quiet_hours: str | None = None


@dataclass(slots=True, kw_only=True)
class TokenDocument:
    """An API token, without its secret."""

    id: str
    name: str
    account: str
    scopes: list[str]
    recipients: Annotated[list[str] | None, named("to")]
    created_at: Timestamp
    created_by: str
    expires_at: Timestamp | None
    last_used_at: Timestamp | None
    revoked_at: Timestamp | None


@dataclass(slots=True, kw_only=True)
class NewTokenDocument(TokenDocument):
    """A new API token; `token` is its secret."""

    token: str


@dataclass(slots=True, kw_only=True)
class TokensDocument:
    tokens: list[TokenDocument]


@dataclass(slots=True, kw_only=True)
class ImportEntryDocument:
    """The outcome of one record; `reason` is why it was refused."""

    what: str
    fate: ImportOutcome
    reason: str | None


@dataclass(slots=True, kw_only=True)
class ImportDocument:
    dry_run: bool
    entries: list[ImportEntryDocument]


def person(found: Person) -> PersonDocument:
    return build(PersonDocument, found)


def person_detail(found: PersonStatus) -> PersonDetailDocument:
    quiet_hours, reachable = quiet_hours_of(found.person), found.unreachable is None
    return build(PersonDetailDocument, found.person, found, quiet_hours=quiet_hours, reachable=reachable)


def account(found: PersonStatus | None, summary: Summary) -> AccountDocument:
    return AccountDocument() if found is None else build(AccountDocument, found.person, **_account(found, summary))


def preferences(found: PersonStatus, summary: Summary) -> PreferencesDocument:
    quiet_hours = quiet_hours_of(found.person)
    return build(PreferencesDocument, found.person, **_account(found, summary), quiet_hours=quiet_hours)


def _account(found: PersonStatus, summary: Summary) -> dict[str, object]:
    return {
        "linked": True,
        "time_zone": found.person.time_zone or summary.time_zone,
        "summary_time": found.person.summary_time or f"{summary.time:%H:%M}",
        "reachable": found.unreachable is None,
    }


def token(found: ApiToken) -> TokenDocument:
    return build(TokenDocument, found)


def new_token(found: ApiToken, secret: str) -> NewTokenDocument:
    return build(NewTokenDocument, found, token=secret)


def import_entry(found: ImportEntry) -> ImportEntryDocument:
    return build(ImportEntryDocument, found)
