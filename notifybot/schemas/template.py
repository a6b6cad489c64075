"""The text of a message from a template, filled in with the data that came with it."""

from notifybot.schemas.messages import AnyFields
from notifybot.schemas.types import MessageText, Title
from notifybot.templates import CannotRender
from notifybot.templates.renderer import Renderer
from notifybot.web.bodies import RequestFields, check
from notifybot.web.problems import FieldProblem, InvalidFields


class _Rendered(RequestFields):
    content: MessageText
    title: Title = None


async def fill_template(templates: Renderer, name: str, fields: AnyFields, text: str | None) -> tuple[AnyFields, str]:
    """The fields as the template completes them, and the text that it makes of their data.

    The title and the priority that the caller gives come before the template's; how the text is marked up is the
    template's alone. Raises UnknownTemplate, CannotRender, InvalidFields, Unavailable.
    """
    if text is not None:
        raise InvalidFields([FieldProblem(("template",), "the template makes the text: leave one of the two out")])
    if fields.parse_mode is not None:
        raise InvalidFields([FieldProblem(("parse_mode",), "the template says how its text is marked up")])
    made = await templates.render(name, fields.data or {})
    said = _checked(name, made.content, made.title)
    newer: dict[str, object] = {"title": fields.title or said.title, "parse_mode": made.parse_mode}
    if made.priority is not None and "priority" not in fields.model_fields_set:
        newer["priority"] = made.priority
    return fields.model_copy(update=newer), said.content


def _checked(name: str, content: str, title: str | None) -> _Rendered:
    """What is in data may be no text that can be sent."""
    try:
        return check(_Rendered, {"content": content, "title": title})
    except InvalidFields as error:
        first = error.problems[0]
        raise CannotRender(
            f"The template {name} makes of this data a {first.loc[0]} that cannot be sent: {first.msg}.",
            hint="Say in data what the template needs.",
        ) from None
