"""Import people from another program."""

import re
from functools import partial
from typing import Annotated

from aiohttp import web
from pydantic import BeforeValidator, Field, WithJsonSchema

from notifybot.auth.permissions import Action
from notifybot.model.actors import by_account
from notifybot.people import import_people
from notifybot.people.import_people import CodeRecord, DryRun, PersonRecord
from notifybot.schemas.responses.people import ImportDocument, import_entry
from notifybot.schemas.types import Account, Label, PrivateChatId, RequestTimestamp
from notifybot.web.bodies import RequestFields, read_fields
from notifybot.web.documents import json_response
from notifybot.web.guard import caller_of
from notifybot.web.route import Route, runtime_of

MAX_LIST = 2000
"""People, and codes, of one request: all in one transaction."""
_CODE = re.compile(r"[0-9]{6}")


def _code(value: object) -> str:
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise ValueError("a code is six digits, as text")
    return value


def _limited(value: object) -> object:
    if isinstance(value, list) and len(value) > MAX_LIST:
        raise ValueError(f"the list has {len(value)} items; send at most {MAX_LIST} at a time")
    return value


class ImportedPersonFields(RequestFields):
    chat_id: PrivateChatId
    user_id: Label = None
    chat_name: Label = None
    account: Account = None
    created_at: RequestTimestamp | None = None
    linked_at: RequestTimestamp | None = None


class ImportedCodeFields(RequestFields):
    code: Annotated[str, BeforeValidator(_code), WithJsonSchema({"type": "string", "pattern": "^[0-9]{6}$"})]
    chat_id: PrivateChatId
    expires_at: RequestTimestamp


class ImportFields(RequestFields):
    people: Annotated[list[ImportedPersonFields], BeforeValidator(_limited)] = Field(
        default_factory=list, max_length=MAX_LIST
    )
    codes: Annotated[list[ImportedCodeFields], BeforeValidator(_limited)] = Field(
        default_factory=list, max_length=MAX_LIST
    )
    dry_run: bool = False


async def import_all(request: web.Request) -> web.Response:
    """Import valid records. With dry_run, only report the outcome."""
    fields = await read_fields(request, ImportFields)
    runtime = runtime_of(request)
    accounts = runtime.config.accounts
    run = partial(
        import_people.dry_run if fields.dry_run else import_people.import_all,
        key=runtime.secret_key,
        people=[_record(person, accounts.get(person.account or "", person.account)) for person in fields.people],
        codes=[CodeRecord(code.code, code.chat_id, code.expires_at) for code in fields.codes],
        actor=by_account(caller_of(request).account),
        now=runtime.clock.now(),
    )
    try:
        entries = await runtime.database.write(run) or []
    except DryRun as rehearsal:
        entries = list(rehearsal.entries)
    return json_response(ImportDocument(dry_run=fields.dry_run, entries=[import_entry(each) for each in entries]))


def _record(person: ImportedPersonFields, account: str | None) -> PersonRecord:
    user_id = None if person.user_id is None else person.user_id.lower()
    return PersonRecord(person.chat_id, user_id, person.chat_name, account, person.created_at, person.linked_at)


ROUTES = (
    Route(
        "POST",
        "/api/admin/import",
        import_all,
        ImportDocument,
        "Import people and link codes from another program; dry_run changes nothing.",
        Action.ADMINISTER,
        body=ImportFields,
    ),
)
