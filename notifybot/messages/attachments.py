"""The files of messages: the source of each, and the fallback if Telegram refuses it.

A file takes the cheapest way left: the file_id of an earlier upload, its URL (Telegram fetches it), our store. If
Telegram refuses one, the next is tried: a forgotten file_id is uploaded again, we fetch a URL ourselves, a photo goes
as a document. A file that cannot be shown becomes a line in the text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, assert_never

import sqlmodel
from sqlalchemy import bindparam, exists, func, not_, or_, select, text, update
from sqlmodel import Session, col

from notifybot.model.enums import EventKind, MediaKind
from notifybot.model.ids import first_id
from notifybot.model.messages import Attachment, Delivery, Message
from notifybot.model.states import State
from notifybot.posts import timeline
from notifybot.posts.outcomes import FileRefused
from notifybot.rendering.parts import Fetch, FileId, FileUrl, Media, MissingFile, NewFile, Source, Stored, Written
from notifybot.storage.statements import affected, fetch, insert_rows, run, table_of

ATTACHMENTS, MESSAGES = table_of(Attachment), table_of(Message)
_known = ATTACHMENTS.alias("known")
_FILE_ID = (
    select(func.max(_known.c.file_id))
    .where(
        _known.c.sha256 == ATTACHMENTS.c.sha256,
        _known.c.kind == ATTACHMENTS.c.kind,
        _known.c.name == ATTACHMENTS.c.name,
        text("known.file_id IS NOT NULL"),
    )
    .scalar_subquery()
)
_OF = (
    select(*ATTACHMENTS.c, _FILE_ID.label("known_id"))
    .where(ATTACHMENTS.c.message_id == bindparam("message"))
    .order_by(ATTACHMENTS.c.ordinal)
)
_ONE = select(*ATTACHMENTS.c).where(ATTACHMENTS.c.id == bindparam("attachment"))
_this = update(ATTACHMENTS).where(ATTACHMENTS.c.id == bindparam("attachment"))
_UPLOADED = _this.values(file_id=bindparam("new_file_id"))
_FORGET_FILE_ID = update(ATTACHMENTS).where(ATTACHMENTS.c.file_id == bindparam("gone")).values(file_id=None)
_REFUSED_LINK = _this.where(ATTACHMENTS.c.sha256.is_(None)).values(is_refused=True)
_AS_DOCUMENT = _this.values(kind=MediaKind.DOCUMENT)
_PROBLEM = _this.values(problem=bindparam("why"))
_FETCHED = _this.values(sha256=bindparam("content"), size=bindparam("bytes"), media_type=bindparam("type"))
_NAMED = _this.values(name=bindparam("new_name"), kind=bindparam("new_kind"))


@dataclass(frozen=True)
class PostFiles:
    """The files of a message as its next call shows them."""

    media: tuple[Media, ...] = ()
    missing: tuple[MissingFile, ...] = ()
    to_fetch: tuple[Fetch, ...] = ()


NO_FILES = PostFiles()
NONE_SHOWN: Mapping[int, MediaKind] = MappingProxyType({})
FORGOTTEN = FileId("-")
"""Stands for a file already in the chat that we could not send again."""
NOT_STORED_ANY_MORE = "It is not stored any more."


def add(session: Session, new: Sequence[tuple[str, Sequence[NewFile]]]) -> None:
    """Insert the files of new messages, given as (message id, files)."""
    rows = [
        {
            "message_id": message_id,
            "ordinal": ordinal,
            "kind": file.kind,
            "name": file.name,
            "url": file.url,
            "is_refused": file.url is not None and not file.url.lower().startswith("https:"),
            "problem": None if file.refusal is None else file.refusal.detail,
            "sha256": file.sha256,
            "size": file.size,
            "media_type": file.media_type,
        }
        for message_id, files in new
        for ordinal, file in enumerate(files, start=1)
    ]
    insert_rows(session, Attachment, rows)


def files_of(session: Session, message_id: str, shown: Mapping[int, MediaKind] = NONE_SHOWN) -> PostFiles:
    """Return the files of a message, each with its cheapest source left.

    `shown`: attachments already in this chat, with their kind there. They stay as they are, even if another chat
    refused them since.
    """
    media: list[Media] = []
    missing: list[MissingFile] = []
    to_fetch: list[Fetch] = []
    for row in fetch(session, _OF, message=message_id):
        if row.id in shown:
            media.append(Media(shown[row.id], row.name, FORGOTTEN, row.id, row.size or 0))
        elif row.problem is not None:
            missing.append(MissingFile(row.url or row.name, row.problem))
        elif (source := _source(row)) is None:
            to_fetch.append(Fetch(row.id, row.url, row.kind, row.name))
        elif source is FORGOTTEN:
            missing.append(MissingFile(row.name, NOT_STORED_ANY_MORE))
        else:
            media.append(Media(row.kind, row.name, source, row.id, row.size or 0))
    return PostFiles(tuple(media), tuple(missing), tuple(to_fetch))


def rows_of(session: Session, message_id: str) -> list[Attachment]:
    """Return the files of a message, in order."""
    of_message = sqlmodel.select(Attachment).where(Attachment.message_id == message_id)
    return list(session.exec(of_message.order_by(col(Attachment.ordinal))))


@dataclass(frozen=True)
class OwnedFile:
    """An attachment and the account that sent it."""

    file: Attachment
    account: str


def find_stored(session: Session, message_id: str, ordinal: int) -> OwnedFile | None:
    """Find a file with content in our store."""
    asked = sqlmodel.select(Attachment, Message.account).join(Message, col(Message.id) == col(Attachment.message_id))
    here = (Attachment.message_id == message_id, Attachment.ordinal == ordinal, col(Attachment.sha256).is_not(None))
    found = session.exec(asked.where(*here)).first()
    return None if found is None else OwnedFile(*found)


def is_used(session: Session, sha256: str) -> bool:
    """Return True if any attachment has this content."""
    return session.exec(sqlmodel.select(Attachment.id).where(Attachment.sha256 == sha256).limit(1)).first() is not None


def forget_content(session: Session, *, before: datetime, limit: int) -> int:
    """Release the stored content of at most `limit` files whose message is older than `before` and has no waiting
    delivery. A scheduled message counts from the time it is sent."""
    waits = sqlmodel.select(Delivery.message_id).where(text("status = 'waiting'"))
    is_of_message = col(Message.id) == Attachment.message_id
    is_ahead = or_(col(Message.state) == State.SCHEDULED, col(Message.send_at) >= before)
    old = sqlmodel.select(Attachment.id).where(
        text("sha256 IS NOT NULL"),
        col(Attachment.message_id) < first_id(before),
        col(Attachment.message_id).not_in(waits),
        not_(exists().where(is_of_message, is_ahead)),
    )
    forgotten = session.exec(old.limit(limit)).all()
    change = update(Attachment).where(col(Attachment.id).in_(forgotten)).values(sha256=None)
    return affected(session, change) if forgotten else 0


def _source(row: Any) -> Source | None:
    """Return the cheapest source left; None if we must fetch the file first."""
    if file_id := row.file_id or row.known_id:
        return FileId(file_id)
    if row.sha256 is not None:
        return Stored(row.sha256, row.size)
    if row.url is None:
        return FORGOTTEN
    return None if row.is_refused else FileUrl(row.url)


def note_uploaded(session: Session, media: Sequence[Media], file_ids: Sequence[str]) -> None:
    """Keep the file_ids that Telegram gave to files, in the same order."""
    for file, file_id in zip(media, file_ids, strict=False):
        if file.attachment_id is not None and not isinstance(file.source, FileId):
            run(session, _UPLOADED, attachment=file.attachment_id, new_file_id=file_id)


def note_refused(session: Session, refused: FileRefused, *, now: datetime) -> bool:
    """Switch refused files to their next source, and note it in the timeline. Returns False if nothing was left to
    change."""
    rows = [(file, file.attachment_id) for file in refused.media if file.attachment_id is not None]
    for file, attachment in rows:
        if refused.is_final:
            note_missing(session, attachment, f"Telegram rejected it: {refused.reason}", now=now)
        else:
            _degrade(session, file, attachment, refused.reason, now=now)
    return bool(rows)


def _degrade(session: Session, file: Media, attachment: int, reason: str, *, now: datetime) -> None:
    match file.source:
        case FileId(file_id):  # for all attachments that use it
            run(session, _FORGET_FILE_ID, gone=file_id)
        case FileUrl():
            run(session, _REFUSED_LINK, attachment=attachment)
            _note_in_timeline(session, attachment, f"Telegram could not fetch {file.name}: {reason}", now=now)
        case Stored() if file.kind is MediaKind.PHOTO:
            run(session, _AS_DOCUMENT, attachment=attachment)
            _note_in_timeline(session, attachment, f"{file.name} goes as a document: {reason}", now=now)
        case Stored() | Written():
            note_missing(session, attachment, f"Telegram rejected it: {reason}", now=now)
        case _:
            assert_never(file.source)


def note_fetched(session: Session, attachment_id: int, file: NewFile) -> None:
    """Record that we fetched a file. Its kind may change: the URL did not tell that it is no image."""
    content = {"content": file.sha256, "bytes": file.size, "type": file.media_type}
    run(session, _FETCHED, attachment=attachment_id, **content)
    run(session, _NAMED, attachment=attachment_id, new_name=file.name, new_kind=file.kind)


def note_missing(session: Session, attachment_id: int, reason: str, *, now: datetime) -> None:
    """Record that a file cannot be shown; the text gives the reason instead."""
    run(session, _PROBLEM, attachment=attachment_id, why=reason)
    _note_in_timeline(session, attachment_id, reason, now=now)


def _note_in_timeline(session: Session, attachment_id: int, detail: str, *, now: datetime) -> None:
    for row in fetch(session, _ONE, attachment=attachment_id):
        timeline.add(session, [row.message_id], EventKind.REFORMATTED, now=now, detail=detail)
