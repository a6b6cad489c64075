"""The API's responses: one dataclass per document, which defines its JSON and its OpenAPI schema."""

from notifybot.schemas.responses import jobs, messages, oncall, people, schedules
from notifybot.web.problems import ProblemDocument

DOCUMENTS: dict[str, type] = {
    name.removesuffix("Document"): kind
    for room in (messages, schedules, people, oncall, jobs)
    for name, kind in vars(room).items()
    if name.endswith("Document") and kind.__module__ == room.__name__
} | {"Problem": ProblemDocument}
"""Every response document by its name in the OpenAPI schema."""
