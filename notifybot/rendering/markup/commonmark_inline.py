"""Write inline CommonMark: styles, code, links, images and line breaks."""

import re
from collections.abc import Sequence

from markdown_it.token import Token

from notifybot.rendering.markup.builder import Place
from notifybot.rendering.markup.commonmark_blocks import BlockWriter
from notifybot.rendering.markup.links import checked

STYLES = {"em": "italic", "strong": "bold", "s": "strikethrough"}
# A URL without a scheme is relative; Telegram would take README.md for a host in Moldova.
ABSOLUTE = re.compile(r"(?:https?|tg|ton|tonsite):|www\.", re.IGNORECASE)
MAIL_SCHEME = "mailto:"


def write_inline(page: BlockWriter, tokens: Sequence[Token]) -> None:
    """Write the content of a paragraph, heading or cell."""
    begun: list[tuple[Place, str]] = []
    for token in tokens:
        kind, _, step = token.type.rpartition("_")
        if step == "open":
            begun.append((page.draft.place, str(token.attrGet("href") or "")))
        elif step == "close":
            _close(page, kind, *begun.pop())
        elif token.type == "image":
            _image(page, token, is_in_link=any(address for _, address in begun))
        else:
            _write(page, token)


def _close(page: BlockWriter, kind: str, place: Place, address: str) -> None:
    if kind == "link":
        _link(page, place, address)
    else:
        page.draft.mark(STYLES[kind], place.length)


def _write(page: BlockWriter, token: Token) -> None:
    match token.type:
        case "code_inline":
            begin = page.draft.length
            page.draft.write(token.content)
            page.draft.mark("code", begin)
        case "softbreak" | "hardbreak":
            page.break_line()
        case _:
            page.draft.write(token.content)


def _image(page: BlockWriter, token: Token, *, is_in_link: bool) -> None:
    """Write an image's alternative text, linked to the image unless it is inside a link."""
    place = page.draft.place
    page.draft.write(_alternative(token.children or []))
    if not is_in_link:
        _link(page, place, str(token.attrGet("src") or ""))


def _link(page: BlockWriter, place: Place, address: str) -> None:
    """Link the text since `place`. A URL that cannot be a link is written after it, so that it is not lost."""
    if page.draft.length == place.length:
        page.draft.write(address)
    url = checked(address) if ABSOLUTE.match(address) else None
    shown = address.removeprefix(MAIL_SCHEME)
    if url is not None:
        _forget_code(page, place)
        page.draft.mark("text_link", place.length, url=url)
    elif address and page.draft.address_since(place) not in (shown, address):
        page.draft.write(f" ({shown})")


def _forget_code(page: BlockWriter, place: Place) -> None:
    """Let a link win over code of the same text, such as a commit's hash: Telegram shows only one of the two."""
    last = page.draft.spans[-1] if page.draft.spans else None
    if last and last.type == "code" and (last.begin, last.end) == (place.length, page.draft.length):
        page.draft.spans.pop()


def _alternative(tokens: Sequence[Token]) -> str:
    """Return an image's alternative text without formatting."""
    return "".join("\n" if token.type.endswith("break") else token.content for token in tokens)
