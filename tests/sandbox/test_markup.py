"""Parsing of markup, and Telegram's errors."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifybot.sandbox.formatting.markup import MarkupError, checked_link, cleaned, parse, utf16_len, validate_entities

Short = tuple[object, ...]
MODES = ("HTML", "MarkdownV2", "Markdown")


def short(entities: Sequence[dict[str, object]]) -> list[Short]:
    """Entities as tuples: type, offset, length, then the values of further fields."""
    return [tuple(entity.values()) for entity in entities]


def refusal(text: str, mode: str) -> str:
    with pytest.raises(MarkupError) as caught:
        parse(text, mode)
    return str(caught.value).removeprefix("can't parse entities: ")


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("", "", []),
        ("plain", "plain", []),
        ("<b>b</b><strong>s</strong>", "bs", [("bold", 0, 2)]),
        ("<i>i</i> <em>e</em>", "i e", [("italic", 0, 1), ("italic", 2, 1)]),
        ("<u>u</u> <ins>i</ins>", "u i", [("underline", 0, 1), ("underline", 2, 1)]),
        ("<s>s</s> <strike>k</strike> <del>d</del>", "s k d", [("strikethrough", at, 1) for at in (0, 2, 4)]),
        ("<tg-spoiler>a</tg-spoiler> <span class='tg-spoiler'>b</span>", "a b", [("spoiler", 0, 1), ("spoiler", 2, 1)]),
        ("<B>case</b>", "case", [("bold", 0, 4)]),
        ("<b>short end</>", "short end", [("bold", 0, 9)]),
        ("<b class = x-1 other>attributes</b  >", "attributes", [("bold", 0, 10)]),
        ("<b></b>empty", "empty", []),
        ("😀<b>😀</b>", "😀😀", [("bold", 2, 2)]),
        ("<code>a</code> <pre>b</pre>", "a b", [("code", 0, 1), ("pre", 2, 1)]),
        ('<pre><code class="language-python">x</code></pre>', "x", [("pre", 0, 1, "python")]),
        ('<code class="language-c"><pre>x</pre></code>', "x", [("pre", 0, 1, "c")]),
        ('<pre>y<code class="language-c">x</code></pre>', "yx", [("pre", 0, 2)]),
        ('<code class="language-c">x</code>', "x", [("code", 0, 1)]),
        ("<blockquote>q</blockquote>", "q", [("blockquote", 0, 1)]),
        ("<blockquote expandable>q</blockquote>", "q", [("expandable_blockquote", 0, 1)]),
        ('<a href="http://Example.org">l</a>', "l", [("text_link", 0, 1, "http://example.org/")]),
        ("<a href='example.org/a?b=1&amp;c#d'>l</a>", "l", [("text_link", 0, 1, "http://example.org/a?b=1&c#d")]),
        ("<a>example.org</a>", "example.org", [("text_link", 0, 11, "http://example.org/")]),
        ('<a href="http://localhost:80/">no link</a>', "no link", []),
        ('<a href="javascript:alert(1)">no link</a>', "no link", []),
        ('<a href="tg://user?id=42">Anna</a>', "Anna", [("text_mention", 0, 4, {"id": 42})]),
        ('<tg-emoji emoji-id="5368">👍</tg-emoji>', "👍", [("custom_emoji", 0, 2, "5368")]),
        ('<tg-time unix="1647531900" format="wDT">x</tg-time>', "x", [("date_time", 0, 1, 1647531900, "wDT")]),
        ('<tg-time unix="1647531900">x</tg-time>', "x", [("date_time", 0, 1, 1647531900)]),
        ("&lt;&gt;&amp;&quot;&#33;&#x3F;&#x1F600;", '<>&"!?😀', []),
        ("&lt &nbsp; &eacute; &apos; &ltx; &#0; &#1114112; &", "< &nbsp; &eacute; &apos; &ltx; &#0; &#1114112; &", []),
        ("1 > 0", "1 > 0", []),
    ],
)
def test_html_becomes_text_and_entities(source: str, text: str, entities: list[Short]) -> None:
    plain, found = parse(source, "HTML")

    assert (plain, short(found)) == (text, entities)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("abc<foo>", 'Unsupported start tag "foo" at byte offset 3'),
        ("é<FOO>", 'Unsupported start tag "foo" at byte offset 2'),
        ("1 < 2 >", 'Unsupported start tag "" at byte offset 2'),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<b ", 'Unclosed start tag "b" at byte offset 0'),
        ("<b a=", 'Unclosed start tag "b" at byte offset 0'),
        ("<b a=x", "Unclosed start tag at byte offset 0"),
        ("<b a='x>", "Unclosed start tag at byte offset 0"),
        ("<b a='x'", "Unclosed start tag at byte offset 0"),
        ("<b a=x_y>", "Unexpected end of name token at byte offset 5"),
        ("<b =x>", 'Empty attribute name in the tag "b" at byte offset 0'),
        ("<b>bold", 'Can\'t find end tag corresponding to start tag "b"'),
        ("bold</b>", "Unexpected end tag at byte offset 4"),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<tg-emoji emoji-id='x'>👍</tg-emoji>", "Invalid custom emoji identifier specified"),
        ("<tg-time unix='soon'>x</tg-time>", "Invalid Unix time specified"),
        ("<tg-time unix='1' format='dD'>x</tg-time>", "Invalid date-time format specified"),
        (
            "&#xD83D;",
            "Text contains invalid Unicode characters after decoding HTML entities, "
            "check for unmatched surrogate code units",
        ),
    ],
)
def test_broken_html_is_refused_in_telegrams_words(source: str, sentence: str) -> None:
    assert refusal(source, "HTML") == sentence


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("", "", []),
        ("*b* _i_", "b i", [("bold", 0, 1), ("italic", 2, 1)]),
        ("__u__ ~s~", "u s", [("underline", 0, 1), ("strikethrough", 2, 1)]),
        ("||spoiler||", "spoiler", [("spoiler", 0, 7)]),
        ("_i __u___", "i u", [("italic", 0, 3), ("underline", 2, 1)]),
        ("**empty____", "empty", []),
        (r"1\.0 \\ \a \é \_x\_", r"1.0 \ a \é _x_", []),
        ("back\\", "back\\", []),
        ("`a*b_c.`", "a*b_c.", [("code", 0, 6)]),
        (r"`a\`b\\`", "a`b\\", [("code", 0, 4)]),
        ("```\nx = 1\n```y", "x = 1\ny", [("pre", 0, 6)]),
        ("```python\nx```", "x", [("pre", 0, 1, "python")]),
        ("```one```", "one", [("pre", 0, 3)]),
        ("x```py a``` z", "x a z", [("pre", 1, 2, "py")]),
        ("[l](http://example.org)", "l", [("text_link", 0, 1, "http://example.org/")]),
        (r"[l](http://example.org/\)\\?)", "l", [("text_link", 0, 1, r"http://example.org/)\?")]),
        (r"[example\.org]", "example.org", [("text_link", 0, 11, "http://example.org/")]),
        ("[*b* x](example.org)", "b x", [("text_link", 0, 3, "http://example.org/"), ("bold", 0, 1)]),
        ("[no](nowhere)[no]()", "nono", []),
        ("[Anna](tg://user?id=42)", "Anna", [("text_mention", 0, 4, {"id": 42})]),
        ("![👍](tg://emoji?id=5368)", "👍", [("custom_emoji", 0, 2, "5368")]),
        ("![soon](tg://time?unix=1647531900&format=r)", "soon", [("date_time", 0, 4, 1647531900, "r")]),
        (">a\n>b\nc", "a\nb\nc", [("blockquote", 0, 4)]),
        ("a\n>b", "a\nb", [("blockquote", 2, 1)]),
        (">a\n**>b", "a\nb", [("blockquote", 0, 2), ("blockquote", 2, 1)]),
        (">*a\n>b*", "a\nb", [("blockquote", 0, 3), ("bold", 0, 3)]),
        (">a\n>b||\nc", "a\nb\nc", [("expandable_blockquote", 0, 4)]),
        (">||a||\nc", "a\nc", [("blockquote", 0, 2), ("spoiler", 0, 1)]),
        ("`>a\n>b`", ">a\n>b", [("code", 0, 5)]),
        (">>a\n>>b", "a\nb", [("blockquote", 0, 3)]),
        ("a\\\n>b", "a\nb", [("blockquote", 2, 1)]),
        ("``>a", "a", [("blockquote", 0, 1)]),
        ("😀*😀*", "😀😀", [("bold", 2, 2)]),
    ],
)
def test_markdown_v2_becomes_text_and_entities(source: str, text: str, entities: list[Short]) -> None:
    plain, found = parse(source, "MarkdownV2")

    assert (plain, short(found)) == (text, entities)


@pytest.mark.parametrize("reserved", "](){}>#+-=|.!")
def test_a_reserved_character_must_be_escaped(reserved: str) -> None:
    expected = f"Character '{reserved}' is reserved and must be escaped with the preceding '\\'"

    assert refusal(f"a{reserved}b", "MarkdownV2") == expected
    assert parse(f"a\\{reserved}b", "MarkdownV2") == (f"a{reserved}b", [])


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("*b", "Can't find end of Bold entity at byte offset 0"),
        ("é _i", "Can't find end of Italic entity at byte offset 3"),
        ("*b _i*", "Can't find end of Bold entity at byte offset 5"),
        ("__u", "Can't find end of Underline entity at byte offset 0"),
        ("__u _i___", "Can't find end of Italic entity at byte offset 8"),
        ("~s", "Can't find end of Strikethrough entity at byte offset 0"),
        ("||s", "Can't find end of Spoiler entity at byte offset 0"),
        ("`c", "Can't find end of Code entity at byte offset 0"),
        ("```c", "Can't find end of Pre entity at byte offset 0"),
        ("```c ", "Can't find end of PreCode entity at byte offset 0"),
        ("[l", "Can't find end of TextUrl entity at byte offset 0"),
        ("[l](a", "Can't find end of a URL at byte offset 4"),
        ("[l](a\\)", "Can't find end of a URL at byte offset 4"),
        ("![e", "Can't find end of CustomEmoji entity at byte offset 0"),
        ("![e]", "Custom emoji entity must contain a tg://emoji URL"),
        ("![e](tg://emoji", "Can't find end of a custom emoji URL at byte offset 5"),
        ("![e](https://emoji?id=1)", "Custom emoji URL must have scheme tg"),
        ("![e](tg://smile?id=1)", 'Custom emoji URL must have host "emoji"'),
        ("![e](tg://emoji)", "Custom emoji URL must have an emoji identifier"),
        ("![e](tg://emoji?id=01)", "Invalid custom emoji identifier specified"),
        (">*a\nb*", "Can't find end of Bold entity at byte offset 1"),
        ("a\r>b", "Character '>' is reserved and must be escaped with the preceding '\\'"),
    ],
)
def test_broken_markdown_v2_is_refused_in_telegrams_words(source: str, sentence: str) -> None:
    assert refusal(source, "MarkdownV2") == sentence


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("*b* _i_ `c`", "b i c", [("bold", 0, 1), ("italic", 2, 1), ("code", 4, 1)]),
        ("```sh\nls\n``` x", "ls\n x", [("pre", 0, 3, "sh")]),
        ("[l](http://example.org)", "l", [("text_link", 0, 1, "http://example.org/")]),
        ("[l]", "l", []),
        ("[](example.org)", "(example.org)", []),
        ("*no _nesting*", "no _nesting", [("bold", 0, 11)]),
        (r"\*a\_ \b 1.0!", r"*a_ \b 1.0!", []),
        ("****", "", []),
    ],
)
def test_legacy_markdown_becomes_text_and_entities(source: str, text: str, entities: list[Short]) -> None:
    plain, found = parse(source, "Markdown")

    assert (plain, short(found)) == (text, entities)


@pytest.mark.parametrize(("source", "offset"), [("*b", 0), ("é snake_case", 8), ("`c", 0), ("x [l", 2), ("```c``", 0)])
def test_an_unclosed_mark_in_legacy_markdown_is_refused(source: str, offset: int) -> None:
    assert refusal(source, "Markdown") == f"Can't find end of the entity starting at byte offset {offset}"


def test_the_name_of_a_parse_mode_has_no_case() -> None:
    assert parse("*b*", "MARKDOWNV2") == parse("<b>b</b>", "html") == parse("*b*", "markdown")


@pytest.mark.parametrize("mode", ["", "CommonMark", "Markdown V2"])
def test_an_unknown_parse_mode_is_refused(mode: str) -> None:
    assert refusal("x", mode) == "unsupported parse_mode"


@pytest.mark.parametrize("mode", MODES)
def test_lone_surrogates_are_refused(mode: str) -> None:
    assert refusal("a\ud800", mode) == "strings must be encoded in UTF-8"


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        (" \n <b> a </b> \n", "a", [("bold", 0, 1)]),
        ("\n<pre>  a</pre>", "  a", [("pre", 0, 3)]),
        ("  <pre> <blockquote>a</blockquote></pre>", "a", [("blockquote", 0, 1)]),
        ("  x<b> </b>", "x", []),
        ("a\r\nb\tc\u202ed\0e", "a\nb cd e", []),
        ("<i>\ra</i>\r<b>b</b>", "ab", [("italic", 0, 1), ("bold", 1, 1)]),
        ("<a href='example.org'> </a>a", " a", [("text_link", 0, 1, "http://example.org/")]),
        ("<pre>a<blockquote>\r</blockquote></pre>", "a", []),
        (" \n\t ", "", []),
    ],
)
def test_blanks_and_control_characters_are_cleaned_as_at_telegram(
    source: str, text: str, entities: list[Short]
) -> None:
    plain, found = parse(source, "HTML")

    assert (plain, short(found)) == (text, entities)


@pytest.mark.parametrize(
    ("source", "entities"),
    [
        ("<code>a<b>b</b></code>", [("code", 0, 2)]),
        ("<b>a<code>b</code>c</b>", [("bold", 0, 1), ("code", 1, 1), ("bold", 2, 1)]),
        ("<s>a<u>b</u></s>", [("strikethrough", 0, 1), ("underline", 1, 1), ("strikethrough", 1, 1)]),
        ("<b>a<i>b</i></b>", [("bold", 0, 2), ("italic", 1, 1)]),
        ("<b><b>a</b>b</b>", [("bold", 0, 2)]),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>", [("blockquote", 0, 2)]),
        ("<pre>a<blockquote>b</blockquote></pre>", [("blockquote", 1, 1)]),
        ("<a href='a.org'>a<code>b</code></a>", [("text_link", 0, 2, "http://a.org/")]),
        ("<b>a<tg-emoji emoji-id='1'>b</tg-emoji></b>", [("bold", 0, 2), ("custom_emoji", 1, 1, "1")]),
    ],
)
def test_nesting_is_settled_by_telegrams_rules(source: str, entities: list[Short]) -> None:
    assert short(parse(source, "HTML")[1]) == entities


def test_only_the_first_hundred_entities_are_kept() -> None:
    _, entities = parse("<b>a</b> " * 120, "HTML")

    assert [entity["offset"] for entity in entities] == list(range(0, 200, 2))


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("example.org", "http://example.org/"),
        ("HTTPS://Example.ORG:8443/A?b#c", "https://example.org:8443/A?b#c"),
        ("https://example.org?", "https://example.org/?"),
        ("example.org:80/x", "http://example.org:80/x"),
        ("tg://resolve?domain=x", "tg://resolve?domain=x"),
        ("http://10.0.0.1/", "http://10.0.0.1/"),
        ("http://example.org/a b", "http://example.org/a%20b"),
        ("http://[::1]:8080/", "http://[::1]:8080/"),
        ("anna:x@example.org", "http://anna:x@example.org/"),
        ("TG:Resolve/?domain=x", "tg://resolve?domain=x"),
        ("tonsite://foundation.ton", "tonsite://foundation.ton/"),
        ("http://example.org:0/", None),
        ("http://example.org:65536/", None),
        ("http://[example.org]/", None),
        ("http://localhost/", None),
        ("localhost:8080", None),
        ("ftp://example.org", None),
        ("mailto:anna@example.org", None),
        ("http://exa mple.org", None),
        ("http://[::1", None),
        ("http://example.org:port/", None),
        ("", None),
    ],
)
def test_only_links_that_telegram_takes_are_links(url: str, stored: str | None) -> None:
    assert checked_link(url) == stored


def test_entities_given_beside_the_text_are_kept() -> None:
    given_entities = [
        {"type": "bold", "offset": 0, "length": 2},
        {"type": "pre", "offset": 3, "length": 1, "language": "c"},
        {"type": "text_link", "offset": 5, "length": 1, "url": "example.org"},
        {"type": "text_mention", "offset": 7, "length": 1, "user": {"id": 42, "first_name": "Anna", "is_bot": False}},
        {"type": "text_link", "offset": 8, "length": 1, "url": "tg://user?id=43"},
        {"type": "url", "offset": 0, "length": 2},
    ]

    assert short(validate_entities("😀 a b cd", given_entities)) == [
        ("bold", 0, 2),
        ("pre", 3, 1, "c"),
        ("text_link", 5, 1, "http://example.org/"),
        ("text_mention", 7, 1, {"id": 42}),
        ("text_mention", 8, 1, {"id": 43}),
    ]


def test_entities_that_cross_are_split() -> None:
    crossing = [{"type": "bold", "offset": 0, "length": 3}, {"type": "italic", "offset": 2, "length": 3}]

    assert short(validate_entities("abcdef", crossing)) == [("bold", 0, 3), ("italic", 2, 1), ("italic", 3, 2)]


def test_entities_follow_the_text_when_it_is_trimmed() -> None:
    assert cleaned("  ab  ", [{"type": "bold", "offset": 3, "length": 3}]) == (
        "ab",
        [{"type": "bold", "offset": 1, "length": 1}],
    )


@pytest.mark.parametrize(
    ("entity", "sentence"),
    [
        ("bold", "can't parse MessageEntity: MessageEntity must be an Object"),
        ({"offset": 0, "length": 1}, "can't parse MessageEntity: Can't find field \"type\""),
        ({"type": "fat", "offset": 0, "length": 1}, 'can\'t parse MessageEntity: unknown type "fat"'),
        ({"type": "bold", "length": 1}, "can't parse MessageEntity: Can't find field \"offset\""),
        (
            {"type": "bold", "offset": True, "length": 1},
            'can\'t parse MessageEntity: Field "offset" must be of type Number',
        ),
        ({"type": "bold", "offset": -1, "length": 1}, "receive an entity with incorrect offset -1"),
        ({"type": "bold", "offset": 0, "length": -1}, "receive an entity with incorrect length -1"),
        (
            {"type": "bold", "offset": 4, "length": 1},
            "entity begins after the end of the text at UTF-16 offset 4",
        ),
        (
            {"type": "bold", "offset": 1, "length": 3},
            "entity beginning at UTF-16 offset 1 ends after the end of the text at UTF-16 offset 4",
        ),
        (
            {"type": "bold", "offset": 2, "length": 1},
            "entity begins in a middle of a UTF-16 symbol at UTF-16 offset 2",
        ),
        (
            {"type": "bold", "offset": 0, "length": 2},
            "entity beginning at UTF-16 offset 0 ends in a middle of a UTF-16 symbol at UTF-16 offset 2",
        ),
        (
            {"type": "text_link", "offset": 0, "length": 1},
            "can't parse MessageEntity: Can't find field \"url\"",
        ),
        (
            {"type": "text_link", "offset": 0, "length": 1, "url": "localhost"},
            "entity URL 'localhost' is invalid: Wrong HTTP URL",
        ),
        (
            {"type": "text_mention", "offset": 0, "length": 1, "user": {}},
            "can't parse MessageEntity: Can't find field \"id\"",
        ),
    ],
)
def test_a_wrong_entity_is_refused(entity: object, sentence: str) -> None:
    with pytest.raises(MarkupError) as caught:
        validate_entities("a😀", [entity])

    assert str(caught.value) == sentence


PIECES = st.sampled_from(
    [
        *"abé😀 \n\r\t\0\\_*[]()~`>#+-=|{}.!<&;",
        "```",
        "__",
        "||",
        "**>",
        "</b>",
        "<b>",
        "<i>",
        "</i>",
        "</>",
        "<a href='",
        "<pre>",
        "<code class='language-c'>",
        "</code>",
        "</pre>",
        "<blockquote expandable>",
        "&#",
        "&lt",
        "x41;",
        "![",
        "](",
        "example.org",
        "tg://user?id=1",
        "tg://emoji?id=5",
        "tg://time?unix=9",
        "</blockquote>",
        "py ",
        "\ud800",
    ]
)
ANY_TEXT = st.one_of(st.lists(PIECES, max_size=30).map("".join), st.text(max_size=60))


def boundaries(text: str) -> set[int]:
    return {utf16_len(text[:at]) for at in range(len(text) + 1)}


def check_well_nested(text: str, entities: list[dict[str, object]]) -> None:
    spans = [(int(str(e["offset"])), int(str(e["offset"])) + int(str(e["length"]))) for e in entities]
    assert all(start < end and {start, end} <= boundaries(text) for start, end in spans)
    assert spans == sorted(spans, key=lambda span: (span[0], -span[1]))
    for place, (start, end) in enumerate(spans):
        assert all(begin >= end or stop <= end for begin, stop in spans[place + 1 :] if begin >= start)


@settings(max_examples=400, deadline=None)
@given(text=ANY_TEXT, mode=st.sampled_from(MODES))
def test_any_text_is_parsed_or_refused_and_entities_are_in_bounds(text: str, mode: str) -> None:
    try:
        plain, entities = parse(text, mode)
    except MarkupError:
        return

    check_well_nested(plain, entities)
    assert cleaned(plain, entities) == (plain, entities)


SPAN = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["bold", "italic", "spoiler", "code", "pre", "blockquote", "mention"]),
        "offset": st.integers(0, 12),
        "length": st.integers(0, 12),
    }
)


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet="ab \n\r😀", max_size=12), entities=st.lists(SPAN, max_size=6))
def test_any_entities_are_settled_or_refused(text: str, entities: list[dict[str, object]]) -> None:
    try:
        plain, settled = cleaned(text, entities)
    except MarkupError:
        return

    check_well_nested(plain, settled)


@given(text=st.text(alphabet=st.characters(codec="utf-8")))
def test_utf16_length_is_that_of_the_encoding(text: str) -> None:
    assert utf16_len(text) == len(text.encode("utf-16-le")) // 2
