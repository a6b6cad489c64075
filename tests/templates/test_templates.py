"""Templates: rendering of data, refusals, and a bounded rendering time."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifybot.rendering import markup
from notifybot.rendering.markup import ParseMode
from notifybot.rendering.parts import Entity
from notifybot.templates import CannotRender, Rendered, Templates, TemplatesInvalid, UnknownTemplate
from notifybot.templates.compiled import Compiled
from notifybot.templates.errors import Unrenderable
from notifybot.templates.escaping import as_block, as_code, escaped

OURS = Templates.read(None)
SIGNS = st.text(
    st.sampled_from("ab 1.\\`*_~|[]()<>#+-={}!&;:/\"'\t\u00e9\U0001f600") | st.characters(codec="utf-8"), max_size=30
)
LINES = st.lists(SIGNS.filter(str.isprintable), min_size=1, max_size=3).map("\n".join)


def rendered(text: str, mode: ParseMode | None = None, /, **data: object) -> str:
    return Compiled(text, mode).render(data)


def refusal(text: str, /, **data: object) -> Unrenderable:
    with pytest.raises(Unrenderable) as caught:
        rendered(text, **data)
    return caught.value


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


# Output


def test_data_is_reached_by_name_and_as_a_whole() -> None:
    assert rendered("{{ host }}: {{ disk.free }} {{ data }}", host="db1", disk={"free": 3}) == (
        'db1: 3 {"host": "db1", "disk": {"free": 3}}'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "true"), (1.5, "1.5"), ([1, {"a": None}], '[1, {"a": null}]'), ("é", "é")],
)
def test_values_stand_as_in_json_but_texts_as_they_are(value: object, text: str) -> None:
    assert rendered("{{ x }}", x=value) == text


def test_a_field_comes_before_a_method_of_the_same_name() -> None:
    assert rendered("{% for each in box.items %}{{ each }}{% endfor %}", box={"items": [1, 2]}) == "12"


def test_a_missing_field_can_be_tested_but_not_printed() -> None:
    assert rendered(
        "{% if url %}{{ url }}{% endif %}{{ a.b.c|default('-') }}{{ x or 'y' }}{{ z is defined }}", a={}
    ) == ("-yfalse")
    found = refusal("one\n\n{{ a.host }}", a={})
    assert (found.what, found.line, found.is_missing) == ("'host' is missing from an object", 3, True)
    assert refusal("{{ host }}").what == "'host' is missing from data"
    assert refusal("{{ n + 1 }}").is_missing
    assert refusal("{% for each in rows %}{% endfor %}").is_missing


def test_a_type_error_names_its_line() -> None:
    assert refusal("\n{{ n - 1 }}", n="3").what == "- does not work with a string and a number"
    assert refusal("\n{{ n - 1 }}", n="3").line == 2
    assert refusal("{{ n / 0 }}", n=1).what == "division by zero"


@pytest.mark.parametrize("mode", list(ParseMode))
@given(text=LINES)
def test_markup_in_data_is_shown_unchanged(mode: ParseMode, text: str) -> None:
    shown = markup.parse(f"x{escaped(text, mode)}x", mode)
    assert shown.text == markup_of(f"x{text}x")[0]
    assert [entity.type for entity in shown.entities] == (["pre"] if mode is ParseMode.MONO else [])


def markup_of(text: str) -> tuple[str, tuple[Entity, ...]]:
    found = markup.parse(text.replace("&", "&amp;").replace("<", "&lt;"), ParseMode.HTML)
    return found.text, found.entities


@pytest.mark.parametrize("mode", [ParseMode.HTML, ParseMode.MARKDOWN_V2, ParseMode.COMMON_MARK])
@given(text=SIGNS.filter(str.isprintable).filter(str.strip))
def test_code_shows_what_data_says(mode: ParseMode, text: str) -> None:
    shown = markup.parse(f"x {as_code(text, mode)} x", mode)
    assert shown.text == markup_of(f"x {text} x")[0]
    assert [entity.type for entity in shown.entities] == ["code"]


@pytest.mark.parametrize("mode", list(ParseMode))
def test_a_block_keeps_its_lines(mode: ParseMode) -> None:
    shown = markup.parse("log:\n" + as_block("a *b*\n  ```c", mode), mode)
    assert [entity.type for entity in shown.entities] == ["pre"]
    assert "a *b*\n  " in shown.text


def test_markup_of_the_template_stays_and_that_of_data_does_not() -> None:
    assert rendered("<b>{{ x }}</b> {{ x|safe }} {{ x|e }} {{ x|code }}", ParseMode.HTML, x="<i>") == (
        "<b>&lt;i&gt;</b> <i> &lt;i&gt; <code>&lt;i&gt;</code>"
    )


# Errors


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in range(200) %}{% for b in range(200) %}{% endfor %}{% endfor %}",
        "{% for a in range(20000) %}{{ 'x' }}{% for b in range(9) %}{% endfor %}{% endfor %}",
        "{% for a in rows %}{{ rows|sort|length }}{% endfor %}",
        "{{ range(10 ** 9)|list }}",
        "{% set a = 'xxxxxxxxxx' %}" + "{% set a = a ~ a %}" * 40,
        "{% set a = 'xxxxxxxxxx' %}" + "{% set a = a + a %}" * 40,
        "{% set a = 9 %}" + "{% set a = a * a %}" * 40,
        "{{ 'x' * 10 ** 9 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ '%1000000000d' % 5 }}",
        "{{ text|replace('', text) }}",
        "{% set rows = [rows, rows] %}" * 30 + "{{ rows }}",
        "{% set rows = {'a': rows, 'b': (rows, rows)} %}" * 30 + "{{ rows|string }}",
        "{% set rows = [rows] %}{% set rows = rows + rows %}" * 30 + "{{ rows|json }}",
        "{% for a in range(9000) %}0123456789{% endfor %}",
    ],
)
def test_no_template_does_or_writes_without_end(text: str) -> None:
    refusal(text, rows=["x"] * 1000, text="y" * 10_000)


@pytest.mark.parametrize(
    "text",
    [
        "{% macro f() %}{% endmacro %}", "{% include 'x' %}", "{% import 'x' as y %}", "{% extends 'x' %}",
        "{% block x %}{% endblock %}", "{% for a in x recursive %}{{ loop(a) }}{% endfor %}",
        "{% set x %}{% endset %}", "{% filter upper %}{% endfilter %}", "{% call x() %}{% endcall %}",
        "{{ x|_each }}", "{{ _x }}", "{{ x", "{% if x %}", "{{ x|nothing }}", "{{ x is nothing }}", "{% set a.b = 1 %}",
        "{{ " + "(" * 3000 + " }}", "{% for a in x %}" * 30 + "{% endfor %}" * 30,
        "{% if x %}" * 200 + "{% endif %}" * 200,
        "{{ 1" + "0" * 5000 + " }}", "{{ x.zfill(5) }}", "{{ x.format(5) }}", "{{ lipsum() }}", "{{ x() }}",
        "{{ x[0]() }}",
        "{% set f = x.upper %}{{ f() }}", "{% for a in x %}{{ loop() }}{% endfor %}", "{% set n = namespace() %}",
        "{{ x|center(5) }}", "{{ x|pprint }}", "{{ x|attr('upper') }}", "{{ x|random }}", "{{ x is callable }}",
    ],
)  # fmt: skip
def test_unsupported_syntax_is_refused_at_compile_time(text: str) -> None:
    with pytest.raises(Unrenderable):
        Compiled(text, None)


@pytest.mark.parametrize(
    "text",
    [
        "{{ x.__class__ }}", "{{ x['__class__'] }}", "{{ x.upper }}", "{{ x.format(5) }}", "{{ x.zfill(10 ** 9) }}",
        "{{ [].append(5) }}", "{{ range }}", "{{ self }}", "{{ lipsum() }}", "{{ cycler }}", "{{ x|attr('upper') }}",
        "{{ x|truncate(-5) }}", "{{ x|center(1000000000) }}", "{{ x|pprint }}", "{{ ()|random }}", "{{ {[]: 1} }}",
        "{{ x.format }}", "{{ ['{:>1000000000}']|map(attribute='format')|first }}", "{{ x['ljust'] }}", "{{ loop }}",
        "{{ {'upper': ['{:>1000000000}']|map(attribute='format')|first}.upper(1) }}",
    ],
)  # fmt: skip
def test_nothing_beyond_the_language_is_reached(text: str) -> None:
    refusal(text, x="text")


PIECES = st.sampled_from(
    [
        "{{ a }}", "{{ a.b }}", "{{ rows[0] ~ 1 }}", "{{ rows|map('upper')|join(', ') }}", "{{ n / 3 }}", "text",
        "{{ a|truncate(n) }}", "{% for x in rows %}", "{% for k, v in a.items() %}", "{% endfor %}", "{% if n > 2 %}",
        "{% else %}", "{% endif %}", "{% set a = rows %}", "{% set n = n * n %}", "{{ loop.index }}",
        "{{ x.y|default(n) }}", "{{ rows|sort|json }}",
        "{%- with a = n %}", "{% endwith %}", "{# no #}", "{{ range(n)|list }}", "{{ a", "%}", "{{ n|duration }}",
    ]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["b", "y", "items"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(PIECES, max_size=8), st.fixed_dictionaries({}, optional={"a": JSON, "rows": JSON, "n": JSON}))
def test_any_template_with_any_data_is_rendered_or_refused(pieces: list[str], data: dict[str, object]) -> None:
    try:
        text = rendered(" ".join(pieces), ParseMode.HTML, **data)
    except Unrenderable as error:
        assert error.what
    else:
        assert text == text.strip()


# Files


def test_a_file_says_how_it_is_shown(tmp_path: Path) -> None:
    write(
        tmp_path, "down.txt", "---\ntitle: {{ host }}: down\nparse_mode: html\npriority: high\n---\n<b>{{ host }}</b>\n"
    )
    made = Templates.read(tmp_path).render("down", {"host": "a<b"})
    assert made == Rendered("<b>a&lt;b</b>", "a<b: down", ParseMode.HTML, "high")


@pytest.mark.parametrize(
    ("name", "mode"), [("a.txt", None), ("a.html", ParseMode.HTML), ("a.md", ParseMode.COMMON_MARK)]
)
def test_the_ending_of_its_name_says_the_parse_mode(tmp_path: Path, name: str, mode: ParseMode | None) -> None:
    write(tmp_path, name, "x\n")
    assert Templates.read(tmp_path).render("a", {}) == Rendered("x", None, mode, None)


def test_other_files_are_left_alone_and_ours_can_be_replaced(tmp_path: Path) -> None:
    for name in (".hidden.txt", "notes.txt~", "README", "a.txt.bak"):
        write(tmp_path, name, "{{ broken")
    write(tmp_path, "post_success.txt", "Posted.")
    assert Templates.read(tmp_path).render("post_success", {}).content == "Posted."


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("one\n{{ host\n", 2, "unexpected end of template"),
        ("---\ntitle: x\n---\n\n{% macro f() %}{% endmacro %}", 5, "'macro' is not available in templates"),
        ("---\ntitle: {{ x\n---\ntext", 2, "unexpected end of template"),
        ("---\ntitel: x\n---\ntext", 2, "did you mean title"),
        ("---\ntitle: x\ntitle: y\n---\ntext", 3, "title occurs twice"),
        ("---\nparse_mode: rtf\n---\ntext", 2, "parse_mode is one of"),
        ("---\npriority: urgent\n---\ntext", 2, "priority is one of"),
        ("---\nsample: [1]\n---\ntext", 2, "sample is a JSON object"),
        ("---\nnonsense\n---\ntext", 2, "key: value"),
        ("---\ntitle: x\n", 1, "must end the header that begins here"),
        ("a\n\x00", 2, "U+0000"),
    ],
)
def test_a_template_error_names_file_and_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    file = write(tmp_path, "down.txt", text)
    with pytest.raises(TemplatesInvalid) as caught:
        Templates.read(tmp_path)
    assert caught.value.detail.startswith(f"{file}:{line}: ")
    assert said in caught.value.detail


def test_all_template_errors_are_reported_at_once(tmp_path: Path) -> None:
    write(tmp_path, "one.txt", "{{ a")
    write(tmp_path, "two.txt", "{{ b")
    write(tmp_path, "TWO LONG.txt", "b")
    write(tmp_path, "two.md", "b")
    with pytest.raises(TemplatesInvalid) as caught:
        Templates.read(tmp_path)
    assert [each.file.name for each in caught.value.problems] == ["TWO LONG.txt", "one.txt", "two.txt"]


def test_a_check_fills_in_the_sample(tmp_path: Path) -> None:
    file = write(tmp_path, "down.txt", '---\nsample: {"host": "db1",\n  "n": "x"}\n---\n{{ host }}\n{{ n - 1 }}\n')
    with pytest.raises(TemplatesInvalid) as caught:
        Templates.read(tmp_path).check()
    assert caught.value.detail == f"{file}:6: with its sample: - does not work with a string and a number."


def test_a_check_reads_the_markup_that_comes_out(tmp_path: Path) -> None:
    (tmp_path / "up.html").write_text("<b>up</b>")
    file = write(tmp_path, "down.html", '---\nsample: {"host": "db1"}\n---\n<b>{{ host }}</i> is down')
    with pytest.raises(TemplatesInvalid) as caught:
        Templates.read(tmp_path).check()
    assert caught.value.detail.startswith(f"{file}:1: with its sample this is not valid HTML: ")


def test_a_check_names_templates_that_have_no_sample(tmp_path: Path) -> None:
    write(tmp_path, "down.txt", "{{ host }}")
    assert Templates.read(tmp_path).check() == ("down",)


@pytest.mark.parametrize("name", ["post_success", "post_failure", "automation_executed"])
def test_the_built_in_templates_render_without_data(name: str) -> None:
    assert OURS.check() == ()
    assert OURS.render(name, {}).content


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(UnknownTemplate) as caught:
        OURS.render("post_sucess", {})
    assert caught.value.hint == "Did you mean post_success?"


def test_data_that_no_message_could_show_is_refused() -> None:
    with pytest.raises(CannotRender, match="too large for a template"):
        OURS.render("post_success", {"rows": list(range(100_000))})


@pytest.mark.parametrize("title", ['"Disk of {{ x }}"', "'Disk of {{ x }}'", "Disk of {{ x }}"])
def test_a_value_may_stand_in_quotes_as_in_yaml(tmp_path: Path, title: str) -> None:
    write(tmp_path, "a.txt", f'---\ntitle: {title}\npriority: "high"\n---\ny')
    rendered = Templates.read(tmp_path).render("a", {"x": "db1"})
    assert (rendered.title, rendered.priority) == ("Disk of db1", "high")


def test_quotes_inside_a_title_are_its_own(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", '---\ntitle: "{{ x }}" and "y"\n---\ny')
    assert Templates.read(tmp_path).render("a", {"x": "db1"}).title == '"db1" and "y"'


def test_a_long_title_is_cut(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "---\ntitle: {{ x }}\n---\ny")
    title = Templates.read(tmp_path).render("a", {"x": "word " * 100}).title
    assert title is not None
    assert (len(title), title[-1]) == (256, "…")
