"""Telegram's HTML: meaning and errors."""

import pytest

from notifybot.rendering.markup import ParseMode, Unparseable, parse
from tests.rendering.markup.reading import shown


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("", "", []),
        ("disk full", "disk full", []),
        ("<b>disk</b> <strong>full</strong>", "disk full", [("bold", "disk"), ("bold", "full")]),
        ("<i>a</i> <em>b</em>", "a b", [("italic", "a"), ("italic", "b")]),
        ("<u>a</u> <ins>b</ins>", "a b", [("underline", "a"), ("underline", "b")]),
        ("<s>a</s><strike>b</strike> <del>c</del>", "ab c", [("strikethrough", each) for each in "abc"]),
        ("<tg-spoiler>a</tg-spoiler> <span class=tg-spoiler>b</span>", "a b", [("spoiler", "a"), ("spoiler", "b")]),
        ("🔥<b>🔥🔥</b>", "🔥🔥🔥", [("bold", "🔥🔥")]),
        ("<B>a</b >", "a", [("bold", "a")]),
        ("<b>a</>", "a", [("bold", "a")]),
        ("<b></b>a", "a", []),
        ("<b><b>a</b>b</b>", "ab", [("bold", "ab")]),
        ("<b>a<i>b<u>c</u></i></b>", "abc", [("bold", "abc"), ("italic", "bc"), ("underline", "c")]),
        ("<code>ls -l</code>", "ls -l", [("code", "ls -l")]),
        ("<pre>ls</pre>", "ls", [("pre", "ls")]),
        ('<pre><code class="language-sh">ls</code></pre>', "ls", [("pre", "ls", "sh")]),
        ("<code class='language-sh'><pre>ls</pre></code>", "ls", [("pre", "ls", "sh")]),
        ('<code class="language-sh">ls</code>', "ls", [("code", "ls")]),
        ("<pre><code>ls</code></pre>", "ls", [("pre", "ls")]),
        ("<code>a<b>b</b></code>", "ab", [("code", "ab")]),
        ("<b>a<code>b</code>c</b>", "abc", [("bold", "a"), ("code", "b"), ("bold", "c")]),
        ("<blockquote>a</blockquote>", "a", [("blockquote", "a")]),
        ("<blockquote expandable>a</blockquote>", "a", [("expandable_blockquote", "a")]),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>", "ab", [("blockquote", "ab")]),
        ("<pre>a<blockquote>b</blockquote></pre>", "ab", [("blockquote", "b")]),
        (
            "<b><blockquote><code>a</code>b</blockquote>c</b>",
            "abc",
            [("blockquote", "ab"), ("code", "a"), ("bold", "b"), ("bold", "c")],
        ),
        ('<a href="https://Example.org">a</a>', "a", [("text_link", "a", "https://example.org/")]),
        ("<a href='x.org/?a=1&amp;b'>a</a>", "a", [("text_link", "a", "http://x.org/?a=1&b")]),
        ("<a>x.org</a>", "x.org", [("text_link", "x.org", "http://x.org/")]),
        ("<a href='x.org'>a<b>b</b></a>", "ab", [("text_link", "ab", "http://x.org/"), ("bold", "b")]),
        ("<a href='x.org'>a<code>b</code></a>", "ab", [("text_link", "ab", "http://x.org/")]),
        ("<a href='http://localhost/'>a</a>", "a", []),
        ("<a href='javascript:alert(1)'>a</a>", "a", []),
        ("<a href='mailto:anna@example.org'>a</a>", "a", []),
        ('<a href="tg://user?id=42">Anna</a>', "Anna", [("text_link", "Anna", "tg://user?id=42")]),
        ("&lt;b&gt; &amp;amp; &quot;", '<b> &amp; "', []),
        ("&#65;&#x42;&#x1F525; &lt", "AB🔥 <", []),
        ("&nbsp; &copy; &X; &#0; &#1114112; &#X41; & &&", "&nbsp; &copy; &X; &#0; &#1114112; &#X41; & &&", []),
        ("1 > 0", "1 > 0", []),
        (" \n<b>a </b> \n", "a", [("bold", "a")]),
        ("\n<pre>  a</pre>\n", "  a", [("pre", "  a")]),
    ],
)
def test_html_becomes_text_and_formatting(source: str, text: str, entities: list[tuple[str, ...]]) -> None:
    assert shown(source, ParseMode.HTML) == (text, entities)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("a <", "Telegram does not support the tag <> at line 1, column 3; write a literal < as &lt;."),
        ("load < 3", "Telegram does not support the tag <> at line 1, column 6; write a literal < as &lt;."),
        ("a\n<br>", "Telegram does not support the tag <br> at line 2, column 1; write a literal < as &lt;."),
        ("<b>a", "The tag <b> at line 1, column 1 is not closed."),
        ("a</b>", "The end tag </b> at line 1, column 2 has no matching start tag."),
        ("<b><i>a</b></i>", "</b> at line 1, column 8 should be </i>."),
        ("<b>a</b", "The end tag at line 1, column 5 is not closed."),
        ("<b", "The tag at line 1, column 1 is malformed or is not closed."),
        ("<a href=x_y>a</a>", "The tag at line 1, column 1 is malformed or is not closed."),
        ("<a href='x>a</a>", "The tag at line 1, column 1 is malformed or is not closed."),
        ("<span>a</span>", 'The tag <span> at line 1, column 1 needs class="tg-spoiler".'),
        ("<tg-emoji emoji-id=x>👍</tg-emoji>", "The tag <tg-emoji> at line 1, column 1 has no valid emoji-id."),
        ("<tg-time unix=9 format=x>a</tg-time>", "The tag <tg-time> at line 1, column 1 has no valid format."),
        ("&#xD83D;", "A character reference near line 1, column 1 is a lone surrogate (&#xD800; to &#xDFFF;)."),
    ],
)
def test_broken_html_is_refused_with_its_place(source: str, reason: str) -> None:
    with pytest.raises(Unparseable) as caught:
        parse(source, ParseMode.HTML)

    assert caught.value.reason == reason
