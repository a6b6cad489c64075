"""A post as plain text that nothing has parsed, for a message that notifybot could not prepare."""

from dataclasses import replace

from notifybot.model.enums import MediaKind
from notifybot.rendering.layout import FULL_TEXT_NAME
from notifybot.rendering.parts import Media, Written
from notifybot.rendering.views import MessageView, PostView

UNITS = 3000
"""UTF-16 units of the text shown: with title, note and status lines it is one part."""
BELOW = "The full text, without its formatting, is in the file below."


def unparsed(post: PostView, reason: str) -> PostView:
    """Return the post with the beginning of its text only, as it came, and all of it in a file. `reason`: a sentence
    for people."""
    if post.message is None:
        return post
    return replace(post, message=_unparsed(post.message, reason))


def _unparsed(message: MessageView, reason: str) -> MessageView:
    look = replace(message.look, parse_mode=None, text_first=True)
    content = f"{_beginning(message.content)}\n\n{reason} {BELOW}"
    whole = Media(MediaKind.DOCUMENT, FULL_TEXT_NAME, Written(message.content.encode(errors="replace")))
    return replace(message, content=content, look=look, media=(*message.media, whole))


def _beginning(text: str) -> str:
    """Cut a text that is longer than UNITS, at the end of a line if there is one near."""
    encoded = text[:UNITS].encode("utf-16-le", "replace")
    if len(text) <= UNITS and len(encoded) <= 2 * UNITS:
        return text
    cut = encoded[: 2 * UNITS].decode("utf-16-le", "ignore")
    line, _, rest = cut.rpartition("\n")
    return f"{line if len(rest) < UNITS // 4 and line else cut}…"
