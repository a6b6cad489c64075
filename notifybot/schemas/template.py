"""Render the template that a request names, with its data."""

import json

from notifybot.schemas.messages import AnyFields
from notifybot.schemas.types import MessageText, Title
from notifybot.storage.under_way import UnderWay, Work, WorkKind, digest
from notifybot.templates import CannotRender
from notifybot.templates.renderer import Renderer
from notifybot.web.bodies import RequestFields, check
from notifybot.web.problems import FieldProblem, InvalidFields


class _Texts(RequestFields):
    content: MessageText
    title: Title = None


async def fill_template(
    templates: Renderer, under_way: UnderWay, name: str, fields: AnyFields, text: str | None
) -> tuple[AnyFields, str]:
    """Return the completed fields and the rendered text.

    The caller's title and priority win over the template's; parse_mode is the template's alone. Raise UnknownTemplate,
    CannotRender, InvalidFields, Unavailable, DiedBefore.
    """
    if text is not None:
        raise InvalidFields([FieldProblem(("template",), "the template provides the text; leave one of the two out")])
    if fields.parse_mode is not None:
        raise InvalidFields([FieldProblem(("parse_mode",), "the template sets the parse_mode; leave it out")])
    data = fields.data or {}
    async with under_way.working_on(Work(WorkKind.TEMPLATE, digest(name, json.dumps(data, sort_keys=True)))):
        rendered = await templates.render(name, data)
    texts = _checked(name, rendered.content, rendered.title)
    update: dict[str, object] = {"title": fields.title or texts.title, "parse_mode": rendered.parse_mode}
    if rendered.priority is not None and "priority" not in fields.model_fields_set:
        update["priority"] = rendered.priority
    return fields.model_copy(update=update), texts.content


def _checked(name: str, content: str, title: str | None) -> _Texts:
    """Check the texts: data can make them blank or too long."""
    try:
        return check(_Texts, {"content": content, "title": title})
    except InvalidFields as error:
        first = error.problems[0]
        raise CannotRender(
            f"With this data, the template {name} renders a {first.loc[0]} that cannot be sent: {first.msg}.",
            hint="Check the fields of data that the template uses.",
        ) from None
