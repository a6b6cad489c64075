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
from notifybot.rendering.unparsed import unparsed
from notifybot.rendering.views import MessageView, PostView
from notifybot.storage.under_way import DiedBefore, UnderWay, text_work
from notifybot.system.work_pool import WorkPool
from notifybot.telegram_api.sender import TelegramSender
from notifybot.telegram_api.upload_cache import Waiting

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DeliverySettings:
    """What the config says: retries per message, parts per text, the snoozes on offer, and where alerts escalate."""

    give_up_after: timedelta
    max_parts: int
    snoozes: tuple[Snooze, ...] = ()
    has_escalation_channel: bool = False


@dataclass(frozen=True)
class Calls:
    """Makes calls, with everything they need."""

    sender: TelegramSender
    files: FileAdmission
    settings: DeliverySettings
    under_way: UnderWay
    render_pool: WorkPool = field(default_factory=lambda: WorkPool("rendering"))

    async def make(self, claim: Claim, waiting: Waiting) -> tuple[Attempt, Outcome]:
        """Make the claim's call. A post that cannot be rendered is given up: it would fail again."""
        try:
            coming = await self._next_call(claim.post)
        except DiedBefore as refusal:
            return _given_up(claim, refusal.detail)
        except Exception:
            log.exception("a post cannot be rendered", extra={"action": "render_failed", "post": claim.post.id})
            return _given_up(claim, "notifybot could not prepare it")
        attempt = Attempt(claim, coming.call, coming.place, coming.digest, coming.is_last, coming.text)
        match coming.call:
            case None:
                return attempt, Shown(claim.post.chat_id, ())
            case Fetch():
                return attempt, await self.files.fetch(coming.call)
            case _:
                return attempt, await self.sender.show(coming.call, waiting)

    async def _next_call(self, post: PostView) -> NextCall:
        """Render on a thread where the markup is long: parsing can take a second. Raises DiedBefore for a post that is
        a dead letter: parsing it ends the process, and nobody needs it as plain text."""
        render = partial(next_call, max_parts=self.settings.max_parts, snoozes=self.settings.snoozes)
        message = post.message
        if message is None or not is_long_markup(message.content, message.look.parse_mode):
            return render(post)
        marked = self.under_way.working_on(text_work(message.content, message.look.parse_mode))
        try:
            return await self.render_pool.run(partial(render, post), len(message.content), marked)
        except DiedBefore as refusal:
            if not self._must_be_shown(post, message):
                raise
            return render(unparsed(post, refusal.detail))

    def _must_be_shown(self, post: PostView, message: MessageView) -> bool:
        """Return True for an alert, unless it escalates if this post, its first in the chat, becomes a dead letter."""
        may_fail = not (message.is_escalation or message.is_reminder or post.shown)
        return message.is_alert and not (may_fail and message.may_escalate and self.settings.has_escalation_channel)


def _given_up(claim: Claim, reason: str) -> tuple[Attempt, Outcome]:
    return Attempt(claim, None, 0, "", is_last=True), GiveUp(reason, False)
