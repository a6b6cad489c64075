"""Judge refusals of the whole bot, such as a 401, by two calls: Telegram now and then refuses a valid token once."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

from telegram.error import BadRequest, Forbidden, InvalidToken, TelegramError

from notifybot.system.logs import redact
from notifybot.telegram_api.http import NeverSent

REFUSED_FOR = timedelta(seconds=2)
"""After a confirmed refusal no call goes out for this long. Then the next one shows whether the token works again."""
SECOND_CALL_S = 3.0
"""Timeout for connecting and for reading. Claims allow 30 s for a call, so both calls have to fit in there."""

# Descriptions that concern the bot, whatever was called, in lower case; then what /health and the admins read.
_BOT_REFUSALS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"^(bad request: )?logged out"),
        "The bot is logged out of this Bot API server. After logOut, set telegram.base_url to your own server, or wait"
        " ten minutes to go back to Telegram's.",
    ),
    (
        re.compile(r"^unauthorized"),
        "Telegram refuses the bot token: it is wrong or was revoked. Get the current one from @BotFather, set it in"
        " telegram.token and restart notifybot.",
    ),
    (
        re.compile(r"^not found"),
        "The Bot API server does not know this bot token: it is mistyped, or telegram.base_url is wrong.",
    ),
)
_UNKNOWN_METHOD = re.compile(r"^not found: method")


class BotRefusal(InvalidToken):
    """Two calls in a row say that Telegram refuses the bot. The message is for people."""


def refusal_of_bot(error: TelegramError) -> str | None:
    """Return what to tell the operator if `error` refuses the bot itself rather than this call; else None."""
    if isinstance(error, BotRefusal):
        return error.message
    if not isinstance(error, InvalidToken | BadRequest):
        return None
    found = (words for pattern, words in _BOT_REFUSALS if pattern.search(error.message.lower()))
    return next(found, _in_its_words(error) if isinstance(error, InvalidToken) else None)


def _in_its_words(error: TelegramError) -> str:
    return f"Telegram refuses the bot: {redact(error.message)}."


class Judge:
    """Decides about each refusal of the bot, once for all calls that meet it at the same time.

    `ask` calls getMe. `on_refusal` is called when this second call confirms the refusal.
    """

    def __init__(self, ask: Callable[[], Awaitable[object]], on_refusal: Callable[[BotRefusal], None]) -> None:
        self._ask = ask
        self._on_refusal = on_refusal
        self._asking: asyncio.Task[BotRefusal | None] | None = None
        self._refusal: BotRefusal | None = None
        self._refused_at = 0.0

    def check(self) -> None:
        """Raise the refusal while it is recent: a call would only meet it again."""
        if self._refusal is not None and _now() - self._refused_at < REFUSED_FOR.total_seconds():
            raise BotRefusal(self._refusal.message)

    async def judge(self, first: TelegramError) -> TelegramError:
        """Return the error that the refused call should raise.

        BotRefusal if getMe is refused too. Otherwise this call is worth a retry (NeverSent), or the server does not
        know its method (BadRequest).
        """
        if self._asking is None:
            self._asking = asyncio.create_task(self._second_call())
        refusal = await asyncio.shield(self._asking)
        if refusal is not None:
            return BotRefusal(refusal.message)
        if _UNKNOWN_METHOD.search(first.message.lower()):
            return BadRequest(first.message)
        return NeverSent(f"Telegram refused the bot once ({redact(first.message)})")

    async def _second_call(self) -> BotRefusal | None:
        try:
            await self._ask()
            self._refusal = None
        except (InvalidToken, BadRequest, Forbidden) as error:
            self._refusal, self._refused_at = BotRefusal(refusal_of_bot(error) or _in_its_words(error)), _now()
            self._on_refusal(self._refusal)
        except TelegramError:
            return None  # no verdict: the retry of the first call finds out
        finally:
            self._asking = None
        return self._refusal


def _now() -> float:
    return asyncio.get_running_loop().time()
