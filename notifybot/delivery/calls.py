"""Make the call that a claim is for: render the post, then fetch a file or call Telegram."""

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from notifybot.delivery.attempt import Attempt
from notifybot.delivery.claims import Claim
from notifybot.files.admit import FileAdmission
from notifybot.posts.outcomes import GiveUp, Outcome, Shown
from notifybot.rendering.buttons import Snooze
from notifybot.rendering.parts import Fetch
from notifybot.rendering.render import NextCall, is_long_markup, next_call
from notifybot.rendering.views import PostView
from notifybot.system.work_pool import WorkPool
from notifybot.telegram_api.sender import TelegramSender
from notifybot.telegram_api.upload_cache import Waiting

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DeliverySettings:
    """The configured bounds: retries per message, parts per text, and the snoozes on offer."""

    give_up_after: timedelta
    max_parts: int
    snoozes: tuple[Snooze, ...] = ()


@dataclass(frozen=True)
class Calls:
    """Makes calls, with everything they need."""

    sender: TelegramSender
    files: FileAdmission
    settings: DeliverySettings
    render_pool: WorkPool = field(default_factory=lambda: WorkPool("rendering"))

    async def make(self, claim: Claim, waiting: Waiting) -> tuple[Attempt, Outcome]:
        """Make the claim's call. A post that cannot be rendered is given up: it would fail again."""
        try:
            coming = await self._next_call(claim.post)
        except Exception:
            log.exception("a post cannot be rendered", extra={"action": "render_failed", "post": claim.post.id})
            return Attempt(claim, None, 0, "", is_last=True), GiveUp("notifybot could not prepare it", False)
        attempt = Attempt(claim, coming.call, coming.place, coming.digest, coming.is_last, coming.text)
        match coming.call:
            case None:
                return attempt, Shown(claim.post.chat_id, ())
            case Fetch():
                return attempt, await self.files.fetch(coming.call)
            case _:
                return attempt, await self.sender.show(coming.call, waiting)

    async def _next_call(self, post: PostView) -> NextCall:
        """Render on a thread where the markup is long: parsing can take a second."""
        render = partial(next_call, post, max_parts=self.settings.max_parts, snoozes=self.settings.snoozes)
        content, look = ("", None) if post.message is None else (post.message.content, post.message.look)
        is_long = look is not None and is_long_markup(content, look.parse_mode)
        return await self.render_pool.run(render, len(content)) if is_long else render()
