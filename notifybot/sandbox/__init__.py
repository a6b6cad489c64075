"""A local Telegram: the Bot API with its limits and errors, people who use it, and a chat page.

Deliberate differences from Telegram:
- unknown parameters and fields, and values of the wrong type, are refused instead of ignored or replaced;
- methods, parameters and buttons that the sandbox lacks are refused with 501 and named;
- webhooks may be plain http on any port, but only on loopback;
- joining a chat only causes my_chat_member, without the service message;
- estimates: time to answer a press, burst size of a chat, growth of a ban, characters kept in file names, and the
  overhead of a request body;
- images are not decoded: each size of a photo has the uploaded bytes; documents have no thumbnail, and never become
  a video, audio or animation as they might in Telegram;
- a file sent by URL is fetched from pages that a test provides (`Sandbox.web`), or from this machine.
"""

from notifybot.sandbox.bot_api.fetch import WebPage
from notifybot.sandbox.sandbox import EXAMPLE_TOKEN, Sandbox
from notifybot.sandbox.values import Refused
from notifybot.sandbox.web.server import make_app, serving

__all__ = ["EXAMPLE_TOKEN", "Refused", "Sandbox", "WebPage", "make_app", "serving"]
