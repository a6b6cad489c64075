"""The language of templates: Jinja without what a message does not need, and bounded in all it does."""

import functools
import operator
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from jinja2 import Template, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import LoopContext, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from notifybot.markup import ParseMode
from notifybot.templates import functions
from notifybot.templates.budget import MOST_CHARACTERS, TooMuch, budget, fits, spend, too_long

ALLOWED = (
    nodes.Expr, nodes.Template, nodes.Output, nodes.For, nodes.If, nodes.Assign, nodes.With, nodes.Keyword,
    nodes.Pair, nodes.Operand,
)  # fmt: skip
METHODS: Mapping[type, frozenset[str]] = {
    dict: frozenset({"items", "keys", "values", "get"}),
    str: frozenset({"upper", "lower", "title", "capitalize", "strip", "startswith", "endswith", "split", "splitlines"})
    | {"removeprefix", "removesuffix", "partition", "rpartition", "isdigit", "find", "count"},
}
OPERATORS: Mapping[str, Callable[[Any, Any], object]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
LARGEST_BASE, LARGEST_EXPONENT = 10**6, 64
FAILURES = (
    *(TooMuch, TemplateRuntimeError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError),
    AssertionError,  # of some filters of the library
)
"""What data that does not fit a template leads to."""
KINDS: Mapping[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    type(None): "null",
    bool: "true or false",
}


class Unrenderable(Exception):
    """`line` counts from 1, None where nobody knows; `is_missing`: data lacks something."""

    def __init__(self, what: str, line: int | None, *, is_missing: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.line = line
        self.is_missing = is_missing


class Source:
    """One text of a template, compiled."""

    def __init__(self, text: str, mode: ParseMode | None, *, line: int = 1) -> None:
        """`line`: where in its file the text begins. Raises Unrenderable."""
        language = _language(mode)
        self._name = f"<template {id(self)}>"
        try:
            with budget():
                tree = _Bounding().visit(language.parse("\n" * (line - 1) + text))
                code = language.compile(tree, filename=self._name)
                self._template = Template.from_code(language, code, language.globals)
        except TemplateSyntaxError as error:
            raise Unrenderable((error.message or "this cannot be read").rstrip("."), error.lineno) from None
        except (RecursionError, SyntaxError, MemoryError):  # Python's own limits to what the library makes of it
            raise Unrenderable("it is nested too deeply", None) from None
        except FAILURES as error:
            raise Unrenderable(str(error), None) from None

    def render(self, data: Mapping[str, object]) -> str:
        """The text, without blanks around it. Raises Unrenderable."""
        try:
            with budget():
                return self._written({**data, "data": data})
        except UndefinedError as error:
            raise Unrenderable(str(error), self._line(error.__traceback__), is_missing=True) from None
        except FAILURES as error:
            raise Unrenderable(str(error), self._line(error.__traceback__)) from None
        except RecursionError:
            raise Unrenderable("its data is nested too deeply", None) from None

    def _written(self, variables: Mapping[str, object]) -> str:
        pieces, room = [], MOST_CHARACTERS
        for piece in self._template.generate(variables):
            pieces.append(piece)
            room -= len(piece)
            if room < 0:
                raise too_long()
        return "".join(pieces).strip()

    def _line(self, traceback: TracebackType | None) -> int | None:
        line = None
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == self._name:
                line = traceback.tb_lineno
            traceback = traceback.tb_next
        return line


class _Missing(StrictUndefined):
    """What data does not have. One may ask for it (`if`, `or`, `is defined`, `default`); what else is done with it is
    an error."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override] # there it raises
        return False

    @property
    def _undefined_message(self) -> str:
        where = "data" if isinstance(self._undefined_obj, _Nowhere) else _kind(self._undefined_obj)
        return self._undefined_hint or f"{self._undefined_name!r} is missing in {where}"


_Nowhere = type(Undefined()._undefined_obj)


class _Language(ImmutableSandboxedEnvironment):
    """An object's fields come before its methods, and of these there are few."""

    intercepted_binops = frozenset(OPERATORS)

    def getattr(self, obj: object, attribute: str) -> object:
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        is_method = any(isinstance(obj, kind) and attribute in names for kind, names in METHODS.items())
        if is_method or (isinstance(obj, LoopContext) and not attribute.startswith("_")):
            return getattr(obj, attribute)
        return obj if isinstance(obj, Undefined) else self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: object, argument: object) -> object:
        if isinstance(obj, Undefined):
            return obj
        try:
            return obj[argument]  # type: ignore[index] # what has none says so
        except (TypeError, LookupError):
            return self.undefined(obj=obj, name=str(argument))

    def call(self, context: Any, function: Any, /, *args: Any, **kwargs: Any) -> object:
        spend(getattr(function, "__self__", None))
        result = super().call(context, function, *args, **kwargs)
        fits(result)
        return result

    def call_binop(self, context: Any, sign: str, left: object, right: object) -> object:
        for value in (left, right):
            spend(value)
            if isinstance(value, Undefined):
                str(value)  # raises
        if not _may_meet(sign, left, right):
            raise TypeError(f"{sign} does not fit {_kind(left)} and {_kind(right)}")
        result = OPERATORS[sign](left, right)
        fits(result)
        return result


def _may_meet(sign: str, left: object, right: object) -> bool:
    """Numbers calculate; texts, and lists, may follow each other. Nothing is repeated many times."""
    if isinstance(left, int | float) and isinstance(right, int | float):
        return sign != "**" or (abs(left) <= LARGEST_BASE and abs(right) <= LARGEST_EXPONENT)
    return sign == "+" and any(isinstance(left, kind) and isinstance(right, kind) for kind in (str, list))


def _kind(value: object) -> str:
    return KINDS.get(type(value), "a number" if isinstance(value, int | float) else "this")


class _Bounding(NodeTransformer):
    """Refuse what is not part of the language, and count the turns of loops."""

    def generic_visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> nodes.Node:
        if not isinstance(node, ALLOWED) or isinstance(node, nodes.NSRef):
            word = type(node).__name__.lower()
            raise TemplateSyntaxError(f"{word!r} is no part of templates here", node.lineno)
        if isinstance(node, nodes.Name | nodes.Filter) and node.name.startswith("_"):
            raise TemplateSyntaxError("a name begins with a letter", node.lineno)
        visited: nodes.Node = super().generic_visit(node, *args, **kwargs)
        return visited

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - the library calls it so
        if node.recursive:
            raise TemplateSyntaxError("'recursive' is no part of templates here", node.lineno)
        self.generic_visit(node)
        node.iter = _filtered(node.iter, functions.EACH)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), functions.JOINED)

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
        return _filtered(self.generic_visit(node), functions.MADE)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802
        return _filtered(self.generic_visit(node), functions.MADE)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        visited = self.generic_visit(node)
        return visited if node.ctx == "store" else _filtered(visited, functions.MADE)


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    assert isinstance(node, nodes.Expr)
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


@functools.cache
def _language(mode: ParseMode | None) -> _Language:
    language = _Language(
        undefined=_Missing,
        finalize=functions.finalizer(mode),
        autoescape=False,  # each mode has signs of its own: functions.finalizer
        trim_blocks=True,
        lstrip_blocks=True,
    )
    language.filters = dict(functions.filters(mode))
    language.tests = dict(functions.tests())
    language.globals = {"range": functions.bounded_range}
    return language
