"""Escaping: data is shown literally in each parse mode."""

import re

from notifybot.rendering.markup import ParseMode

_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})
_MARKDOWN_V2 = re.compile(r"[_*\[\]()~`>#+\-=|{}.!\\]")
_MARKDOWN = re.compile(r"[_*`\[]")
_COMMON_MARK = re.compile(r"[!-/:-@\[-`{-~]")
_BLOCKS = re.compile(r"\A[ \t]|[ \t]\Z|\n")
"""A blank at either end and a newline can begin or end a block."""
_TICKS = re.compile(r"`+")


class MarkedUp(str):
    """Markup already, not escaped again."""

    __slots__ = ()


def escaped(text: str, mode: ParseMode | None) -> MarkedUp:
    """Escape the text, so that nothing in it is markup."""
    match mode:
        case None | ParseMode.MONO:
            return MarkedUp(text)
        case ParseMode.HTML:
            return MarkedUp(text.translate(_HTML))
        case ParseMode.MARKDOWN_V2:
            return MarkedUp(_MARKDOWN_V2.sub(r"\\\g<0>", text))
        case ParseMode.MARKDOWN:
            return MarkedUp(_MARKDOWN.sub(r"\\\g<0>", text))
        case ParseMode.COMMON_MARK:
            plain = _COMMON_MARK.sub(r"\\\g<0>", text.replace("\r\n", "\n"))
            return MarkedUp(_BLOCKS.sub(lambda found: f"&#{ord(found[0])};", plain))


def as_code(text: str, mode: ParseMode | None) -> MarkedUp:
    """Show the text literally as one line of code."""
    line = " ".join(text.split("\n"))
    match mode:
        case ParseMode.HTML if line:
            return MarkedUp(f"<code>{escaped(line, mode)}</code>")
        case ParseMode.MARKDOWN_V2 if line:
            return MarkedUp(f"`{_ticks_escaped(line)}`")
        case ParseMode.MARKDOWN if line:
            return MarkedUp(f"`{line.replace('`', chr(39))}`")
        case ParseMode.COMMON_MARK if line.strip():
            fence = _fence(line, least=1)
            return MarkedUp(f"{fence} {line} {fence}")
        case _:
            return MarkedUp(line)


def as_block(text: str, mode: ParseMode | None) -> MarkedUp:
    """Show the text literally as a block of code, such as a log."""
    if not text.strip():
        return MarkedUp("")
    match mode:
        case None | ParseMode.MONO:
            return MarkedUp(text)
        case ParseMode.HTML:
            return MarkedUp(f"<pre>{escaped(text, mode)}</pre>")
        case ParseMode.MARKDOWN_V2:
            return MarkedUp(f"```\n{_ticks_escaped(text)}\n```")
        case ParseMode.MARKDOWN:
            return MarkedUp(f"```\n{text.replace('`', chr(39))}\n```")
        case ParseMode.COMMON_MARK:
            fence = _fence(text, least=3)
            return MarkedUp(f"\n{fence}\n{text}\n{fence}\n")


def _ticks_escaped(text: str) -> str:
    return re.sub(r"[`\\]", r"\\\g<0>", text)


def _fence(text: str, *, least: int) -> str:
    """Return more backticks than the text has in a row."""
    longest = max((len(found[0]) for found in _TICKS.finditer(text)), default=0)
    return "`" * max(least, longest + 1)
