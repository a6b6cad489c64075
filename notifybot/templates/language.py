"""The language of templates: Jinja without what a message does not need, and bounded in all it does."""

import functools
import operator
from collections.abc import Callable, Mapping
from types import BuiltinMethodType, MethodType, TracebackType
from typing import Any

from jinja2 import Template, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import LoopContext, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from notifybot.rendering.markup import ParseMode
from notifybot.templates import comparing, functions
from notifybot.templates.budget import (
    MOST_CHARACTERS,
    TooMuch,
    budget,
    fits,
    look_at,
    look_through,
    spend,
    too_long,
)
from notifybot.templates.escaping import MarkedUp
from notifybot.templates.lists import as_list
from notifybot.templates.words import PYTHONS, Unfit, kind, must_be_there, saying

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
OF_SHORT_TEXTS = ("strip", "rpartition")
"""Python's own take so long as one text times the other."""
NODES_A_STEP = 100
"""What stands in a loop makes its turns longer."""
OF_THE_COMPILER = ("_loop_vars", "_block_vars")
"""What its code adds to the arguments of each call."""
MOST_NAME = 64
"""So much of a field's name is repeated where it is missing."""


class Unrenderable(Exception):
    """`line` counts from 1, None where nobody knows; `is_missing`: data lacks something."""

    def __init__(self, what: str, line: int | None, *, is_missing: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.line = line
        self.is_missing = is_missing


REFUSALS = (TooMuch, Unfit, TemplateRuntimeError)
"""They say in our words, or the library's, what is wrong."""


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, REFUSALS) else "a value does not fit what is done with it here"


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
        except (*REFUSALS, *PYTHONS) as error:
            raise Unrenderable(_said(error), None) from None

    def render(self, data: Mapping[str, object]) -> str:
        """The text, without blanks around it. Raises Unrenderable."""
        try:
            with budget():
                return self._written({**data, "data": data})
        except UndefinedError as error:
            raise Unrenderable(str(error), self._line(error.__traceback__), is_missing=True) from None
        except (*REFUSALS, *PYTHONS) as error:
            raise Unrenderable(_said(error), self._line(error.__traceback__)) from None
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
        where = "data" if isinstance(self._undefined_obj, _Nowhere) else kind(self._undefined_obj)
        return self._undefined_hint or f"{self._undefined_name!r} is missing in {where}"


_Nowhere = type(Undefined()._undefined_obj)


class _Language(ImmutableSandboxedEnvironment):
    """An object's fields come before its methods, and of these there are few."""

    intercepted_binops = frozenset(OPERATORS)
    intercepted_unops = frozenset("+-")

    def getattr(self, obj: object, attribute: str) -> object:
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        is_method = any(isinstance(obj, kind) and attribute in names for kind, names in METHODS.items())
        if is_method or (isinstance(obj, LoopContext) and not attribute.startswith("_")):
            return getattr(obj, attribute)
        return obj if isinstance(obj, Undefined) else self.undefined(obj=obj, name=attribute[:MOST_NAME])

    def getitem(self, obj: object, argument: object) -> object:
        if isinstance(obj, Undefined):
            return obj
        must_be_there(argument)
        if isinstance(argument, list | dict):
            raise Unfit(f"a field or an item is not named by {kind(argument)}")
        try:
            return obj[argument]  # type: ignore[index] # what has none says so
        except (TypeError, LookupError):
            return self.undefined(obj=obj, name=str(argument)[:MOST_NAME])

    def call(self, context: Any, function: Any, /, *args: Any, **kwargs: Any) -> object:
        must_be_there(function)
        if not isinstance(function, BuiltinMethodType | MethodType):
            raise Unfit("only methods can be called, and range")
        name = function.__name__
        kwargs = {key: value for key, value in kwargs.items() if key not in OF_THE_COMPILER}
        spend(1 + len(args) + len(kwargs))
        _pay_for_call(function.__self__, name, args)
        with saying(f"{name}() does not take this"):
            result = as_list(super().call(context, function, *args, **kwargs))
        fits(result)
        return result

    def call_binop(self, context: Any, sign: str, left: object, right: object) -> object:
        for value in (left, right):
            look_at(value)
            must_be_there(value)
        if not _may_meet(sign, left, right):
            raise Unfit(f"{sign} does not fit {kind(left)} and {kind(right)}")
        if isinstance(left, MarkedUp) or isinstance(right, MarkedUp):
            return self.filters[functions.JOINED]([left, right])
        with saying(f"{sign} does not fit these numbers"):
            result = OPERATORS[sign](left, right)
        if isinstance(result, complex):
            raise Unfit("this is no number that can be written")
        fits(result)
        return result

    def call_unop(self, context: Any, sign: str, value: object) -> object:
        must_be_there(value)
        if not isinstance(value, int | float):
            raise Unfit(f"{sign} does not fit {kind(value)}")
        return -value if sign == "-" else value


def _pay_for_call(owner: object, name: str, args: tuple[object, ...]) -> None:
    if isinstance(owner, str):
        look_at(owner)
    if isinstance(owner, dict) and name != "get":
        look_at(owner)
    for each in args:
        if isinstance(owner, LoopContext):  # changed() compares them
            look_through(each)
        elif isinstance(each, str):
            look_at(each)
            if name in OF_SHORT_TEXTS and len(each) > functions.MOST_SIGNS:
                raise Unfit(f"{name}() takes at most {functions.MOST_SIGNS} signs")


def _may_meet(sign: str, left: object, right: object) -> bool:
    """Numbers calculate; texts, and lists, may follow each other. Nothing is repeated many times."""
    if isinstance(left, int | float) and isinstance(right, int | float):
        return sign != "**" or (abs(left) <= LARGEST_BASE and abs(right) <= LARGEST_EXPONENT)
    return sign == "+" and any(isinstance(left, kind) and isinstance(right, kind) for kind in (str, list))


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
        a_turn = 1 + sum(1 for _ in node.find_all(nodes.Node)) // NODES_A_STEP
        self.generic_visit(node)
        node.iter = _filtered(node.iter, functions.EACH, nodes.Const(a_turn))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), functions.JOINED)

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
        return _filtered(self.generic_visit(node), functions.MADE)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802
        return _filtered(self.generic_visit(node), functions.MADE)

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:  # noqa: N802
        if isinstance(node.key, nodes.List | nodes.Tuple | nodes.Dict):
            raise TemplateSyntaxError("a field is called by a text or a number", node.lineno)
        self.generic_visit(node)
        if not isinstance(node.key, nodes.Const):
            node.key = _filtered(node.key, functions.KEY)
        return node

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        visited = self.generic_visit(node)
        if node.ctx == "store":
            return visited
        return _filtered(nodes.List(node.items, lineno=node.lineno), functions.MADE)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        rest = (each for operand in node.ops for each in (nodes.Const(operand.op), operand.expr))
        return _filtered(node.expr, functions.COMPARED, *rest)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        bounds = (each or nodes.Const(None) for each in (node.arg.start, node.arg.stop, node.arg.step))
        return _filtered(node.node, functions.SLICED, *bounds)

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if not isinstance(node.node, nodes.Name) or node.node.name != "range":
            return node
        nothing = nodes.Const(None)
        return nodes.Filter(
            nothing, functions.RANGE, node.args, node.kwargs, node.dyn_args, node.dyn_kwargs, lineno=node.lineno
        )


def _filtered(node: nodes.Node, name: str, *args: nodes.Expr) -> nodes.Filter:
    assert isinstance(node, nodes.Expr)
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


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
    language.tests = dict(comparing.tests())
    language.globals = {}
    return language
