"""Turn the fields and files of a request into a NewMessage."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from urllib.parse import unquote, urlsplit

from aiohttp import web

from notifybot.alerts.policy import AlertTiming, alert_timing
from notifybot.auth.permissions import Caller
from notifybot.config.model import Policy
from notifybot.errors import NotifybotError
from notifybot.files.admit import unless_refused
from notifybot.files.media_types import safe_name
from notifybot.messages.new_message import NewMessage
from notifybot.model.enums import MediaKind
from notifybot.recipients.address import recipient_of
from notifybot.recipients.lookup import RecipientQuery
from notifybot.recipients.resolve import check_reachable
from notifybot.rendering.parts import MissingFile, NewFile
from notifybot.rendering.render import is_long_markup, markup_problem
from notifybot.runtime import Runtime
from notifybot.schemas.messages import (
    EXTRAS,
    KEY_HEADER,
    AnyFields,
    EventFields,
    F,
    IngestFields,
    KeyHeader,
    PhotoFields,
    SendFields,
)
from notifybot.schemas.template import fill_template
from notifybot.schemas.types import MAX_URL
from notifybot.storage.under_way import DiedBefore, text_work
from notifybot.web.bodies import check, fields_of, read_fields
from notifybot.web.local_copy import store_local_file
from notifybot.web.multipart import from_base64, is_form, kind_of_type, read_form
from notifybot.web.problems import FieldProblem, InvalidFields
from notifybot.web.route import runtime_of

TEXT = "text"
SPANS = frozenset({"escalate_after", "close_after", "remind_every"})
PLAIN = SPANS | {"type", "content", "title", "channel_id", "user", "to", "source", "client_id", "acknowledge"}
"""Fields of a text that is read from its body alone."""
NO_TIMING = AlertTiming(None, None)
NO_ALERT = "a policy is for an alert, and this is a notice: set acknowledge to true, or leave the policy out"
SCHEME = 20
"""Characters: a URL has its :// in the first ones, which base64 never has."""


async def read_ingest(request: web.Request, caller: Caller) -> NewMessage:
    """Read `POST /api/ingest`: a text, or files with a caption."""
    fields, files = await _read(request, IngestFields)
    if fields.type == "text" and not files:
        _refuse_if(fields.caption is not None, "caption", "a text has no caption; use content")
        return await message_of(request, caller, fields, fields.content, ())
    _refuse_if(bool(files) and fields.content is not None, "content", "with uploaded files, use caption for the text")
    if not files and fields.action is None:
        content = _content_file(request, fields)
        files = (await unless_refused(content, kind_of_type(fields.type), fields.file_name or fields.type),)
    return await message_of(request, caller, fields, fields.caption, files)


async def read_send(request: web.Request, caller: Caller) -> NewMessage:
    fields, files = await _read(request, SendFields)
    return await message_of(request, caller, fields, fields.text, files)


async def read_photo(request: web.Request, caller: Caller) -> NewMessage:
    """Read `POST /send_photo`: a picture by its path, or uploaded."""
    fields, files = await _read(request, PhotoFields)
    _refuse_if(bool(files) == (fields.photo_path is not None), "photo_path", "give a path, or upload the file as photo")
    if fields.photo_path is not None:
        copied = store_local_file(runtime_of(request).files, fields.photo_path, request)
        files = (await unless_refused(copied, MediaKind.PHOTO, fields.photo_path),)
    return await message_of(request, caller, fields, fields.caption, files)


async def read_event(request: web.Request, caller: Caller) -> NewMessage:
    """Read `POST /api/events`: the template of the event's name provides the text."""
    fields, files = await _read(request, EventFields)
    return await message_of(request, caller, fields, None, files)


async def _read(request: web.Request, model: type[F]) -> tuple[F, tuple[NewFile, ...]]:
    if not is_form(request):
        return await read_fields(request, model), ()
    form = await read_form(request, runtime_of(request).files, model, model.file_fields)
    return check(model, form.fields), form.files


async def _content_file(request: web.Request, fields: IngestFields) -> NewFile:
    """Return the file in `content`: a URL, which Telegram fetches, or we if it is http, or base64."""
    content, kind = fields.content, kind_of_type(fields.type)
    _refuse_if(content is None, "content", f"this is required: the {fields.type} as an https:// URL, base64, or a file")
    assert content is not None
    if "://" not in content[:SCHEME]:
        return await from_base64(content, name=fields.file_name or "", kind=kind, intake=runtime_of(request).files)
    _refuse_if(not is_web_url(content), "content", "a URL starts with https:// and has a host, and no user or password")
    name = fields.file_name or unquote(urlsplit(content).path.rpartition("/")[2])
    return NewFile(kind, safe_name(name) if name else "", url=content)


def is_web_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    is_plain = len(url) <= MAX_URL and url.isprintable() and not any(map(str.isspace, url))
    return parts.scheme.lower() in ("https", "http") and has_host and parts.username is None and is_plain


async def message_of(
    request: web.Request, caller: Caller, fields: AnyFields, text: str | None, files: tuple[NewFile, ...]
) -> NewMessage:
    """Make the message. `text`: from whichever field it came."""
    runtime, given, files = runtime_of(request), fields, (*files, *map(_missing_file, fields.missing_files))
    if fields.template_name is not None:
        fields, text = await fill_template(runtime.templates, runtime.under_way, fields.template_name, fields, text)
    _refuse_if(text is None and not files and fields.action is None, fields.text_field, "this field is required")
    _check_files(fields, text, files)
    _refuse_if(fields.policy is not None and not fields.acknowledge, "policy", NO_ALERT)
    timing = await _alert_timing(runtime, caller, fields)
    new = _keyed(_new(caller, fields, text, timing), _client_id(request, fields), given, files)
    has_extras = timing.plan is not None or timing.remind_every is not None or fields.model_fields_set & EXTRAS
    is_plain = not has_extras and not files and fields.kind == TEXT
    return new if is_plain else await _readable(runtime, _with_extras(new, fields, text, files, timing))


def plain_message(runtime: Runtime, caller: Caller, body: bytes) -> NewMessage | None:
    """Read a plain text of `POST /api/ingest`; None if it is not plain. Raises the refusals of `read_ingest`."""
    fields = fields_of(body, IngestFields)
    if fields.type != TEXT or fields.content is None or not fields.model_fields_set <= PLAIN:
        return None
    timing = alert_timing(runtime.config.alerts, None, _spans(fields))
    timing = timing if fields.acknowledge else NO_TIMING
    if timing.plan is not None or timing.remind_every is not None:
        return None
    return _keyed(_new(caller, fields, fields.content, timing), fields.client_id, fields, ())


def _keyed(new: NewMessage, client_id: str | None, given: AnyFields, files: Sequence[NewFile]) -> NewMessage:
    """Add the client_id, and the fingerprint by which a repetition is told from another request."""
    return new if client_id is None else new._replace(client_id=client_id, fingerprint=_fingerprint(given, files))


def _new(caller: Caller, fields: AnyFields, text: str | None, timing: AlertTiming) -> NewMessage:
    return NewMessage(
        account=caller.account,
        source=fields.source or caller.account,
        recipients=fields.recipients,
        content=text or "",
        title=fields.title,
        is_alert=fields.acknowledge,
        escalate_after=timing.escalate_after,
        close_after=timing.close_after,
        allowed=caller.allowed,
    )


def _missing_file(missing: MissingFile) -> NewFile:
    return NewFile(MediaKind.DOCUMENT, missing.name, refusal=NotifybotError(missing.reason))


def _check_files(fields: AnyFields, text: str | None, files: Sequence[NewFile]) -> None:
    """Refuse a message that is nothing but refused files; other messages name these in their text. A notice is refused
    as well where the same request may succeed later."""
    is_worth_sending = bool(text or fields.title or any(file.refusal is None for file in files))
    for refusal in filter(None, (file.refusal for file in files)):
        if not is_worth_sending or (refusal.code >= 500 and not fields.acknowledge):
            raise refusal


async def _alert_timing(runtime: Runtime, caller: Caller, fields: AnyFields) -> AlertTiming:
    """Find when an alert escalates and closes. The caller may only name recipients in a policy whom they may notify."""
    timing = alert_timing(runtime.config.alerts, fields.policy, _spans(fields))
    if isinstance(fields.policy, Policy):
        names = dict.fromkeys(name for step in fields.policy.steps for name in step.to)
        whom = RecipientQuery(caller.account, tuple(map(recipient_of, names)), caller.allowed)
        now, directory = runtime.clock.now(), runtime.directory
        await runtime.database.write(partial(check_reachable, whom=whom, now=now, directory=directory))
    return timing if fields.acknowledge else NO_TIMING


def _spans(fields: AnyFields) -> dict[str, timedelta | None]:
    return {name: getattr(fields, name) for name in SPANS & fields.model_fields_set}


def _with_extras(
    new: NewMessage, fields: AnyFields, text: str | None, files: tuple[NewFile, ...], timing: AlertTiming
) -> NewMessage:
    look = fields.appearance()
    if files and look.type == "text":  # a form may leave out type
        look = replace(look, type="image" if all(file.kind is MediaKind.PHOTO for file in files) else "document")
    return new._replace(
        look=look,
        files=files,
        data=fields.data,
        dedup_key=fields.dedup_key,
        is_resolving=fields.action == "resolve",
        has_text=text is not None,
        send_at=fields.sends_at,
        repeat=fields.repeat,
        time_zone=fields.time_zone or "UTC",
        event=fields.event_name,
        policy=timing.policy,
        plan=None if timing.plan is None else timing.plan.to_json(),
        steps=timing.step_count,
        remind_every=timing.remind_every,
    )


async def _readable(runtime: Runtime, new: NewMessage) -> NewMessage:
    """Note why the markup cannot be parsed, if it cannot; remove it if parsing ended the process before: the message
    is worth more than its formatting."""
    try:
        reason = await plain_reason(runtime, new.content, new.look.parse_mode)
    except DiedBefore as refusal:
        return new._replace(why_plain=refusal.detail, look=replace(new.look, parse_mode=None))
    return new if reason is None else new._replace(why_plain=reason)


async def plain_reason(runtime: Runtime, text: str | None, parse_mode: str | None) -> str | None:
    """Return the reason to send a text without its markup, if any. Long texts are parsed on a thread. Raises
    DiedBefore."""
    if not text or parse_mode is None:
        return None
    find = partial(markup_problem, text, parse_mode, runtime.config.delivery.max_parts)
    if not is_long_markup(text, parse_mode):
        return find()
    marked = runtime.under_way.working_on(text_work(text, parse_mode))
    return await runtime.render_pool.run(find, len(text), marked)


def _refuse_if(is_wrong: bool, field: str, error: str) -> None:
    if is_wrong:
        raise InvalidFields([FieldProblem((field,), error)])


def _client_id(request: web.Request, fields: AnyFields) -> str | None:
    """Return the client_id from the body or the header, which must agree."""
    if KEY_HEADER not in request.headers:
        return fields.client_id
    headers = set(request.headers.getall(KEY_HEADER))
    if len(headers) > 1:
        raise InvalidFields([FieldProblem((KEY_HEADER,), "this header is given twice")])
    named = check(KeyHeader, {KEY_HEADER: headers.pop()}).key
    if fields.client_id not in (None, named):
        raise InvalidFields([FieldProblem(("client_id",), f"this and the header {KEY_HEADER} differ")])
    return named


def _fingerprint(fields: AnyFields, files: Sequence[NewFile]) -> str:
    """Return a digest of the fields, and behind a colon one of the files; none if one could not be stored, as a
    repetition may store it (messages.idempotency)."""
    request = fields.model_dump_json(exclude={"client_id"}, exclude_defaults=True)
    names = json.dumps([[file.kind, file.name] for file in files])
    is_whole = all(file.refusal is None for file in files)
    return f"{_digest(request + names)}:{_digest(json.dumps([*map(asdict, files)])) if is_whole else ''}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
