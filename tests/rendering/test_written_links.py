"""Links that cannot be shown as links are written in the text: `label (address)`."""

import pytest

from notifybot.rendering.markup import ParseMode
from notifybot.rendering.parts import Entity
from notifybot.rendering.render import read_markup
from notifybot.rendering.split import utf16_len
from notifybot.rendering.written_links import without_links, write_links

URL = "https://example.org/run/7"


def linked(before: str, label: str, after: str = "", url: str = URL) -> tuple[str, list[Entity]]:
    return before + label + after, [Entity("text_link", utf16_len(before), utf16_len(label), url)]


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (linked("", "log"), f"log ({URL})"),
        (linked("see the ", "log", ", please"), f"see the log ({URL}), please"),
        (linked("🔥🔥 ", "😀 log", " 🔥"), f"🔥🔥 😀 log ({URL}) 🔥"),
        (linked("at ", URL, "."), f"at {URL}."),
        (linked("at ", "example.org", ".", url="http://example.org/"), "at example.org."),
        (linked("", "Example.org", url="http://example.org/"), "Example.org"),
        (linked("ask ", "Anna", url="tg://user?id=42"), "ask Anna (tg://user?id=42)"),
        (linked("ask ", "Anna", url="mailto:anna@example.org"), "ask Anna (anna@example.org)"),
        (linked("ask ", "anna@example.org", url="mailto:anna@example.org"), "ask anna@example.org"),
        (linked("call ", "us", url="tel:+4912345"), "call us (+4912345)"),
        (linked("a ", "dot", url="data:image/png;base64,AAAA"), "a dot"),
        (linked("a ", "trap", url="JavaScript:alert(1)"), "a trap"),
        (linked("", "a\nb"), f"a\nb ({URL})"),
    ],
)
def test_a_link_is_written_behind_its_label(given: tuple[str, list[Entity]], written: str) -> None:
    assert without_links(*given) == written


def test_only_links_are_written() -> None:
    entities = [Entity("bold", 0, 1), Entity("custom_emoji", 2, 1, "tg://emoji?id=7"), Entity("text_link", 4, 1, URL)]
    assert without_links("a b c", entities) == f"a b c ({URL})"


def test_the_other_formatting_moves_with_its_text() -> None:
    bold, quote = Entity("bold", 0, 3), Entity("blockquote", 0, 3)
    italic, around = Entity("italic", 4, 3), Entity("underline", 0, 7)
    link = Entity("text_link", 0, 3, "http://x/")
    text, moved = write_links("abc def", (quote, around, bold, italic), [link])
    assert text == "abc (http://x/) def"
    assert moved == (
        Entity("blockquote", 0, 15),
        Entity("underline", 0, 19),
        bold,
        Entity("italic", 16, 3),
    )


LOST = [
    ("HTML", '<a href="http://grafana:3000/d/1">graph</a>', "graph (http://grafana:3000/d/1)", []),
    ("HTML", "<a href='http://localhost/'>a</a>", "a (http://localhost/)", []),
    ("HTML", "<a href='mailto:anna@example.org'>mail</a>", "mail (anna@example.org)", []),
    ("HTML", "<a href='ssh://db1'>db1</a> is down", "db1 (ssh://db1) is down", []),
    ("HTML", "<a href='/runbook'>runbook</a>", "runbook (/runbook)", []),
    ("HTML", "<a href='javascript:alert(1)'>a</a>", "a", []),
    ("HTML", "<b><a href='http://db1/'>db1</a> down</b>", "db1 (http://db1/) down", ["bold"]),
    ("HTML", "<code><a href='https://x.org/c'>abc</a></code>", "abc (https://x.org/c)", ["code"]),
    ("HTML", "<a href='https://x.org/c'><code>abc</code></a>", "abc (https://x.org/c)", ["code"]),
    ("HTML", "<pre>a <a href='https://x.org/'>b</a> c</pre>", "a b (https://x.org/) c", ["pre"]),
    ("HTML", "<a href='x.org/a'>a <a href='x.org/b'>b</a></a>", "a b (http://x.org/b)", ["text_link"]),
    ("MarkdownV2", r"[graph](http://grafana:3000/)", "graph (http://grafana:3000/)", []),
    ("MarkdownV2", r">[graph](http://grafana:3000/)", "graph (http://grafana:3000/)", ["blockquote"]),
    ("Markdown", "[graph](http://grafana:3000/)", "graph (http://grafana:3000/)", []),
    ("Markdown", "[a b]", "a b", []),
    ("CommonMark", "[graph](http://grafana:3000/)", "graph (http://grafana:3000/)", []),
    ("CommonMark", "[`abc`](https://x.org/c)", "abc", ["text_link"]),
    ("CommonMark", "[see `abc`](https://x.org/c)", "see abc", ["text_link"]),
    ("HTML", f"<a href='https://x.org/{'a' * 9000}'>long</a>", f"long (https://x.org/{'a' * 9000})", []),
]


@pytest.mark.parametrize(("mode", "source", "text", "kinds"), LOST)
def test_a_link_that_telegram_would_not_show_is_written(mode: str, source: str, text: str, kinds: list[str]) -> None:
    found = read_markup(source, ParseMode(mode), max_parts=5)
    assert (found.text, [entity.type for entity in found.entities]) == (text, kinds)
