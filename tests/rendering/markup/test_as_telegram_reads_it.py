"""Compare our parser with the sandbox's, written independently from Telegram's documentation."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifybot.rendering.markup import ParseMode, Unparseable, parse
from notifybot.rendering.markup.links import checked
from notifybot.rendering.parts import Entity
from notifybot.sandbox.formatting.markup import MarkupError, checked_link, cleaned
from notifybot.sandbox.formatting.markup import parse as parse_there

Json = dict[str, object]
MODES = [ParseMode.HTML, ParseMode.MARKDOWN_V2, ParseMode.MARKDOWN]

WORDS = ["a", "bc ", " ", "\n", "\r", "\t", "é", "🔥", "x.org", "\N{MAN}\u200d\N{WOMAN}"]
MARKS = {
    ParseMode.HTML: [
        *("<b>", "</b>", "<i>", "</i>", "<u>", "</u>", "<s>", "</s>", "<tg-spoiler>", "</tg-spoiler>", "</>", "</"),
        *("<span class='tg-spoiler'>", "</span>", "<a href='x.org'>", '<a href="tg://user?id=5">', "<a>", "</a>"),
        *("<pre>", "</pre>", "<code>", "</code>", '<code class="language-py">', "<blockquote>", "</blockquote>"),
        *("<blockquote expandable>", "<tg-emoji emoji-id=7>", "</tg-emoji>", "<tg-time unix='9' format='r'>"),
        *("</tg-time>", "<", ">", "&", "&lt;", "&gt", "&#65;", "&#x1F525;", "&copy;", "&#0;", "&#xD83D;", "='", '"'),
    ],
    ParseMode.MARKDOWN_V2: [
        *("*", "_", "__", "~", "||", "|", "`", "```", "```py\n", "[", "![", "](", "]", ")", "(", ">", "\n>", "\n**>"),
        *("||\n", "](x.org)", "](tg://user?id=5)", "](tg://emoji?id=7)", "](tg://time?unix=9&format=r)", "\\", "\\*"),
        *("\\\n", ".", "!", "-", "#", "="),
    ],
    ParseMode.MARKDOWN: [
        "*",
        "_",
        "`",
        "```",
        "```py\n",
        "[",
        "](",
        "]",
        ")",
        "(",
        "](x.org)",
        "](tg://user?id=5)",
        "\\",
    ],
}


def marked_up(mode: ParseMode) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(WORDS) | st.sampled_from(MARKS[mode]), max_size=14).map("".join)


# Text between two equal marks is mostly well nested; random marks rarely are.
PAIRS = {
    ParseMode.HTML: [
        *(("<b>", "</b>"), ("<i>", "</i>"), ("<u>", "</u>"), ("<pre>", "</pre>"), ("<a href='x.org'>", "</a>")),
        *(("<code class='language-py'>", "</code>"), ("<blockquote>", "</blockquote>"), ("<tg-spoiler>", "</>")),
        *(("<tg-emoji emoji-id='7'>", "</tg-emoji>"), ("<tg-time unix='9'>", "</tg-time>")),
    ],
    ParseMode.MARKDOWN_V2: [
        *(("*", "*"), ("_", "\r_"), ("__", "__"), ("~", "~"), ("||", "||"), ("`", "`"), ("```", "```"), ("\n>", "\n")),
        *(("[", "](x.org)"), ("![", "](tg://emoji?id=7)"), ("\n**>", "||\n")),
    ],
    ParseMode.MARKDOWN: [("*", "*"), ("_", "_"), ("`", "`"), ("```py\n", "```"), ("[", "](x.org)"), ("", "")],
}


def nested(mode: ParseMode) -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(WORDS),
        lambda inner: st.tuples(st.sampled_from(PAIRS[mode]), st.lists(inner, max_size=4)).map(
            lambda drawn: drawn[0][0] + "".join(drawn[1]) + drawn[0][1]
        ),
        max_leaves=12,
    )


@pytest.mark.slow_because("150 texts are read twice")
@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_text_means_what_it_means_at_telegram_or_is_refused_by_both(mode: ParseMode, data: st.DataObject) -> None:
    source = data.draw(marked_up(mode) | nested(mode) | st.lists(nested(mode), max_size=5).map("".join))

    assert _ours(source, mode) == _theirs(source, mode)


def _ours(source: str, mode: ParseMode) -> object:
    """Return what Telegram keeps of our text and entities, or None if we refuse the source."""
    try:
        formatted = parse(source, mode)
    except Unparseable:
        return None
    return cleaned(formatted.text, [as_json(entity) for entity in formatted.entities])


def _theirs(source: str, mode: ParseMode) -> object:
    """Return what Telegram keeps of the source in its parse mode."""
    try:
        return parse_there(source, mode)
    except MarkupError:
        return None


def as_json(entity: Entity) -> Json:
    needed: Json = {"type": entity.type, "offset": entity.offset, "length": entity.length}
    query = dict(parse_qsl((entity.url or "").partition("?")[2]))
    match entity.type:
        case "custom_emoji":
            return {**needed, "custom_emoji_id": query["id"]}
        case "date_time":
            return {**needed, "unix_time": int(query["unix"]), "date_time_format": query.get("format", "")}
        case "text_link":
            return {**needed, "url": entity.url}
    return {**needed, "language": entity.language} if entity.language else needed


WEB_PIECES = [
    *("http://", "https://", "HTTP:", "mailto:", "ftp://", "//", "x.org", "Ä.org", "X", "localhost", "[::1]", "[.]"),
    *("10.0.0.1", ":80", ":0", ":99999", ":", "@", "/", "?a=b", "#", ".", "%41", "%", "_", "-", "*", " ", "\n", "["),
    *("]", "<", "\\", "🔥"),
]
own_schemes = st.sampled_from(["tg://", "tg:", "TG://", "ton://", "ton:", "tonsite://", "tgx://", "x:"])
own_hosts = st.sampled_from(["resolve", "User", "x.org", "a b", "", "ä", "user_x", "http://a"])
own_rests = st.sampled_from(["", "/", "?x=5", "/?x=5", "/a b", "#a", ":80", "?id=5 "])
addresses = st.lists(st.sampled_from(WEB_PIECES), max_size=7).map("".join) | st.tuples(
    own_schemes, own_hosts, own_rests
).map("".join)


@settings(max_examples=250, deadline=None)
@given(addresses)
def test_an_address_is_a_link_where_it_is_one_at_telegram(address: str) -> None:
    assert checked(address) == checked_link(address)


@given(addresses)
def test_a_link_is_kept_as_it_is_once_it_is_written_telegrams_way(address: str) -> None:
    url = checked(address)

    assert url is None or checked(url) == url
