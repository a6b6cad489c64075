"""A message on its way to the daemon: its fields, and the request body that carries them and its files."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from notifybot.client_errors import Refused
from notifybot.results import Button
from notifybot.unix_http import Body, json_body

TYPE_CHECKING = False  # typing's own would cost every call of the client 3 ms
if TYPE_CHECKING:
    from typing import IO, TypedDict

    class SendOptions(TypedDict, total=False):
        """What Client.send takes beside the text and its recipient."""

        title: str | None
        source: str | None
        photos: "Attachable | Iterable[Attachable]"
        files: "Attachable | Iterable[Attachable]"
        parse_mode: str | None
        buttons: Sequence[Button]
        link_preview: bool
        priority: str | None
        silent: bool
        thread_id: int | None
        alert: bool
        escalate_after: "Span | None"
        close_after: "Span | None"
        dedup_key: str | None
        data: Mapping[str, object] | None
        client_id: str | None
        wait_s: float | None


Span = timedelta | int | str
"""A timedelta, seconds, or text such as `15m`; 0 and `never` switch the deadline off."""

MOST_BUTTONS = 4
MOST_FILES = 20
PHOTO, DOCUMENT = "photo", "file"
"""The two kinds of files, as a form's field is called that carries one."""
TYPES = {PHOTO: "image", DOCUMENT: "document"}


@dataclass(frozen=True)
class File:
    """A file to send. `source`: a path, an https URL, bytes, or an open binary file; `name`: what to call it."""

    source: "str | os.PathLike[str] | bytes | IO[bytes]"
    name: str | None = None


Attachable = File | str | os.PathLike[str]
"""A file to send; a path or an https URL is enough."""


def addressed(to: str | Iterable[str]) -> dict[str, object]:
    """The field that takes this recipient or these: `channel_id` a single chat, `to` anything else.

    Refused where there is none.
    """
    recipients = [to] if isinstance(to, str) else list(dict.fromkeys(to))
    if not recipients or not all(recipients):
        raise Refused("No recipient is given.", hint="Say for whom it is: a chat, a person, or a name of the config.")
    if len(recipients) == 1 and _is_chat(recipients[0]):
        return {"channel_id": recipients[0]}
    return {"to": recipients}


def _is_chat(to: str) -> bool:
    return to.startswith("@") or (to.isascii() and to.removeprefix("-").isdecimal())


def whole_seconds(span: Span | None) -> int | str | None:
    """A span as the daemon takes it: whole seconds (a part of one counts as one), or text."""
    if isinstance(span, timedelta):
        return -(-span // timedelta(seconds=1))
    return span


def buttons_of(buttons: Sequence[Button]) -> list[dict[str, object]] | None:
    """The buttons as the daemon takes them. Refused where there are too many, or one does nothing or two things."""
    if len(buttons) > MOST_BUTTONS:
        raise Refused(f"A message takes {MOST_BUTTONS} buttons, not {len(buttons)}.", hint="Leave some out.")
    for button in buttons:
        if (button.url is None) == (button.copy is None):
            raise Refused(f"The button `{button.text}` needs a url or a text to copy.", hint="Give it one of the two.")
    return [given({"text": each.text, "url": each.url, "copy": each.copy}) for each in buttons] or None


def given(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


@contextmanager
def body_of(
    fields: Mapping[str, object],
    text: str | None,
    *,
    photos: Attachable | Iterable[Attachable] = (),
    files: Attachable | Iterable[Attachable] = (),
) -> Iterator[Body]:
    """The body that carries a message: JSON, or a form where files are uploaded, which stay open until the block ends.

    Raises Refused for whatever can be seen to be wrong before anything is sent.
    """
    attached = [(PHOTO, each) for each in _files_of(photos)] + [(DOCUMENT, each) for each in _files_of(files)]
    if len(attached) > MOST_FILES:
        raise Refused(
            f"A message takes {MOST_FILES} files, not {len(attached)}.",
            hint="Send several, or pack them into one file.",
        )
    by_url = next((each for each in attached if _url_of(each[1])), None)
    if by_url is not None:
        yield json_body(_json(_by_url(fields, text, *by_url, is_alone=len(attached) == 1)))
    elif attached:
        from notifybot.client_files import opened  # most messages have none
        from notifybot.client_form import form

        with ExitStack() as stack:
            uploads = [opened(file, kind, stack) for kind, file in attached]
            yield form({"type": TYPES[attached[0][0]], **fields, "caption": text}, uploads)
    elif text is None:
        raise Refused("Neither a text nor a file is given.", hint="Say something.")
    else:
        yield json_body(_json({"type": "text", "content": text, **fields}))


def _files_of(given: Attachable | Iterable[Attachable]) -> list[File]:
    """What was given for a list of files; a single one is one of them."""
    listed = (given,) if isinstance(given, File | str | os.PathLike) else given
    return [each if isinstance(each, File) else File(each) for each in listed]


def _url_of(file: File) -> str | None:
    """The https URL that this file is, None where it is something to upload. Refused for other URLs."""
    if not isinstance(file.source, str):
        return None
    scheme, is_url, _ = file.source.partition("://")
    if not is_url or not scheme.isalnum():
        return None
    if scheme.lower() != "https":
        raise Refused(
            f"{file.source} is no https URL.", hint="Only https URLs are fetched: download it, send the file."
        )
    return file.source


def _by_url(
    fields: Mapping[str, object], text: str | None, kind: str, file: File, *, is_alone: bool
) -> dict[str, object]:
    if not is_alone:
        raise Refused("A message takes one URL, and no other file beside it.", hint="Send them one by one.")
    content = {"type": TYPES[kind], "content": _url_of(file), "file_name": file.name}
    return {**content, **fields, "caption": text}


def _json(fields: Mapping[str, object]) -> bytes:
    return json.dumps(given(fields)).encode("ascii")
