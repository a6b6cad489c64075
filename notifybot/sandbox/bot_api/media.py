"""Bot API methods that send and edit photos, documents and albums, and serve files."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

from notifybot.sandbox.bot_api.access import editable_message, pace, writable_chat
from notifybot.sandbox.bot_api.fetch import is_address
from notifybot.sandbox.bot_api.keyboards import read_markup
from notifybot.sandbox.bot_api.messages import NOT_MODIFIED, new_message
from notifybot.sandbox.bot_api.text import read_caption
from notifybot.sandbox.bot_api.uploads import ATTACHED
from notifybot.sandbox.bot_api.wire import Params, bad_request, not_in_the_sandbox
from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.files import Media, MediaKind
from notifybot.sandbox.world.images import Image, read_image
from notifybot.sandbox.world.spool import Content, Source, Unfetched
from notifybot.sandbox.world.state import Message
from notifybot.sandbox.world.world import World

MAX_PHOTO_BYTES = 10 * 1024 * 1024
MAX_DOWNLOAD_BYTES = 20 * 1024 * 1024
MAX_SIDES = 10_000
MAX_RATIO = 20
ALBUM_SIZES = range(2, 11)
# Internal error codes for which the Bot API has its own wording.
WORDED = {
    "WEBPAGE_CURL_FAILED": "failed to get HTTP URL content",
    "WEBPAGE_MEDIA_EMPTY": "wrong type of the web page content",
}


class FileRefused(Exception):
    """Telegram's servers refuse the file; `code` is their error code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Shown:
    """Content of a media message, without its buttons."""

    media: Media
    caption: str
    entities: list[JsonObject]
    has_spoiler: bool
    is_caption_above: bool

    def put_into(self, message: Message) -> None:
        message.media, message.text, message.entities = self.media, self.caption, self.entities
        message.has_spoiler, message.is_caption_above = self.has_spoiler, self.is_caption_above


def references(params: Params) -> dict[str, MediaKind]:
    """List the file references of a call, each with its kind of media."""
    found = {reference: kind for kind in MediaKind if (reference := params.text(kind)) is not None}
    media = params.values.get("media")
    items = media if isinstance(media, list) else [media] if isinstance(media, dict) else []
    return found | {str(item["media"]): MediaKind(item["type"]) for item in items if item["type"] in set(MediaKind)}


def send_photo(world: World, params: Params) -> JsonObject:
    return _send(world, params, MediaKind.PHOTO, "sendPhoto")


def send_document(world: World, params: Params) -> JsonObject:
    return _send(world, params, MediaKind.DOCUMENT, "sendDocument")


def send_media_group(world: World, params: Params) -> list[JsonObject]:
    """Send an album, all or nothing: one message for each item."""
    writable_chat(world, params)
    items = list(_items(params))
    shown = [_album_item(world, place, item) for place, item in enumerate(items, start=1)]
    _check_album(shown)
    first = new_message(world, params, "sendMediaGroup", count=len(shown))
    first.media_group_id = world.new_album_id()
    messages = [copy(first) for _ in shown]
    for message, item in zip(messages, shown, strict=True):
        item.put_into(message)
    return [world.post(message) for message in messages]


def edit_message_caption(world: World, params: Params) -> JsonObject:
    text, entities = read_caption(world, params)
    message = editable_message(world, params)
    markup = read_markup(params, message.chat, is_edit=True)
    if message.media is None:
        raise bad_request("there is no caption in the message to edit")
    is_above = params.flag("show_caption_above_media")
    shown = Shown(message.media, text, entities, message.has_spoiler, is_above)
    return _edit(world, "editMessageCaption", message, shown, markup)


def edit_message_media(world: World, params: Params) -> JsonObject:
    """Replace a message's media, or its text, with a photo or document."""
    message = editable_message(world, params)
    item = Params(params.mapping("media") or {}, params.files)
    kind = _kind(item)
    if message.media_group_id and message.media and message.media.kind is not kind:
        raise bad_request("can't change media type in the album")
    shown = _single(world, item, kind, item.text("media") or "")
    markup = read_markup(params, message.chat, is_edit=True)
    return _edit(world, "editMessageMedia", message, shown, markup)


def get_file(world: World, params: Params) -> JsonObject:
    """Return a file's download path."""
    file_id = params.text("file_id") or ""
    media = world.files.find(file_id)
    if media is None:
        raise bad_request("invalid file_id")
    if media.content.size > MAX_DOWNLOAD_BYTES:
        raise bad_request("file is too big")
    ids = next((size.ids for size in media.sizes if size.ids.file_id == file_id), media.ids)
    written: JsonObject = {"file_id": ids.file_id, "file_unique_id": ids.unique_id}
    return written | {"file_size": media.content.size, "file_path": media.download}


def _send(world: World, params: Params, kind: MediaKind, method: str) -> JsonObject:
    writable_chat(world, params)
    shown = _single(world, params, kind, params.text(kind) or "")
    message = new_message(world, params, method)
    shown.put_into(message)
    return world.post(message)


def _edit(world: World, method: str, message: Message, shown: Shown, markup: JsonObject | None) -> JsonObject:
    pace(world, method, message.chat)
    if message.media is not None and (_shown_by(message, message.media), message.reply_markup) == (shown, markup):
        raise bad_request(NOT_MODIFIED)
    message.media, message.link_preview = shown.media, None
    message.has_spoiler, message.is_caption_above = shown.has_spoiler, shown.is_caption_above
    return world.edit(message, shown.caption, shown.entities, markup)


def _shown_by(message: Message, media: Media) -> Shown:
    return Shown(media, message.text, message.entities, message.has_spoiler, message.is_caption_above)


def _items(params: Params) -> Iterator[Params]:
    items = params.items("media") or []
    if not items:
        raise bad_request("there are no messages to send")
    if len(items) not in ALBUM_SIZES:
        raise bad_request(f"too {'few' if len(items) < 2 else 'many'} messages to send as an album")
    for item in items:
        assert isinstance(item, dict)
        yield Params(item, params.files)


def _check_album(shown: list[Shown]) -> None:
    kinds = {item.media.kind for item in shown}
    if len(kinds) > 1:
        raise bad_request("document can't be mixed with other media types")
    if MediaKind.PHOTO in kinds and len({item.is_caption_above for item in shown}) > 1:
        raise bad_request("parameter show_caption_above_media must be the same for all messages")


def _album_item(world: World, place: int, item: Params) -> Shown:
    try:
        return _shown(world, item, _kind(item), item.text("media") or "")
    except FileRefused as refused:
        reason = f'failed to send message #{place} with the error message "{refused.code}"'
        raise bad_request(reason) from refused


def _single(world: World, params: Params, kind: MediaKind, reference: str) -> Shown:
    try:
        return _shown(world, params, kind, reference)
    except FileRefused as refused:
        raise bad_request(WORDED.get(refused.code, refused.code)) from refused


def _shown(world: World, params: Params, kind: MediaKind, reference: str) -> Shown:
    """Read the file and its caption; raise FileRefused or Telegram's 400."""
    media = _media(world, params, kind, reference)
    caption, entities = read_caption(world, params)
    is_spoiler, is_above = params.flag("has_spoiler"), params.flag("show_caption_above_media")
    return Shown(media, caption, entities, is_spoiler, is_above)


def _kind(item: Params) -> MediaKind:
    name = item.text("type") or ""
    if name not in set(MediaKind):
        raise not_in_the_sandbox(f'media of the type "{name}"')
    return MediaKind(name)


def _media(world: World, params: Params, kind: MediaKind, reference: str) -> Media:
    found = params.files.get(reference)
    if isinstance(found, Unfetched):
        raise FileRefused(found.code)
    if found is not None:
        return _new_media(world, kind, found, is_uploaded=not is_address(reference))
    if not reference or reference.startswith(ATTACHED):
        raise bad_request(f"there is no {kind} in the request")
    return _known_media(world, kind, reference)


def _known_media(world: World, kind: MediaKind, file_id: str) -> Media:
    known = world.files.find(file_id)
    if known is None:
        raise bad_request("wrong file identifier/HTTP URL specified")
    if known.kind is not kind:
        raise bad_request(f"can't use file of type {known.kind.capitalize()} as {kind.capitalize()}")
    return known


def _new_media(world: World, kind: MediaKind, source: Source, *, is_uploaded: bool) -> Media:
    if not source.content.size:
        raise bad_request("file must be non-empty")
    if kind is MediaKind.PHOTO:
        return world.files.add_photo(source.content, _checked_image(source.content))
    return world.files.add_document(source.content, source.name, None if is_uploaded else source.mime_type)


def _checked_image(content: Content) -> Image:
    """Return the image if Telegram accepts it as a photo."""
    if content.size > MAX_PHOTO_BYTES:
        sizes = f"file of size {content.size} bytes is too big for a photo; the maximum size is {MAX_PHOTO_BYTES} bytes"
        raise bad_request(sizes)
    image = read_image(content)
    if image is None:
        raise FileRefused("IMAGE_PROCESS_FAILED")
    shorter, longer = sorted((image.width, image.height))
    if shorter + longer > MAX_SIDES or longer > MAX_RATIO * shorter:
        raise FileRefused("PHOTO_INVALID_DIMENSIONS")
    return image
