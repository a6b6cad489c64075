"""Jinja's immutable sandbox, with only the syntax, methods, filters and tests that a message needs."""

import functools
from types import BuiltinMethodType, MethodType
from typing import Any

from jinja2 import TemplateSyntaxError, nodes, pass_context
from jinja2.compiler import operators
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.visitor import NodeTransformer

from notifybot.rendering.markup import ParseMode
from notifybot.templates.calls import call
from notifybot.templates.errors import Missing, Unfit, must_exist
from notifybot.templates.filters import METHODS, escape, filters, tests

NODES = (
    nodes.Expr, nodes.Template, nodes.Output, nodes.For, nodes.If, nodes.Assign, nodes.With, nodes.Keyword,
    nodes.Pair, nodes.Operand,
)  # fmt: skip
MAX_BASE, MAX_EXPONENT = 10**6, 64


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox that allows only METHODS and charges every call to the step budget."""

    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)

    def getattr(self, obj: object, attribute: str) -> Any:
        return self.getitem(obj, attribute)  # a field comes before a method

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        is_method = any(isinstance(obj, each) and attr in names for each, names in METHODS.items())
        return is_method or (isinstance(obj, LoopContext) and not attr.startswith("_"))

    def unsafe_undefined(self, obj: object, attribute: str) -> Any:
        return self.undefined(obj=obj, name=attribute)

    def call(self, context: Context, function: Any, /, *args: Any, **named: Any) -> object:
        must_exist(function)
        named = {key: value for key, value in named.items() if key not in ("_loop_vars", "_block_vars")}  # Jinja's
        if function is safe_range:
            return call("range()", "range", function, *args, **named)
        if not isinstance(function, BuiltinMethodType | MethodType):
            raise Unfit("only range() and methods can be called")
        owner, name = function.__self__, function.__name__
        return call(f"{name}()", name, getattr(type(owner), name), owner, *args, **named)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        must_exist(left, right)
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return self.filters["join"](self, [left, right])
        return call(operator, operator, functools.partial(_calculate, operator), left, right)


def _calculate(sign: str, left: Any, right: Any) -> object:
    """Calculate with numbers, or put lists together. Anything else, such as 'a' * 10**9, is a TypeError."""
    are_lists = isinstance(left, list) and isinstance(right, list) and sign == "+"
    if not are_lists and not (isinstance(left, int | float) and isinstance(right, int | float)):
        raise TypeError(sign)
    if sign == "**" and (abs(left) > MAX_BASE or abs(right) > MAX_EXPONENT):
        raise OverflowError(sign)
    return _Environment.default_binop_table[sign](left, right)


class AllowList(NodeTransformer):
    """Refuse other syntax, and rewrite what Jinja evaluates without a hook as filters, so that it is charged."""

    def generic_visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(node, NODES) or isinstance(node, nodes.NSRef):
            raise TemplateSyntaxError(f"{type(node).__name__.lower()!r} is not available in templates", node.lineno)
        if isinstance(node, nodes.Name | nodes.Filter) and node.name.startswith("_"):
            raise TemplateSyntaxError("a name begins with a letter", node.lineno)
        return super().generic_visit(node, *args, **kwargs)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja's name
        if node.recursive:
            raise TemplateSyntaxError("'recursive' is not available in templates", node.lineno)
        self.generic_visit(node)
        node.iter = _filter(node.iter, "_each", nodes.Const(sum(1 for _ in node.find_all(nodes.Node))))
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        match node.node:
            case nodes.Name(name="range"):
                node.node.name = "_range"  # also where data has a field of that name
            case nodes.Getattr(attr=name):
                if not any(name in names for names in METHODS.values()):
                    raise TemplateSyntaxError(f"{name}() is not available in templates", node.lineno)
            case _:
                raise TemplateSyntaxError("only range() and methods can be called", node.lineno)
        return node

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return node if node.ctx == "store" else nodes.List(node.items, lineno=node.lineno)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), "join")

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        rest = [each for operand in node.ops for each in (nodes.Const(operators[operand.op]), operand.expr)]
        return _filter(node.expr, "_compare", *rest)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        bounds = (each or nodes.Const(None) for each in (node.arg.start, node.arg.stop, node.arg.step))
        return _filter(node.node, "_slice", *bounds)


def _filter(node: nodes.Node, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


@functools.cache
def environment_for(mode: ParseMode | None) -> _Environment:
    """Make the environment of a parse mode."""
    environment = _Environment(
        undefined=Missing,
        finalize=pass_context(lambda context, value: escape(value, mode)),
        autoescape=False,  # each mode has signs of its own
        optimized=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters = dict(filters(mode))
    environment.tests = dict(tests())
    return environment
