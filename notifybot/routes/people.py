"""People who can be sent to."""

from functools import partial

from aiohttp import web

from notifybot import people
from notifybot.authorisation import Action
from notifybot.routes import documents
from notifybot.routes.bodies import Fields, read_fields
from notifybot.routes.route import Route, runtime_of
from notifybot.routes.values import Name, PrivateChatId


class SubscribeFields(Fields):
    chat_id: PrivateChatId
    chat_name: Name


async def subscribe(request: web.Request) -> web.Response:
    """Make a chat's owner known without /start, for an existing deployment that knows its chats."""
    fields = await read_fields(request, SubscribeFields)
    runtime = runtime_of(request)
    subscribe_chat = partial(
        people.subscribe_new, chat_id=fields.chat_id, chat_name=fields.chat_name, now=runtime.clock.now()
    )
    return documents.answer(documents.person(await runtime.database.write(subscribe_chat)))


async def list_people(request: web.Request) -> web.Response:
    found = await runtime_of(request).database.read(people.everybody)
    return documents.answer([documents.person(each) for each in found])


ROUTES = (
    Route("POST", "/subscribe-user", subscribe, "Subscribe a chat: chat_id, chat_name.", Action.SUBSCRIBE),
    Route("GET", "/subscribed-users", list_people, "Everybody who is subscribed.", Action.SEE_PEOPLE),
)
