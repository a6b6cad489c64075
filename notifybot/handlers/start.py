"""/start: subscribe a person and show their ids and a link code, or link at once with the token of a deep link."""

import logging

from sqlmodel import Session
from telegram import Update

from notifybot.handlers import texts
from notifybot.handlers.transaction import Context, in_transaction, queue_answer, reply, runtime_of
from notifybot.model.names import visible_name
from notifybot.people import linking, people
from notifybot.people.link_texts import AccountLink

log = logging.getLogger(__name__)


async def start(update: Update, context: Context) -> None:
    """Subscribe in a private chat, then link by token or give out a code."""
    user, chat = update.effective_user, update.effective_chat
    assert user is not None
    assert chat is not None
    name = visible_name(user.username, user.first_name, user.last_name, str(user.id))
    runtime, token = runtime_of(context), " ".join(context.args or ())
    now, key = runtime.clock.now(), runtime.secret_key

    def subscribe(session: Session) -> AccountLink | None:
        person, is_new = people.subscribe(session, str(chat.id), name, now=now)
        if token and (link := linking.use_token(session, key, token, person, now=now)) is not None:
            return link  # has notified everyone concerned
        code = linking.new_code(session, key, person.chat_id, now=now)
        queue_answer(session, update, texts.welcome(person, code, is_new=is_new, is_void=bool(token)), now=now)
        return None

    link = await in_transaction(update, context, subscribe)
    if link is not None:
        account, caller = link.person.account, link.person.linked_by
        log.info("linked", extra={"action": "linked", "account": account, "caller": caller, "how": "deep link"})


async def start_in_group(update: Update, context: Context) -> None:
    """Show the id of a group; nobody is subscribed there."""
    chat = update.effective_chat
    assert chat is not None
    await reply(update, context, texts.group_id(str(chat.id)))
