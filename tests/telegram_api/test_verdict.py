"""Refusals of the whole bot: which errors are one, and what two calls decide."""

import asyncio
import os
from collections.abc import Callable

import pytest
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError

from notifybot.telegram_api.connection_state import ConnectionState, state_of
from notifybot.telegram_api.http import MaybeSent, NeverSent
from notifybot.telegram_api.verdict import BotRefusal, Judge, refusal_of_bot

os.environ.setdefault("PTB_TIMEDELTA", "true")  # else constructing RetryAfter warns

REFUSALS: list[tuple[TelegramError, str | None]] = [
    (InvalidToken("Unauthorized"), "refuses the bot token"),
    (InvalidToken("Unauthorized: invalid token specified"), "refuses the bot token"),
    (InvalidToken("Not Found"), "does not know this bot token"),
    (InvalidToken("Not Found: method not found"), "does not know this bot token"),
    (InvalidToken("I am a teapot"), "refuses the bot: I am a teapot."),
    (BadRequest("Bad Request: Logged out"), "logged out"),
    (BadRequest("Logged out"), "logged out"),
    (BotRefusal("It is gone."), "It is gone."),
    (BadRequest("Bad Request: chat not found"), None),
    (Forbidden("Forbidden: bot was blocked by the user"), None),
    (Conflict("Conflict: terminated by other getUpdates request"), None),
    (NeverSent("no connection in time"), None),
    (RetryAfter(5), None),
]


@pytest.mark.parametrize(("error", "words"), REFUSALS, ids=str)
def test_only_a_refusal_of_the_bot_itself_is_one(error: TelegramError, words: str | None) -> None:
    found = refusal_of_bot(error)
    assert found is None if words is None else words in str(found)


STATES: list[tuple[TelegramError, ConnectionState, str]] = [
    (BotRefusal("Set the current token."), ConnectionState.REFUSED, "Set the current token."),
    (BadRequest("Logged out"), ConnectionState.REFUSED, "logged out"),
    (
        Conflict("Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete it first"),
        ConnectionState.WEBHOOK,
        "a webhook is set",
    ),
    (Conflict("Conflict: terminated by setWebhook request"), ConnectionState.WEBHOOK, "a webhook is set"),
    (
        Conflict("Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"),
        ConnectionState.CONFLICT,
        "another program",
    ),
    (RetryAfter(30), ConnectionState.AWAY, "30 s"),
    (NeverSent("no connection in time"), ConnectionState.AWAY, "no connection in time"),
    (MaybeSent("HTTP 502, not a Telegram response"), ConnectionState.AWAY, "HTTP 502"),
    (NetworkError("Internal Server Error"), ConnectionState.AWAY, "Internal Server Error"),
]


@pytest.mark.parametrize(("error", "state", "words"), STATES, ids=str)
def test_each_failed_fetch_means_one_state(error: TelegramError, state: ConnectionState, words: str) -> None:
    found, reason = state_of(error)
    assert (found, words in reason) == (state, True)


class GetMe:
    """The second call, with one answer."""

    def __init__(self, answer: TelegramError | None) -> None:
        self.answer = answer
        self.calls = 0

    async def __call__(self) -> None:
        self.calls += 1
        await asyncio.sleep(0)
        if self.answer is not None:
            raise self.answer


VERDICTS: list[tuple[TelegramError, TelegramError | None, type[TelegramError], bool]] = [
    (InvalidToken("Unauthorized"), None, NeverSent, False),
    (InvalidToken("Not Found"), None, NeverSent, False),
    (BadRequest("Logged out"), None, NeverSent, False),
    (InvalidToken("Not Found: method not found"), None, BadRequest, False),
    (InvalidToken("Unauthorized"), NeverSent("no connection"), NeverSent, False),
    (InvalidToken("Unauthorized"), RetryAfter(3), NeverSent, False),
    (InvalidToken("Unauthorized"), InvalidToken("Unauthorized"), BotRefusal, True),
    (InvalidToken("Unauthorized"), BadRequest("Logged out"), BotRefusal, True),
    (InvalidToken("Not Found: method not found"), InvalidToken("Not Found"), BotRefusal, True),
    (InvalidToken("Unauthorized"), Forbidden("Forbidden: bot is banned"), BotRefusal, True),
]


@pytest.mark.parametrize(("first", "second", "verdict", "is_refused"), VERDICTS, ids=str)
async def test_two_calls_decide(
    first: TelegramError, second: TelegramError | None, verdict: type[TelegramError], is_refused: bool
) -> None:
    refusals: list[BotRefusal] = []
    judge = Judge(GetMe(second), refusals.append)

    found = await judge.judge(first)

    assert type(found) is verdict
    assert bool(refusals) is is_refused
    assert _is_refused(judge.check) is is_refused


async def test_calls_that_are_refused_together_share_the_second_call() -> None:
    get_me = GetMe(InvalidToken("Unauthorized"))
    refusals: list[BotRefusal] = []
    judge = Judge(get_me, refusals.append)

    found = await asyncio.gather(*(judge.judge(InvalidToken("Unauthorized")) for _ in range(50)))

    assert {type(each) for each in found} == {BotRefusal}
    assert (get_me.calls, len(refusals)) == (1, 1)


async def test_a_token_that_works_again_ends_the_refusal() -> None:
    get_me = GetMe(InvalidToken("Unauthorized"))
    judge = Judge(get_me, lambda _: None)
    await judge.judge(InvalidToken("Unauthorized"))
    get_me.answer = None

    await judge.judge(InvalidToken("Unauthorized"))

    assert not _is_refused(judge.check)


def _is_refused(check: Callable[[], None]) -> bool:
    try:
        check()
    except BotRefusal:
        return True
    return False
