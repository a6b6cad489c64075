"""A local Telegram: the Bot API with its limits and errors, people who use it, and a page that shows it.

Where it departs from Telegram, on purpose:
- unknown parameters and fields, and values of a wrong type, are refused instead of ignored or replaced;
- what Telegram has and the sandbox lacks (methods, parameters, kinds of buttons) is refused with 501 and named;
- webhooks may be plain http on any port, but only on loopback;
- entering a chat is told by my_chat_member alone, without the service message;
- how long a press can be answered, how much a chat bears in a burst, how a ban grows, which characters of a file's
  name are kept and how much larger than its file a body may be are estimates;
- pictures are not decoded: each size of a photo has the bytes that were uploaded, a document has no thumbnail and
  stays one even where Telegram would make a video, a sound or an animation of it;
- a file sent by its address is fetched from what a test laid out (`Sandbox.web`), or from this machine.
"""

from notifybot.sandbox.bot_api.fetch import WebPage
from notifybot.sandbox.sandbox import EXAMPLE_TOKEN, Sandbox
from notifybot.sandbox.values import Refused
from notifybot.sandbox.web.server import make_app, serving

__all__ = ["EXAMPLE_TOKEN", "Refused", "Sandbox", "WebPage", "make_app", "serving"]
