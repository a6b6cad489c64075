"""Taking over the people of another program, for admins."""

import re
from functools import partial
from typing import Annotated

from aiohttp import web
from pydantic import BeforeValidator, Field, WithJsonSchema

from notifybot import importing
from notifybot.authorisation import Action
from notifybot.importing import Code, Entry, Record, Rehearsed
from notifybot.messages import by_account
from notifybot.routes import documents
from notifybot.routes.bodies import Fields, read_fields
from notifybot.routes.callers import caller_of
from notifybot.routes.route import Route, runtime_of
from notifybot.routes.values import Account, Label, Moment, PrivateChatId

MOST = 2000
"""People, and codes, of one request: they share one transaction."""
_CODE = re.compile(r"[0-9]{6}")


def _code(value: object) -> str:
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise ValueError("a code is six digits, as text")
    return value


def _few(value: object) -> object:
    if isinstance(value, list) and len(value) > MOST:
        raise ValueError(f"these are {len(value)}; send at most {MOST} at a time")
    return value


class PersonFields(Fields):
    chat_id: PrivateChatId
    user_id: Label = None
    chat_name: Label = None
    account: Account = None
    created_at: Moment | None = None
    linked_at: Moment | None = None


class CodeFields(Fields):
    code: Annotated[str, BeforeValidator(_code), WithJsonSchema({"type": "string", "pattern": "^[0-9]{6}$"})]
    chat_id: PrivateChatId
    expires_at: Moment


class ImportFields(Fields):
    people: Annotated[list[PersonFields], BeforeValidator(_few)] = Field(default_factory=list, max_length=MOST)
    codes: Annotated[list[CodeFields], BeforeValidator(_few)] = Field(default_factory=list, max_length=MOST)
    dry_run: bool = False


async def take_over(request: web.Request) -> web.Response:
    """Take over what fits; with dry_run only say what would become of it."""
    fields = await read_fields(request, ImportFields)
    runtime = runtime_of(request)
    accounts = runtime.config.accounts
    take = partial(
        importing.rehearse if fields.dry_run else importing.take,
        key=runtime.secret_key,
        people=[_record(person, accounts.get(person.account or "", person.account)) for person in fields.people],
        codes=[Code(code.code, code.chat_id, code.expires_at) for code in fields.codes],
        actor=by_account(caller_of(request).account),
        now=runtime.clock.now(),
    )
    try:
        entries = await runtime.database.write(take) or []
    except Rehearsed as rehearsal:
        entries = list(rehearsal.entries)
    return documents.answer({"dry_run": fields.dry_run, "entries": [_entry(each) for each in entries]})


def _record(person: PersonFields, account: str | None) -> Record:
    user_id = None if person.user_id is None else person.user_id.lower()
    return Record(person.chat_id, user_id, person.chat_name, account, person.created_at, person.linked_at)


def _entry(entry: Entry) -> documents.Document:
    return {"what": entry.what, "fate": entry.fate, "reason": entry.reason}


ROUTES = (
    Route(
        "POST",
        "/api/admin/import",
        take_over,
        "Take over people and codes of another program. dry_run",
        Action.ADMINISTER,
        body=ImportFields,
    ),
)
