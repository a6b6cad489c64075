"""JSON objects, and the refusal of a person's action."""

JsonObject = dict[str, object]


class Refused(Exception):
    """An action of a person (not of the bot) is impossible; the text is one plain sentence."""
