"""Read the text or caption of a call as Telegram would store it: parse mode, entities, length."""

from notifybot.sandbox.bot_api.wire import Params, bad_request
from notifybot.sandbox.formatting.detection import merge_detected
from notifybot.sandbox.formatting.entities import MAX_ENTITIES, MarkupError, is_empty, tidy, utf16_len
from notifybot.sandbox.formatting.markup import cleaned, parse
from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.state import user_json
from notifybot.sandbox.world.world import World

MAX_TEXT_UNITS = 4096
MAX_CAPTION_UNITS = 1024
MAX_URL_BYTES = 9_500
"""Of all links in one message. Telegram does not document it; bots observe about this."""


def read_text(world: World, params: Params) -> tuple[str, list[JsonObject]]:
    """Return a message's text and entities; raise Telegram's 400.

    A parse mode overrides given entities.
    """
    given = params.text("text")
    if not given:
        raise bad_request("message text is empty")
    text, entities = _parsed(given, params, "entities")
    if is_empty(text):
        raise bad_request("text must be non-empty")
    if utf16_len(text) > MAX_TEXT_UNITS:
        raise bad_request("message is too long")
    return text, _stored(world, text, entities)


def read_caption(world: World, params: Params) -> tuple[str, list[JsonObject]]:
    """Return a caption and its entities, both possibly empty; raise Telegram's 400."""
    text, entities = _parsed(params.text("caption") or "", params, "caption_entities")
    if utf16_len(text) > MAX_CAPTION_UNITS:
        raise bad_request("message caption is too long")
    return text, _stored(world, text, entities)


def _stored(world: World, text: str, entities: list[JsonObject]) -> list[JsonObject]:
    """Return the entities that the message gets, with those that Telegram finds itself."""
    kept = merge_detected(text, _with_known_users(world, entities))[:MAX_ENTITIES]
    if sum(len(str(entity["url"]).encode()) for entity in kept if "url" in entity) > MAX_URL_BYTES:
        raise bad_request("ENTITIES_TOO_LONG")
    return kept


def _parsed(text: str, params: Params, entities_name: str) -> tuple[str, list[JsonObject]]:
    mode = params.text("parse_mode")
    entities = params.items(entities_name)
    try:
        if mode and mode.lower() != "none":
            return parse(text, mode)
        if entities:
            return cleaned(text, entities)
    except MarkupError as error:
        raise bad_request(str(error)) from error
    return tidy(text, [])[0], []


def _with_known_users(world: World, entities: list[JsonObject]) -> list[JsonObject]:
    """Fill in mentioned users; drop mentions of users unknown to the bot, as Telegram does."""
    kept: list[JsonObject] = []
    for entity in entities:
        if entity["type"] != "text_mention":
            kept.append(entity)
        elif isinstance(mentioned := entity["user"], dict) and (user := world.users.get(mentioned["id"])):
            kept.append(entity | {"user": user_json(user)})
    return kept
