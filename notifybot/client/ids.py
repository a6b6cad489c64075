"""Ids, as people give them: in full, or a unique prefix. Standard library only."""

from collections.abc import Iterable

from notifybot.client.errors import Refused
from notifybot.client.record import record

ID_LENGTH = 36
ID_LETTERS = frozenset("0123456789abcdef-")


@record()
class IdKind:
    """A kind of object with ids: the `word` for one, the `folder` of their URLs, and a `hint` where to find the ids."""

    word: str
    folder: str
    hint: str

    def path(self, id_: str) -> str:
        """Return the URL path of an object. Raises Refused for anything that is not an id."""
        wanted = self._prefix(id_)
        if len(wanted) != ID_LENGTH:
            raise self._not_an_id(id_)
        return f"{self.folder}/{wanted}"

    def find(self, text: str, ids: Iterable[str]) -> str:
        """Return the one of `ids` (newest first) that begins with `text`. Raises Refused if there is none, or several.

        `ids` is read only as far as needed, and not at all for a full id.
        """
        wanted = self._prefix(text)
        if len(wanted) == ID_LENGTH:
            return wanted
        found = _beginning_with(wanted, ids)
        if not found:
            raise Refused(f"No {self.word} begins with `{text}`.", hint=self.hint)
        if len(found) > 1:
            detail = f"`{text}` matches {len(found)} {self.word}s."
            raise Refused(detail, hint=f"Use a longer prefix: {', '.join(found[:3])}.")
        return found[0]

    def _prefix(self, text: str) -> str:
        wanted = text.lower()
        if not wanted or not set(wanted) <= ID_LETTERS:
            raise self._not_an_id(text)
        return wanted

    def _not_an_id(self, text: str) -> Refused:
        return Refused(f"`{text}` is not {'an' if self.word[0] in 'aeiou' else 'a'} {self.word} id.", hint=self.hint)


def _beginning_with(wanted: str, ids: Iterable[str]) -> list[str]:
    found = []
    for each in ids:
        if each.startswith(wanted):
            found.append(each)
        elif each[: len(wanted)] < wanted:  # ids sort by time: older ones cannot match
            break
    return found
