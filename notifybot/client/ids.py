"""Ids as people give them: the beginning of one is enough where no other has the same. Standard library only."""

from collections.abc import Iterable
from dataclasses import dataclass

from notifybot.client.errors import Refused

ID_LENGTH = 36
ID_LETTERS = frozenset("0123456789abcdef-")


@dataclass(frozen=True)
class IdKind:
    """What has such ids: `word` for one of them, the `folder` of their paths, and a `hint` where to find them."""

    word: str
    folder: str
    hint: str

    def path(self, id_: str) -> str:
        """The path of one of them. Refused where the id is none, before it gets into a path."""
        wanted = self.beginning(id_)
        if len(wanted) != ID_LENGTH:
            raise self._no_id(id_)
        return f"{self.folder}/{wanted}"

    def beginning(self, text: str) -> str:
        """What an id may begin with, as ids are written. Refused for anything else."""
        wanted = text.lower()
        if not wanted or not set(wanted) <= ID_LETTERS:
            raise self._no_id(text)
        return wanted

    def find(self, text: str, ids: Iterable[str]) -> str:
        """The one of `ids`, which come newest first, that begins with `text`. Refused where there is none, or several.

        No id is asked for that cannot match, nor any for a whole one.
        """
        wanted = self.beginning(text)
        if len(wanted) == ID_LENGTH:
            return wanted
        found = _beginning_with(wanted, ids)
        if not found:
            raise Refused(f"No {self.word} begins with `{text}`.", hint=self.hint)
        if len(found) > 1:
            detail = f"`{text}` stands for {len(found)} {self.word}s."
            raise Refused(detail, hint=f"Give more of it: {', '.join(found[:3])}.")
        return found[0]

    def _no_id(self, text: str) -> Refused:
        return Refused(f"`{text}` is no {self.word} id.", hint=self.hint)


def _beginning_with(wanted: str, ids: Iterable[str]) -> list[str]:
    found = []
    for each in ids:
        if each.startswith(wanted):
            found.append(each)
        elif each[: len(wanted)] < wanted:  # ids are ordered by time: older ones cannot match
            break
    return found
