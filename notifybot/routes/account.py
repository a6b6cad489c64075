"""Link an account to a Telegram chat; for dashboards and the command line."""

import logging
import re
from datetime import timedelta
from functools import partial

from aiohttp import web
from sqlmodel import Session

from notifybot.auth import permissions
from notifybot.auth.permissions import Action, Caller
from notifybot.config.model import Config, Mode
from notifybot.errors import Conflict, NotifybotError, Unavailable
from notifybot.messages.watchers import ANY_POST
from notifybot.model.actors import by_account
from notifybot.people import linking, preferences
from notifybot.people.linking import LinkRefusal, PersonStatus
from notifybot.people.preferences import PreferenceChanges
from notifybot.people.qr_code import lines_of
from notifybot.posts import bot as posts_bot
from notifybot.posts import replies
from notifybot.posts.replies import ReplyStatus
from notifybot.rendering.parts import Part
from notifybot.runtime import Runtime
from notifybot.schemas.responses import people as documents
from notifybot.schemas.responses.people import (
    AccountDocument,
    DeepLinkDocument,
    LinkDocument,
    PreferencesDocument,
    TestMessageDocument,
    UnlinkedDocument,
)
from notifybot.schemas.types import Account, Label, Name, QueryFlag
from notifybot.web.bodies import RequestFields, read_fields, read_query
from notifybot.web.documents import json_response
from notifybot.web.guard import caller_of
from notifybot.web.problems import FieldProblem, InvalidFields
from notifybot.web.route import Route, runtime_of

TEST_WITHIN = timedelta(seconds=20)
LINK_HINT = "Link it with `notifybot link` or GET /api/telegram/link-account."
log = logging.getLogger(__name__)


class UserFields(RequestFields):
    """`user`: the account to act for; by default the caller's."""

    user: Account = None


class LinkQuery(UserFields):
    qr: QueryFlag = False


class LinkCodeFields(UserFields):
    code: Name


class LinkTokenFields(UserFields):
    token: Name


class PreferenceFields(UserFields):
    enabled: bool = True
    time_zone: Label = None
    summary_time: Label = None
    quiet_hours: Label = None


async def link_account(request: web.Request) -> web.Response:
    """Create a deep link. Only this response has its secret."""
    query = read_query(request, LinkQuery)
    caller, account = _acting(request, query, Action.CHANGE_ACCOUNT)
    runtime = runtime_of(request)
    bot = await _name_of_bot(runtime)
    make = partial(
        linking.new_token,
        key=runtime.secret_key,
        account=account,
        actor=by_account(caller.account),
        now=runtime.clock.now(),
    )
    made = await runtime.database.write(make)
    url = f"https://t.me/{bot}?start={made.token}"
    qr = lines_of(url) if query.qr else None
    answer = json_response(DeepLinkDocument(url=url, token=made.token, expires_at=made.expires_at, qr=qr))
    answer.headers["Cache-Control"] = "no-store"
    return answer


async def verify_link(request: web.Request) -> web.Response:
    fields = await read_fields(request, LinkTokenFields)
    _, account = _acting(request, fields, Action.SEE_ACCOUNT)
    runtime = runtime_of(request)
    look = partial(
        linking.token_used_at,
        key=runtime.secret_key,
        token=fields.token,
        account=account,
        now=runtime.clock.now(),
    )
    linked_at = await runtime.database.read(look)
    return json_response(LinkDocument(linked=linked_at is not None, linked_at=linked_at))


async def verify(request: web.Request) -> web.Response:
    """Link by a code from the bot."""
    fields = await read_fields(request, LinkCodeFields)
    caller, account = _acting(request, fields, Action.CHANGE_ACCOUNT)
    runtime = runtime_of(request)
    link = partial(
        linking.verify,
        key=runtime.secret_key,
        code=re.sub(r"[\s-]", "", fields.code),
        account=account,
        actor=by_account(caller.account),
        now=runtime.clock.now(),
    )
    found = await runtime.database.write(link)
    if isinstance(found, LinkRefusal):
        if found.is_last:  # once: an attacker must not fill the log
            facts = {"action": "link_guessing", "account": account, "caller": caller.account}
            log.warning("too many wrong link codes", extra=facts)
        raise found.error
    log.info("linked", extra={"action": "linked", "account": account, "caller": caller.account, "how": "code"})
    return json_response(LinkDocument(linked=True, linked_at=found.person.linked_at))


async def status(request: web.Request) -> web.Response:
    _, account = _acting(request, read_query(request, UserFields), Action.SEE_ACCOUNT)
    runtime = runtime_of(request)
    found = await runtime.database.read(partial(linking.status_of, account=account))
    return json_response(documents.account(found, runtime.config.summary))


async def send_test(request: web.Request) -> web.Response:
    """Send a message to the account's chat, and respond once it is posted."""
    fields = await read_fields(request, UserFields)
    caller, account = _acting(request, fields, Action.CHANGE_ACCOUNT)
    runtime = runtime_of(request)
    check_bot(runtime.config)

    def queue(session: Session) -> str:
        chat_id = _linked(linking.status_of(session, account), account).person.chat_id
        return replies.queue_reply(session, chat_id, _test_message(account, caller), now=runtime.clock.now())

    post_id = await runtime.database.write(queue)
    found = await _outcome(runtime, post_id)
    if found.failure is not None:
        hint = "Open the chat with the bot, unblock it if necessary, and press Start."
        raise Conflict(f"The test message could not be sent: {found.failure}.", hint=hint)
    if not found.is_shown:
        seconds = f"{TEST_WITHIN.total_seconds():g} seconds"
        hint = "GET /health shows the state of Telegram."
        raise Unavailable(f"The test message was not sent within {seconds}, and is cancelled.", hint=hint)
    return json_response(TestMessageDocument())


async def _outcome(runtime: Runtime, post_id: str) -> ReplyStatus:
    """Wait until a post is shown or has failed. Withdraw it after TEST_WITHIN."""
    look, until = partial(replies.reply_status, post_id=post_id), runtime.clock.now() + TEST_WITHIN
    done = runtime.watchers.watch(ANY_POST)
    try:
        while True:
            found = await runtime.database.read(look)
            if found.is_shown or found.failure is not None:
                return found
            if runtime.clock.now() >= until:
                break
            until = min(until, runtime.clock.now() + TEST_WITHIN)  # the clock may have been set
            await runtime.watchers.next_change(done, until)
    finally:
        runtime.watchers.unwatch(ANY_POST, done)
    await runtime.database.write(partial(replies.withdraw_reply, post_id=post_id, now=runtime.clock.now()))
    return await runtime.database.read(look)


async def unlink(request: web.Request) -> web.Response:
    """Unlink the account, if it is linked."""
    fields = await read_fields(request, UserFields)
    caller, account = _acting(request, fields, Action.CHANGE_ACCOUNT)
    runtime = runtime_of(request)
    unlink_account = partial(
        linking.unlink_account, account=account, actor=by_account(caller.account), now=runtime.clock.now()
    )
    if await runtime.database.write(unlink_account):
        log.info("unlinked", extra={"action": "unlinked", "account": account, "caller": caller.account})
    return json_response(UnlinkedDocument())


async def change_preferences(request: web.Request) -> web.Response:
    """Change preferences; null resets one to its default."""
    fields = await read_fields(request, PreferenceFields)
    _, account = _acting(request, fields, Action.CHANGE_ACCOUNT)
    runtime = runtime_of(request)
    given = fields.model_dump(exclude_unset=True, exclude={"user"})
    changes = PreferenceChanges(**given)  # type: ignore[typeddict-item]

    def change(session: Session) -> PersonStatus:
        found = _linked(linking.status_of(session, account), account)
        preferences.change(session, found.person, changes, now=runtime.clock.now())
        return found

    found = await runtime.database.write(change)
    return json_response(documents.preferences(found, runtime.config.summary))


def _acting(request: web.Request, fields: UserFields, action: Action) -> tuple[Caller, str]:
    """Return the caller and the account to act for. Raise Forbidden for another's account without admin."""
    caller = caller_of(request)
    named = fields.user
    if request.method not in ("GET", "HEAD") and request.query_string:
        queried = read_query(request, UserFields).user
        if named not in (None, queried):
            raise InvalidFields([FieldProblem(("user",), "this and ?user= differ")])
        named = queried
    if named is None:
        return caller, caller.account
    account = runtime_of(request).config.accounts.get(named, named)
    permissions.check_owner(caller, action, account)
    return caller, account


def check_bot(config: Config) -> None:
    """Raise NotifybotError if there is no bot token, or no secret for the webhook."""
    if config.telegram.token is None:
        raise NotifybotError(
            "No bot token is configured; accounts cannot be linked.",
            hint="Set telegram.token or TELEGRAM_BOT_TOKEN.",
        )
    if config.telegram.mode is Mode.WEBHOOK and config.telegram.webhook.secret_token is None:
        raise NotifybotError(
            "No webhook secret is configured; accounts cannot be linked.",
            hint="Set telegram.webhook.secret_token or TELEGRAM_WEBHOOK_SECRET, or telegram.mode to polling.",
        )


async def _name_of_bot(runtime: Runtime) -> str:
    """Return the bot's username, as last known from Telegram."""
    check_bot(runtime.config)
    token = runtime.config.telegram.token or ""
    known = await runtime.database.read(posts_bot.identity)
    if known is None or str(known["id"]) != token.partition(":")[0] or not known.get("username"):
        reason = runtime.telegram.reason or "Telegram has not responded yet"
        raise Unavailable(f"The bot's username is not known yet: {reason}.", hint="Try again in a moment.")
    return str(known["username"])


def _linked(found: PersonStatus | None, account: str) -> PersonStatus:
    if found is None:
        raise NotifybotError(f"The account {account} is not linked to a chat.", hint=LINK_HINT)
    return found


def _test_message(account: str, caller: Caller) -> Part:
    by = "" if caller.account == account else f" {caller.account} requested it."
    return Part(f"This is a test: messages to {account} arrive here.{by}")


LINK, VERIFY_LINK = "/api/telegram/link-account", "/api/telegram/verify-link"
SEE, CHANGE = Action.SEE_ACCOUNT, Action.CHANGE_ACCOUNT
_UNLINK = "Unlink your account; the chat stays subscribed."
ROUTES = (
    Route("GET", LINK, link_account, DeepLinkDocument, "Create a deep link for your account.", CHANGE, query=LinkQuery),
    Route(
        "POST",
        VERIFY_LINK,
        verify_link,
        LinkDocument,
        "Report if a deep link was used.",
        SEE,
        body=LinkTokenFields,
        query=UserFields,
    ),
    Route(
        "POST",
        "/api/telegram/verify",
        verify,
        LinkDocument,
        "Link your account with the code from /start.",
        CHANGE,
        body=LinkCodeFields,
        query=UserFields,
    ),
    Route(
        "GET",
        "/api/telegram/status",
        status,
        AccountDocument,
        "Show the link of your account. Admins: ?user=, here and below.",
        SEE,
        query=UserFields,
    ),
    Route(
        "POST",
        "/api/telegram/send-test-message",
        send_test,
        TestMessageDocument,
        "Send a test message to your chat.",
        CHANGE,
        UserFields,
        UserFields,
    ),
    Route("POST", "/api/telegram/unlink-account", unlink, UnlinkedDocument, _UNLINK, CHANGE, UserFields, UserFields),
    Route("POST", "/api/telegram/unlink", unlink, UnlinkedDocument, _UNLINK, CHANGE, UserFields, UserFields),
    Route(
        "PATCH",
        "/api/telegram/preferences",
        change_preferences,
        PreferencesDocument,
        "Change enabled, time_zone, summary_time or quiet_hours.",
        CHANGE,
        body=PreferenceFields,
        query=UserFields,
    ),
)
