"""One text of a template, compiled: renders it, and finds the line of an error."""

from collections.abc import Mapping
from types import TracebackType

from jinja2 import Template, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import TemplateRuntimeError
from jinja2.sandbox import safe_range

from notifybot.rendering.markup import ParseMode
from notifybot.templates.calls import PYTHON_ERRORS
from notifybot.templates.environment import AllowList, environment_for
from notifybot.templates.errors import Unfit, Unrenderable
from notifybot.templates.limits import LimitExceeded, budget, check_length

ERRORS_IN_WORDS = (LimitExceeded, Unfit, TemplateRuntimeError)


class Compiled:
    """One text of a template, ready to render."""

    def __init__(self, text: str, mode: ParseMode | None, *, line: int = 1) -> None:
        """`line`: where in its file the text begins. Raises Unrenderable."""
        environment = environment_for(mode)
        self._name = f"<template {id(self)}>"
        try:
            tree = AllowList().visit(environment.parse("\n" * (line - 1) + text))
            self._template = Template.from_code(environment, environment.compile(tree, filename=self._name), {})
        except TemplateSyntaxError as error:
            raise Unrenderable((error.message or "a syntax error").rstrip("."), error.lineno) from None
        except (RecursionError, SyntaxError, MemoryError):  # Python's own limits of nesting
            raise Unrenderable("it is nested too deeply", None) from None
        except PYTHON_ERRORS:
            raise Unrenderable("a constant in it is invalid", None) from None

    def render(self, data: Mapping[str, object]) -> str:
        """Fill in data, without blanks around the text. Raises Unrenderable."""
        try:
            with budget():
                return self._output({**data, "data": data, "_range": safe_range})
        except UndefinedError as error:
            raise Unrenderable(str(error), self._line(error.__traceback__), is_missing=True) from None
        except ERRORS_IN_WORDS as error:
            raise Unrenderable(str(error), self._line(error.__traceback__)) from None
        except PYTHON_ERRORS as error:
            raise Unrenderable("a value does not fit here", self._line(error.__traceback__)) from None
        except RecursionError:
            raise Unrenderable("its data is nested too deeply", None) from None

    def _output(self, variables: Mapping[str, object]) -> str:
        pieces, length = [], 0
        for piece in self._template.generate(variables):
            pieces.append(piece)
            length += len(piece)
            check_length(length)
        return "".join(pieces).strip()

    def _line(self, traceback: TracebackType | None) -> int | None:
        line = None
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == self._name:
                line = traceback.tb_lineno
            traceback = traceback.tb_next
        return line
