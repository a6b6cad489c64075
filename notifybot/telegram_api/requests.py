"""Build the request of a call: the Bot API method, its parameters as JSON, and files to upload."""

from collections.abc import Callable, Mapping, Sequence
from typing import IO, assert_never
from urllib.parse import parse_qsl, urlsplit

from telegram import InputFile

from notifybot.model.enums import MediaKind
from notifybot.rendering.parts import (
    Buttons,
    Delete,
    Edit,
    Entity,
    FileId,
    FileUrl,
    Media,
    Part,
    PostButton,
    Send,
    Stored,
    Substance,
    Written,
)

Json = str | int | bool | None | Sequence["Json"] | Mapping[str, "Json"]
JsonObject = Mapping[str, Json]
Parameters = Mapping[str, Json | InputFile]
Open = Callable[[Stored], IO[bytes]]
"""Open a file of our store. Raises OSError where it is gone."""

NO_PREVIEW: JsonObject = {"is_disabled": True}
METHODS = {MediaKind.PHOTO: "sendPhoto", MediaKind.DOCUMENT: "sendDocument"}
FILE_OPTIONS: Mapping[MediaKind, JsonObject] = {
    MediaKind.PHOTO: {},
    MediaKind.DOCUMENT: {"disable_content_type_detection": True},
}
"""Without this, Telegram turns a .webp document into a sticker, which has no caption."""


def request_of(call: Send | Edit | Delete, open_file: Open) -> tuple[str, Parameters]:
    """Return the method and its parameters; those that are None are not sent."""
    match call:
        case Send():
            where: dict[str, Json] = {
                "chat_id": call.chat_id,
                "disable_notification": call.silent,
                "message_thread_id": call.thread_id,
            }
            method, content = _sending(call.part, open_file)
        case Edit():
            where = {"chat_id": call.chat_id, "message_id": call.message_id}
            method, content = _editing(call, open_file)
        case Delete():
            return "deleteMessages", {"chat_id": call.chat_id, "message_ids": list(call.message_ids)}
        case _:
            assert_never(call)
    return method, {**where, **content}


def _sending(part: Part, open_file: Open) -> tuple[str, Parameters]:
    match part.media:
        case ():
            return "sendMessage", _text(part)
        case (file,):
            return METHODS[file.kind], {
                **_caption(part),
                **FILE_OPTIONS[file.kind],
                file.kind.value: _file(file, open_file),
            }
    return "sendMediaGroup", _album(part, open_file)


def _album(part: Part, open_file: Open) -> Parameters:
    """Put the caption on one item alone: Telegram then shows it under all pictures, or under that document."""
    captioned = 0 if part.media[0].kind is MediaKind.PHOTO else len(part.media) - 1
    uploads: dict[str, Json | InputFile] = {}
    items: list[Json] = []
    for place, file in enumerate(part.media):
        content = _file(file, open_file)
        if isinstance(content, InputFile):
            uploads[f"file{place}"] = content
        words = _given(**_words(part, "caption", "caption_entities")) if place == captioned else {}
        source = f"attach://file{place}" if isinstance(content, InputFile) else content
        items.append({"type": file.kind.value, "media": source, **words})
    return {**uploads, "media": items}


def _editing(call: Edit, open_file: Open) -> tuple[str, Parameters]:
    part = call.part
    if not part.media:
        return "editMessageText", _text(part)
    if part.substance is not Substance.WRITTEN:
        return "editMessageCaption", _caption(part)
    file = part.media[0]
    item = {"type": file.kind.value, "media": "attach://file", **_given(**_words(part, "caption", "caption_entities"))}
    return "editMessageMedia", {"media": item, "file": _file(file, open_file), "reply_markup": _markup(part)}


def _text(part: Part) -> dict[str, Json | InputFile]:
    preview = None if part.link_preview else NO_PREVIEW
    return {**_words(part, "text", "entities"), "reply_markup": _markup(part), "link_preview_options": preview}


def _caption(part: Part) -> dict[str, Json | InputFile]:
    return {**_words(part, "caption", "caption_entities"), "reply_markup": _markup(part)}


def _words(part: Part, text: str, entities: str) -> dict[str, Json]:
    return {text: part.text or None, entities: [_entity(entity) for entity in part.entities] or None}


def _markup(part: Part) -> Json:
    return {"inline_keyboard": _keyboard(part.buttons)} if part.buttons else None


def _file(file: Media, open_file: Open) -> str | InputFile:
    match file.source:
        case FileId(file_id):
            return file_id
        case FileUrl(url):
            return url
        case Written(content):
            return InputFile(content, filename=file.name)
        case Stored():
            return InputFile(open_file(file.source), filename=file.name, read_file_handle=False)
        case _:
            assert_never(file.source)


def _entity(entity: Entity) -> JsonObject:
    needed: JsonObject = {"type": entity.type, "offset": entity.offset, "length": entity.length}
    return {**needed, **_entity_fields(entity)}


def _entity_fields(entity: Entity) -> JsonObject:
    """Return the fields besides type and position. Emoji and dates come as tg:// URLs, but go as fields."""
    named = dict(parse_qsl(urlsplit(entity.url or "").query))
    match entity.type:
        case "custom_emoji":
            return {"custom_emoji_id": named["id"]}
        case "date_time":
            return {"unix_time": int(named["unix"]), **_given(date_time_format=named.get("format"))}
    return _given(url=entity.url, language=entity.language)


def _keyboard(buttons: Buttons) -> Json:
    return [[_button(button) for button in row] for row in buttons]


def _button(button: PostButton) -> JsonObject:
    copied: Json = None if button.copy is None else {"text": button.copy}
    given = _given(callback_data=button.callback_data, url=button.url, copy_text=copied, style=button.style)
    return {"text": button.text, **given}


def _given(**values: Json) -> dict[str, Json]:
    return {name: value for name, value in values.items() if value is not None}
