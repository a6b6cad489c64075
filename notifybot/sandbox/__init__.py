"""A local Telegram: the Bot API with its limits and errors, people who use it, and a page that shows it."""

from notifybot.sandbox.sandbox import EXAMPLE_TOKEN, Sandbox
from notifybot.sandbox.server import make_app, serving
from notifybot.sandbox.wire import Refused

__all__ = ["EXAMPLE_TOKEN", "Refused", "Sandbox", "make_app", "serving"]
