"""What each answer of Telegram means, as an outcome."""

from datetime import timedelta

import pytest
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from notifybot.outcomes import BotRefused, ChatMoved, GiveUp, Gone, HoldOff, Outcome, Reformat, Target, TryAgain
from notifybot.telegram_http import MaybeSent, NeverSent
from notifybot.telegram_sender import MAX_REASON, outcome_of

TOKEN = "123456:" + "A" * 35


UNREACHABLE = (GiveUp, True)
REFUSED_HERE = (GiveUp, False)

DESCRIPTIONS = {
    "message to edit not found": (Gone, Target.MESSAGE),
    "MESSAGE_ID_INVALID": (Gone, Target.MESSAGE),
    "message can't be edited": (Gone, Target.MESSAGE),
    "MESSAGE_EDIT_TIME_EXPIRED": (Gone, Target.MESSAGE),
    "MESSAGE_AUTHOR_REQUIRED": (Gone, Target.MESSAGE),
    "query is too old and response timeout expired or query ID is invalid": (Gone, Target.MESSAGE),
    "QUERY_ID_INVALID": (Gone, Target.MESSAGE),
    "message thread not found": (Gone, Target.TOPIC),
    "TOPIC_CLOSED": (Gone, Target.TOPIC),
    "TOPIC_DELETED": (Gone, Target.TOPIC),
    "TOPIC_ID_INVALID": (Gone, Target.TOPIC),
    "wrong file identifier/HTTP URL specified": (Gone, Target.FILE),
    "wrong remote file identifier specified: Wrong padding in the string": (Gone, Target.FILE),
    "wrong file_id or the file is temporarily unavailable": (Gone, Target.FILE),
    "invalid file_id": (Gone, Target.FILE),
    "FILE_REFERENCE_EXPIRED": (Gone, Target.FILE),
    'can\'t parse entities: Unsupported start tag "x" at byte offset 0': (Reformat, None),
    "can't parse entities: Can't find end of the entity starting at byte offset 4": (Reformat, None),
    'can\'t parse message entity: field "type" not found': (Reformat, None),
    "ENTITY_BOUNDS_INVALID": (Reformat, None),
    "ENTITIES_TOO_LONG": (Reformat, None),
    "entity beginning at UTF-16 offset 9 ends after the end of the text at UTF-16 offset 3": (Reformat, None),
    "chat not found": UNREACHABLE,
    "user not found": UNREACHABLE,
    "PEER_ID_INVALID": UNREACHABLE,
    "CHAT_ID_INVALID": UNREACHABLE,
    "CHANNEL_PRIVATE": UNREACHABLE,
    "CHANNEL_INVALID": UNREACHABLE,
    "CHAT_FORBIDDEN": UNREACHABLE,
    "USER_IS_BLOCKED": UNREACHABLE,
    "INPUT_USER_DEACTIVATED": UNREACHABLE,
    "USER_DEACTIVATED": UNREACHABLE,
    "USER_BANNED_IN_CHANNEL": UNREACHABLE,
    "group chat was deactivated": UNREACHABLE,
    "the group chat was deleted": UNREACHABLE,
    "group chat was upgraded to a supergroup chat": UNREACHABLE,
    "bot was kicked from the supergroup chat": UNREACHABLE,
    "bot is not a member of the channel chat": UNREACHABLE,
    "not enough rights to send text messages to the chat": UNREACHABLE,
    "have no rights to send a message": UNREACHABLE,
    "need administrator rights in the channel chat": UNREACHABLE,
    "CHAT_WRITE_FORBIDDEN": UNREACHABLE,
    "CHAT_SEND_PLAIN_FORBIDDEN": UNREACHABLE,
    "CHAT_RESTRICTED": UNREACHABLE,
    "CHAT_ADMIN_REQUIRED": UNREACHABLE,
    "not enough rights to send photos to the chat": REFUSED_HERE,
    "not enough rights to send documents to the chat": REFUSED_HERE,
    "CHAT_SEND_PHOTOS_FORBIDDEN": REFUSED_HERE,
    "message is too long": REFUSED_HERE,
    "MESSAGE_TOO_LONG": REFUSED_HERE,
    "message text is empty": REFUSED_HERE,
    "strings must be encoded in UTF-8": REFUSED_HERE,
    "BUTTON_DATA_INVALID": REFUSED_HERE,
    "BUTTON_URL_INVALID": REFUSED_HERE,
    "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard": REFUSED_HERE,
    "inline keyboard button URL 'x' is invalid: Wrong HTTP URL": REFUSED_HERE,
    "PHOTO_INVALID_DIMENSIONS": REFUSED_HERE,
    "something that nobody has seen before": REFUSED_HERE,
}


@pytest.mark.parametrize(("description", "meaning"), DESCRIPTIONS.items(), ids=DESCRIPTIONS.keys())
def test_each_400_means_one_outcome(description: str, meaning: tuple[type[Outcome], object]) -> None:
    outcome = outcome_of(BadRequest(f"Bad Request: {description}"))
    kind, detail = meaning
    reason = description[0].lower() + description[1:].lower()
    match outcome:
        case Gone(what=what):
            assert (kind, detail, outcome.reason) == (Gone, what, reason)
        case GiveUp(is_chat_unreachable=is_unreachable):
            assert (kind, detail, outcome.reason) == (GiveUp, is_unreachable, reason)
        case _:
            assert (kind, detail, outcome) == (Reformat, None, Reformat(reason))


@pytest.mark.parametrize(
    "description",
    [
        "bot was blocked by the user",
        "user is deactivated",
        "bot was kicked from the group chat",
        "bot is not a member of the channel chat",
        "bot can't initiate conversation with a user",
        "bot can't send messages to bots",
        "the group chat was deleted",
    ],
)
def test_each_403_makes_the_chat_unreachable(description: str) -> None:
    assert outcome_of(Forbidden(f"Forbidden: {description}")) == GiveUp(description, is_chat_unreachable=True)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ChatMigrated(-1001234567890), ChatMoved("-1001234567890")),
        (InvalidToken("Unauthorized"), BotRefused("Telegram does not know this bot token")),
        (EndPointNotFound("x"), BotRefused("Telegram does not know this bot token")),
        (NeverSent("connection refused"), TryAgain("connection refused", uncertain=False)),
        (MaybeSent("the connection was cut"), TryAgain("the connection was cut", uncertain=True)),
        (TimedOut(), TryAgain("timed out", uncertain=True)),
        (NetworkError("Bad Gateway"), TryAgain("bad Gateway", uncertain=True)),
        (NetworkError("Internal Server Error: restart"), TryAgain("internal Server Error: restart", uncertain=True)),
        (NetworkError("Request Entity Too Large"), GiveUp("request Entity Too Large", is_chat_unreachable=False)),
        (NetworkError("Too Many Requests: retry later"), HoldOff(timedelta(seconds=5))),
        (
            Conflict("Conflict: terminated by other getUpdates request"),
            TryAgain("terminated by other getUpdates request", uncertain=False),
        ),
        (TelegramError("Invalid server response"), TryAgain("invalid server response", uncertain=True)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_exception_means_one_outcome(error: TelegramError, outcome: Outcome) -> None:
    assert outcome_of(error) == outcome


@pytest.mark.parametrize("is_opted_in", ["true", "false"])
@pytest.mark.filterwarnings("ignore:.*retry_after.*")
def test_a_flood_wait_is_held_off_whatever_type_it_has(monkeypatch: pytest.MonkeyPatch, is_opted_in: str) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", is_opted_in)
    assert outcome_of(RetryAfter(17)) == HoldOff(timedelta(seconds=17))


def test_a_reason_is_short_and_holds_no_token() -> None:
    outcome = outcome_of(BadRequest(f"nothing at /bot{TOKEN}/sendMessage " + "x" * 1000))
    assert isinstance(outcome, GiveUp)
    assert TOKEN not in outcome.reason
    assert len(outcome.reason) == MAX_REASON
