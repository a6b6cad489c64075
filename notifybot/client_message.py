"""A message on its way to the daemon: the request body that carries its fields and its files."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from notifybot.client_errors import Refused
from notifybot.client_options import Attachable, File, given
from notifybot.unix_http import Body, json_body

MOST_FILES = 20
PHOTO, DOCUMENT = "photo", "file"
"""The two kinds of files, as a form's field is called that carries one."""
TYPES = {PHOTO: "image", DOCUMENT: "document"}


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
    elif text is None and fields.get("template") is None:
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
