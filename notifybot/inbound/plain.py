"""Formats without an author: any JSON object with a mapping of its fields, a form, or plain text."""

from collections.abc import Mapping

from notifybot.config.model import InboundField
from notifybot.errors import NotifybotError
from notifybot.inbound.event import Event, is_over, links_of, priority_of, short_key
from notifybot.inbound.received import Fields, Received, as_text
from notifybot.web.problems import FieldProblem, InvalidFields

USUAL: Mapping[InboundField, tuple[str, ...]] = {
    InboundField.TITLE: ("title", "subject", "summary"),
    InboundField.TEXT: ("text", "message", "body", "content", "description", "msg"),
    InboundField.KEY: ("key", "dedup_key", "fingerprint"),
    InboundField.STATUS: ("status", "state"),
    InboundField.SEVERITY: ("severity", "priority", "level"),
    InboundField.URL: ("url", "link"),
    InboundField.LABELS: ("labels",),
}
"""Names that are looked for, in order, unless the route's `fields` say where a part stands."""


def read_json(received: Received) -> Event:
    return _event(received.fields(), received.mapping)


def read_form(received: Received) -> Event:
    form = received.form() or received.urlencoded()
    return _event(Fields({**received.query, **form.values}), received.mapping)


def read_text(received: Received) -> Event:
    """Read the body as the text; the query has the rest."""
    text = as_text(received.text)
    if not text.strip():
        raise NotifybotError("The body is blank.")
    return _event(Fields({**received.query, "text": text}), {})


def _event(document: Fields, mapping: Mapping[str, str]) -> Event:
    title, text = (_part(document, mapping, each) for each in (InboundField.TITLE, InboundField.TEXT))
    if not (title + text).strip():
        wanted = mapping.get(InboundField.TEXT) or " or ".join(USUAL[InboundField.TEXT])
        error = f"this is required: text in {wanted}, or a title; inbound.*.fields names other places"
        raise InvalidFields([FieldProblem((InboundField.TEXT.value,), error)])
    return Event(
        title=title,
        text=text,
        key=short_key(_part(document, mapping, InboundField.KEY)),
        is_resolved=is_over(_part(document, mapping, InboundField.STATUS)),
        priority=priority_of(_part(document, mapping, InboundField.SEVERITY)),
        links=links_of({"Open": _part(document, mapping, InboundField.URL)}),
        labels=_labels(document, mapping),
    )


def _part(document: Fields, mapping: Mapping[str, str], field: InboundField) -> str:
    """Return the text of a part of the message; empty if the document does not have it."""
    value = _found(document, mapping, field)
    if isinstance(value, dict | list):
        raise document.refuse(mapping.get(field, field), "this must be text")
    return as_text(value)


def _labels(document: Fields, mapping: Mapping[str, str]) -> dict[str, str]:
    value = _found(document, mapping, InboundField.LABELS)
    return Fields({"labels": value}).texts("labels") if isinstance(value, dict) else {}


def _found(document: Fields, mapping: Mapping[str, str], field: InboundField) -> object:
    if field in mapping:
        return _at(document.values, mapping[field])
    return next((document.values[name] for name in USUAL[field] if document.values.get(name) is not None), None)


def _at(value: object, path: str) -> object:
    """Follow a path like `alerts.0.labels.host`; None where it ends before."""
    for name in path.split("."):
        if isinstance(value, dict):
            value = value.get(name)
        elif (
            isinstance(value, list) and name.isdecimal() and name.isascii() and len(name) < 6 and int(name) < len(value)
        ):
            value = value[int(name)]
        else:
            return None
    return value
