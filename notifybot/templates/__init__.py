"""Templates: named texts, ours and the operator's, that are filled in with a caller's data."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from notifybot.errors import NotifybotError, StartRefused, did_you_mean
from notifybot.rendering import markup
from notifybot.rendering.markup import ParseMode
from notifybot.templates.errors import Unrenderable
from notifybot.templates.limits import MAX_CHARACTERS, size_of
from notifybot.templates.loader import Template, TemplateProblem, read_folder
from notifybot.times.display import shorten

__all__ = ["CannotRender", "Rendered", "TemplateProblem", "Templates", "TemplatesInvalid", "UnknownTemplate"]

SHIPPED = Path(__file__).parent / "shipped"
MAX_TITLE = 256


class TemplatesInvalid(StartRefused):
    """The operator's templates have problems; `detail` has a line for each."""

    title = "Invalid templates"

    def __init__(self, problems: list[TemplateProblem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)), hint="Fix this, then run: notifybot config check")


class UnknownTemplate(NotifybotError):
    """No template has this name."""


class CannotRender(NotifybotError):
    """This data does not fit this template."""


@dataclass(frozen=True)
class Rendered:
    """A filled-in template. `content` may be empty; None: the template does not say."""

    content: str
    title: str | None
    parse_mode: ParseMode | None
    priority: str | None


@dataclass(frozen=True)
class Templates:
    """All templates by their names."""

    by_name: Mapping[str, Template]

    @staticmethod
    def read(folder: Path | None) -> "Templates":
        """Read ours, then the operator's folder, which may replace ours by name. Raises TemplatesInvalid."""
        problems: list[TemplateProblem] = []
        found = {each.name: each for each in read_folder(SHIPPED, problems.append)}
        if folder is not None:
            found |= {each.name: each for each in read_folder(folder, problems.append)}
        if problems:
            raise TemplatesInvalid(problems)
        return Templates(MappingProxyType(found))

    def render(self, name: str, data: Mapping[str, object]) -> Rendered:
        """Fill in a template. Raises UnknownTemplate, CannotRender."""
        template = self._find(name)
        if size_of(data, stop_above=MAX_CHARACTERS, characters_per_step=1) > MAX_CHARACTERS:
            raise CannotRender(f"The data is too large for a template: the limit is {MAX_CHARACTERS:,} characters.")
        try:
            return _rendered(template, data)
        except Unrenderable as error:
            where = "" if error.line is None else f", line {error.line}"
            raise CannotRender(
                f"The template {name}{where}: {error.what}.", hint="Check that data has the fields the template needs."
            ) from None

    def _find(self, name: str) -> Template:
        found = self.by_name.get(name)
        if found is None:
            near = did_you_mean(name, self.by_name)
            hint = f"Did you mean {near}?" if near else f"There are {', '.join(sorted(self.by_name))}."
            raise UnknownTemplate(f"There is no template {name!r}.", hint=hint)
        return found

    def check(self) -> tuple[str, ...]:
        """Fill each in with its own sample; return the names of those that have none. Raises TemplatesInvalid."""
        problems = [problem for each in self.by_name.values() if (problem := _check(each)) is not None]
        if problems:
            raise TemplatesInvalid(problems)
        return tuple(sorted(name for name, each in self.by_name.items() if each.sample is None))


def _rendered(template: Template, data: Mapping[str, object]) -> Rendered:
    title = "" if template.title is None else shorten(" ".join(template.title.render(data).split()), MAX_TITLE)
    return Rendered(template.text.render(data), title or None, template.parse_mode, template.priority)


def _check(template: Template) -> TemplateProblem | None:
    """Fill in a template with its own sample; one that needs no data needs no sample either."""
    try:
        made = _rendered(template, template.sample or {})
    except Unrenderable as error:
        if template.sample is None and error.is_missing:
            return None
        return TemplateProblem(template.file, error.line or 1, f"with its sample: {error.what}")
    if not made.content:
        return TemplateProblem(template.file, 1, "with its sample the text is empty")
    return _invalid_markup(template, made.content)


def _invalid_markup(template: Template, content: str) -> TemplateProblem | None:
    """Parse as Telegram would; a message that Telegram cannot parse goes out as plain text."""
    if template.parse_mode is None:
        return None
    try:
        markup.parse(content, template.parse_mode)
    except markup.Unparseable as error:
        said = str(error).rstrip(".")
        return TemplateProblem(template.file, 1, f"with its sample this is not valid {template.parse_mode}: {said}")
    return None
