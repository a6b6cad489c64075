"""JSON objects, and the refusal of a wish of a person at the sandbox."""

JsonObject = dict[str, object]


class Refused(Exception):
    """A wish of a person at the sandbox (not of the bot) that cannot be fulfilled; one plain sentence."""
