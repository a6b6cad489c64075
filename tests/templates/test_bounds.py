"""Limits of templates: the work is bounded for any template, and useful templates are rendered."""

import itertools
import os
import re
import tracemalloc
from pathlib import Path
from time import process_time

import pytest

from notifybot.rendering.markup import ParseMode
from notifybot.templates import Templates, TemplatesInvalid
from notifybot.templates.compiled import Compiled
from notifybot.templates.errors import Unrenderable
from notifybot.templates.filters import filters
from notifybot.templates.filters import tests as all_tests

STEPS = "it takes more than 200,000 steps"
TWICE = "{% set a = (1, 2) %}{% set b = (1, 2) %}" + "{% set a = (a, a) %}{% set b = (b, b) %}" * 40
"""A pair of pairs of pairs …: a few lists, but 2**40 numbers to traverse."""


def rendered(text: str, mode: ParseMode | None = None, /, **data: object) -> str:
    return Compiled(text, mode).render(data)


def refusal(text: str, /, **data: object) -> str:
    with pytest.raises(Unrenderable) as caught:
        rendered(text, **data)
    return caught.value.what


# Operations that Python does in one step of any length


@pytest.mark.parametrize("places", [-(10**9), 10**9, 31, -31, 1.5, "2", None])
def test_numbers_are_rounded_to_a_few_places(places: object) -> None:
    said = "round takes -30 to 30 decimal places"
    assert refusal("{{ load|round(places) }}", load=5, places=places) == said
    assert refusal("{{ load|round(places, 'ceil') }}", load=5, places=places) == said


def test_a_constant_expression_that_never_ends_is_refused() -> None:
    assert "-30 to 30" in refusal("{{ 5|round(-1000000000) }}")
    assert "number" in refusal("{{ 'x'|round(9, 'ceil') }}")


def test_numbers_within_the_bounds_are_rounded() -> None:
    assert rendered("{{ 5.25|round(1) }} {{ 1234|round(-2) }} {{ 1.2|round(0, 'ceil') }} {{ 2.5|round }}") == (
        "5.2 1200 2.0 2.0"
    )


@pytest.mark.parametrize("test", ["even", "odd", "divisibleby(5)"])
def test_a_text_is_no_pattern_for_a_number(test: str) -> None:
    assert refusal(f"{{{{ x is {test} }}}}", x="%1000000000d").endswith("takes a number, not a string")


@pytest.mark.parametrize(
    "last",
    [
        "{{ a == b }}", "{{ a != b }}", "{{ a < b }}", "{{ a is eq(b) }}", "{{ a in [b] }}", "{{ [a, b]|sort }}",
        "{{ [a, b]|unique }}", "{{ {a: 1} }}", "{{ x[a] }}", "{{ x.get(a) }}", "{{ a|upper }}", "{{ a|string }}",
        "{{ [a, b]|select('eq', b)|length }}", "{{ [a, b]|groupby(0) }}", "{{ [a, b]|max }}", "{{ {'k': a}|dictsort }}"
        "{% for each in [a, b] %}{{ loop.changed(each) }}{% endfor %}", "{{ [a, b]|join }}", "{{ a|replace('1', '') }}",
        "{{ x.items()|first == {'k': a}.items()|first }}{{ [a]|string }}", "{{ a|truncate(5) }}", "{{ a|trim }}",
    ],
)  # fmt: skip
def test_deeply_nested_references_are_not_traversed(last: str) -> None:
    refusal(TWICE + last, x={"k": 1})


@pytest.mark.parametrize(
    "turn",
    [
        "{% if -1 in zeros %}{% endif %}", "{% if zeros == others %}{% endif %}", "{% if zeros < others %}{% endif %}",
        "{{ zeros[:]|length }}", "{{ zeros[::2]|length }}", "{{ zeros|select('in', [1])|length }}", "{{ zeros|sum }}",
        "{{ zeros|map('default', 1)|length }}", "{{ zeros|unique|length }}", "{{ zeros|reverse|first }}",
        "{{ zeros|list|length }}", "{{ (zeros + zeros)|length }}", "{{ zeros|min }}", "{{ text|upper|length }}",
        "{{ text.count('a') }}", "{% if 'a' in text %}{% endif %}", "{{ text.strip('y') }}", "{{ text is lower }}",
        "{% if text == other %}{% endif %}", "{{ text[1:]|length }}", "{{ text|int }}", "{{ text|e|length }}",
        "{{ range(row + 9000)|length }}", "{{ range(*zeros) }}", "{{ names|dictsort }}",
        "{{ names.values()|length }}", "{{ names|json|length }}", "{% for each in zeros %}{% endfor %}",
    ],
)  # fmt: skip
def test_all_values_that_a_turn_reads_are_counted(turn: str) -> None:
    zeros = [0] * 9000
    data: dict[str, object] = {"rows": zeros, "zeros": zeros, "others": [*zeros[1:], 1], "text": "y" * 60_000}
    data |= {"other": "y" * 59_999 + "z", "names": {str(each): 0 for each in range(9000)}}
    refusal(f"{{% for row in rows %}}{turn}{{% endfor %}}x", **data)


def test_a_long_turn_takes_more_steps_than_a_short_one() -> None:
    assert rendered("{% for each in range(9000) %}{% set a = each %}{% endfor %}x") == "x"
    refusal("{% for each in range(9000) %}" + "{% set a = each %}" * 200 + "{% endfor %}x")


def test_repeated_slicing_hits_the_step_limit() -> None:
    refusal("{{ zeros" + "[:]" * 50 + "|length }}", zeros=[0] * 9000)


def test_passing_a_value_on_costs_one_step() -> None:
    data: dict[str, object] = {"rows": list(range(9000)), "zeros": [0] * 50_000}
    assert rendered("{% for i in rows %}{% set y = zeros|first %}{% endfor %}done", **data) == "done"
    assert rendered("{% for i in rows %}{% set y = x|default(zeros) %}{% endfor %}done", **data) == "done"
    assert (
        rendered("{% for i in rows %}{% set y = {'a': 1}.get(t) %}{% endfor %}done", t="y" * 60_000, **data) == "done"
    )


def test_many_hosts_are_looked_up_among_many_owners() -> None:
    hosts = [f"h{number}" for number in range(100)]
    owners = {f"h{number}": "anna" for number in range(1, 250)}
    found = rendered('{% for h in hosts %}{{ owners.get(h,"nobody") }} {% endfor %}', hosts=hosts, owners=owners)
    assert found.split() == ["nobody", *["anna"] * 99]
    found = rendered(
        "{% for h in hosts %}{{ h in owners }} {{ h in all }} {% endfor %}", hosts=hosts, owners=owners, all=hosts
    )
    assert found.split() == ["false", "true", *["true"] * 198]


def test_thousands_of_rows_are_sorted_and_shown() -> None:
    rows = [{"n": number, "host": f"h{number}"} for number in range(3000, 0, -1)]
    text = "{% for row in rows|sort(attribute='n') %}{{ row.n }} {{ row.host }}\n{% endfor %}"
    assert rendered(text, rows=rows).splitlines()[:2] == ["1 h1", "2 h2"]
    owners = {f"h{number}": "anna" for number in range(5000)}
    text = "{% for row in rows[:100] if row.host in owners %}{{ owners.get(row.host) }} {% endfor %}"
    assert rendered(text, rows=rows, owners=owners).split() == ["anna"] * 100


def test_the_path_to_an_attribute_is_short() -> None:
    for use in ("map(attribute=path)", "sort(attribute=path)", "selectattr(path)", "sum(path)", "groupby(path)"):
        assert refusal("{{ rows|" + use + "|list }}", rows=[{}] * 9000, path="a." * 500) == STEPS


def test_few_signs_are_taken_off_a_text() -> None:
    for use in (".strip(text)", "|trim(text)", ".rpartition(text)"):
        assert refusal("{{ text" + use + " }}", text="y" * 5000) == STEPS
    assert rendered("{{ x.strip('.') }}{{ '..b'|trim('.') }}", x=".a.") == "ab"


# Memory and time


@pytest.fixture(scope="module")
def hostile_data() -> dict[str, object]:
    zeros = [0] * 9000
    rows = [{"n": number, "z": "x"} for number in range(300)]
    names = {str(number): number for number in range(9000)}
    data: dict[str, object] = {"zeros": zeros, "rows": rows, "names": names, "text": "\U0001f600" * 60_000}
    return data | {"quotes": '"' * 60_000, "blanks": "a " * 30_000, "lists": [[1]] * 9000, "path": "a." * 5000}


def again(text: str, times: int = 400) -> str:
    """Repeat the text many times, with # replaced by a different number each time."""
    return "".join(text.replace("#", str(number)) for number in range(times))


LARGE = [
    "{{ 'a' * 200000000 }}", "{{ [0] * 200000000 }}", "{{ '%1000000000d' % 1 }}", "{{ '%1000000000d' is even }}",
    "{{ 10 ** 10 ** 10 }}", "{{ 5|round(-1000000000) }}", "{{ 'x'|round(9, 'ceil') }}", "{{ range(10 ** 9)|list }}",
    "{{ text|replace('', text) }}", "{{ zeros|join(text) }}", "{{ zeros|map('replace', '0', text)|list|length }}",
    "{{ [quotes, quotes]|json }}", "{{ " + " ~ ".join(["text"] * 2000) + " }}",
    TWICE + "{{ {a: 1} }}", TWICE + "{{ names[a] }}", TWICE + "{{ names.get(a) }}",
    again("{% set x# = text ~ '#' %}"), again("{% set x# = zeros|list %}"), again("{% set x# = range(9000) %}"),
    again("{% set x# = blanks.split(' ') %}"),
    "{% set a = 'xxxxxxxxxx' %}" + "{% set a = a ~ a %}" * 40,
    "{% set a = 'xxxxxxxxxx' %}" + "{% set a = a + a %}" * 40,
    "{% set n = 10 ** 6 ** 64 %}{{ zeros|map(attribute='x', default=n)|list|json|length }}",
    "{% for a in zeros %}0123456789{% endfor %}",
]  # fmt: skip
LONG = [
    TWICE + "{{ a == b }}", TWICE + "{{ a }}", TWICE + "{{ a|sum }}",
    TWICE + "{% for x in a %}{{ loop.changed(x) }}{% endfor %}", again("{% set x# = names.items() %}"),
    "{% set rows = [rows] %}{% set rows = rows + rows %}" * 30 + "{{ rows|json }}",
    "{{ text|trim(text[1:]) }}", "{{ text.rpartition(text) }}", "{{ zeros|map(attribute=path)|list|length }}",
    "{{ lists|sum(start=[])|length }}", "{{ lists|sort(attribute=path)|length }}",
    "{{ [" + "zeros, " * 5000 + "]|json }}",
    again("{{ rows|groupby('n')|length }}"), again("{{ rows|sort(attribute='n')|json|length }}"),
    again("{{ blanks|title|length }}"), again("{{ quotes|e|length }}"),
    "{% for a in zeros %}{% for b in zeros %}{% endfor %}{% endfor %}",
    "{{ ['ab']|map('_each', -1000000000)|list }}{% for a in zeros %}{% for b in zeros %}{% endfor %}{% endfor %}",
    "{% for a in range(2300) %}" + "{% if text[99999] %}{% endif %}" * 20 + "{% endfor %}{{ missing }}",
    "{% for a in range(3000) %}{% set x = a|duration|upper|lower|title %}{% endfor %}{{ missing }}",
]  # fmt: skip


@pytest.mark.parametrize("text", LARGE, ids=lambda text: text[:50])
def test_a_hostile_template_is_refused_within_a_few_megabytes(text: str, hostile_data: dict[str, object]) -> None:
    source = Compiled(text, ParseMode.HTML)
    tracemalloc.start()
    try:
        with pytest.raises(Unrenderable):
            source.render(hostile_data)
        assert tracemalloc.get_traced_memory()[1] < 16_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("text", LARGE + LONG, ids=lambda text: text[:50])
def test_a_hostile_template_is_refused_soon(text: str, hostile_data: dict[str, object]) -> None:
    source = Compiled(text, ParseMode.HTML)
    before = process_time()
    with pytest.raises(Unrenderable):
        source.render(hostile_data)
    assert process_time() - before < 3  # 0.3 s on a quiet machine


# Accepted templates


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("{{ 1 < n <= 5 }} {{ 5 < n }} {{ n == 5.0 }}", "true false true"),
        ("{{ 'b' in 'abc' }} {{ 9 not in [1] }} {{ 'k' in {'k': 1} }}", "true true true"),
        ("{{ rows|sort(attribute='n')|map(attribute='n')|join(' ') }}", "1 2 3"),
        ("{{ rows|sort(true, attribute='n')|map(attribute='n')|join(' ') }}", "3 2 1"),
        ("{{ rows|selectattr('n', '>', 1)|map(attribute='n')|list }}", "[3, 2]"),
        ("{% for z, each in rows|groupby('z') %}{{ z }}{{ each|length }} {% endfor %}", "a2 b1"),
        ("{{ ['b', 'A', 'a']|unique|join }} {{ ['b', 'A']|sort|join }} {{ [3, 1]|max }} {{ [3, 1]|min }}", "bA Ab 3 1"),
        ("{% for k, v in {'b': 1, 'A': 2}|dictsort %}{{ k }}{{ v }}{% endfor %}", "A2b1"),
        ("{% for k, v in {'b': 1}|items %}{{ k }}{{ v }}{% endfor %}{{ {'b': 1}.items() }}", 'b1[["b", 1]]'),
        ("{{ rows|sum('n') }} {{ 'x7'|int(3) }} {{ '7'|int }}", "6 3 7"),
        ("{{ [true, false, true]|sum }} {{ [0.5, 1]|sum }}", "2 1.5"),
        ("{{ '4.5'|float }} {{ 'ff'|int(0, 16) }}", "4.5 255"),
        ("{{ 'a b c d e f'|truncate(8, leeway=0) }} {{ 1500000|filesizeformat }} {{ -5|abs }}", "a b... 1.5 MB 5"),
        ("{{ 'abc'[:2] }}{{ [1, 2, 3][::-1] }}{{ (1, 2)[0] }}{{ 'abc'[1] }}", "ab[3, 2, 1]1b"),
        ("{{ 'ada'.split('d') }} {{ 'a b'.partition(' ') }} {{ {'k': 1}.keys() }}", '["a", "a"] ["a", " ", "b"] ["k"]'),
        ("{% for i in range(3) %}{{ loop.cycle('a', 'b') }}{{ loop.changed(1) }} {% endfor %}", "atrue bfalse afalse"),
    ],
)  # fmt: skip
def test_useful_templates_are_rendered(text: str, made: str) -> None:
    assert rendered(text, n=5, rows=[{"n": 3, "z": "a"}, {"n": 1, "z": "b"}, {"n": 2, "z": "A"}]) == made


def test_a_field_called_range_hides_nothing() -> None:
    assert rendered("{{ range }}{% for i in range(3) %}{{ i }}{% endfor %}", range="r") == "r012"


def test_markup_that_is_joined_stays_markup_and_the_rest_is_escaped() -> None:
    for text in ("{{ [x|safe, x]|join }}", "{{ x|safe ~ x }}", "{{ x|safe + x }}"):
        assert rendered(text, ParseMode.HTML, x="<b>") == "<b>&lt;b&gt;"
    assert rendered("{{ [x|code, x]|join('&') }}", ParseMode.HTML, x="<") == "<code>&lt;</code>&amp;&lt;"
    assert rendered("{{ x ~ x }}", ParseMode.HTML, x="<") == "&lt;&lt;"


# Error messages


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{% for i in rows %}{{ loop() }}{% endfor %}", "only range() and methods can be called"),
        ("{{ data() }}", "only range() and methods can be called"),
        ("{{ n|length }}", "the filter length does not work with a number"),
        ("{{ rows|items }}", "the filter items does not work with a list of numbers"),
        ("{% for each in n %}{% endfor %}", "for does not work with a number"),
        ("{{ -text }}", "a value does not fit here"),
        ("{{ 1 < text }}", "< does not work with a number and a string"),
        ("{{ n in n }}", "in does not work with a number and a number"),
        ("{{ [1, text]|sort }}", "the filter sort does not work with a list of numbers and strings"),
        ("{{ [text]|sum }}", "the filter sum does not work with a list of strings"),
        ("{{ text|round }}", "the filter round takes a number, not a string"),
        ("{{ text|filesizeformat }}", "the filter filesizeformat does not work with a string"),
        ("{{ text.upper(1) }}", "upper() does not work with a string and a number"),
        ("{{ box.get() }}", "get() does not work with an object"),
        ("{{ box.get(rows) }}", "get() does not work with an object and a list of numbers"),
        ("{{ text.split('') }}", "split() does not work with a string and a string"),
        ("{{ text|upper(1) }}", "the filter upper does not work with a string and a number"),
        ("{{ n is divisibleby }}", "the test divisibleby does not work with a number"),
        ("{{ n is divisibleby(0) }}", "division by zero"),
        ("{{ rows[::0] }}", "[:] does not work with a list of numbers"),
        ("{{ n[1:] }}", "[:] does not work with a number"),
        ("{{ (-8) ** 0.5 }}", "this value cannot be printed; to call a method, add () after its name"),
        ("{% set a, b = rows %}", "a value does not fit here"),
        ("{{ (n * 1e308)|round(0, 'ceil') }}", "a number is too large"),
        ("{{ range(n ** 64) }}", "a number is too large"),
        ("{{ text.upper }}", "this value cannot be printed; to call a method, add () after its name"),
        ("{{ box[rows] }}", "an item is missing from an object"),
        ("{{ range('a') }}", "range() does not work with a string"),
    ],
)  # fmt: skip
def test_type_errors_are_described_in_template_terms(text: str, said: str) -> None:
    assert refusal(text, n=5, text="x", rows=[1, 2, 3], box={"a": 1}) == said


ANY: tuple[object, ...] = (None, True, 5, -1.5, "x", "", [1, "a"], [], {"a": 1}, [{"a": [1]}, {"a": "b"}])
PYTHONS = re.compile(
    r"\b(str|int|float|dict|tuple|bool|NoneType|object is|positional|argument|unhashable|iterable|<)\b"
)


@pytest.mark.parametrize("name", sorted(name for name in filters(None) if not name.startswith("_")))
def test_a_filter_works_or_fails_in_template_terms_for_any_arguments(name: str) -> None:
    assert_no_python("{{ x|" + name + " }}", "{{ x|" + name + "(y) }}", "{{ x|" + name + "(y, y) }}")


@pytest.mark.parametrize("name", sorted(name for name in all_tests() if name.isalpha()))
def test_a_test_works_or_fails_in_template_terms_for_any_arguments(name: str) -> None:
    assert_no_python("{{ x is " + name + " }}", "{{ x is " + name + "(y) }}", "{{ [x]|select('" + name + "', y) }}")


@pytest.mark.parametrize("sign", ["+", "-", "*", "/", "//", "%", "**", "~", "==", "<", ">=", "in", "not in"])
def test_an_operator_works_or_fails_in_template_terms_for_any_operands(sign: str) -> None:
    assert_no_python("{{ x " + sign + " y }}", "{{ x[y:] }}", "{{ x[y] }}", "{{ +x }}")


def assert_no_python(*texts: str) -> None:
    for source in [Compiled(text, None) for text in texts]:
        for x, y in itertools.product(ANY, ANY):
            try:
                source.render({"x": x, "y": y})
            except Unrenderable as error:
                said = re.sub(r"the (filter|test) \w+", "", error.what)
                assert not PYTHONS.search(said), (said, x, y)


# Files


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(TemplatesInvalid) as caught:
        Templates.read(tmp_path)
    assert caught.value.detail == f"{tmp_path / 'pipe.txt'}:1: this is not a regular file."


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("x")
    (tmp_path / "a.txt").symlink_to(tmp_path / "real")
    assert Templates.read(tmp_path).render("a", {}).content == "x"
