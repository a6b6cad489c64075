"""People who can be sent to, and their upkeep by admins."""

from functools import partial

from aiohttp import web

from notifybot import authorisation, people, subscribers
from notifybot.authorisation import Action
from notifybot.linking import Standing
from notifybot.messages import by_account
from notifybot.preferences import quiet_hours_of
from notifybot.routes import documents
from notifybot.routes.bodies import Fields, read_fields
from notifybot.routes.callers import caller_of
from notifybot.routes.documents import Document
from notifybot.routes.route import Route, runtime_of
from notifybot.routes.values import Name, PrivateChatId


class SubscribeFields(Fields):
    chat_id: PrivateChatId
    chat_name: Name


class RenameFields(Fields):
    chat_name: Name


async def subscribe(request: web.Request) -> web.Response:
    """Make a chat's owner known without /start, for an existing deployment that knows its chats."""
    fields = await read_fields(request, SubscribeFields)
    runtime = runtime_of(request)
    subscribe_chat = partial(
        people.subscribe_new, chat_id=fields.chat_id, chat_name=fields.chat_name, now=runtime.clock.now()
    )
    return documents.answer(documents.person(await runtime.database.write(subscribe_chat)))


async def list_subscribed(request: web.Request) -> web.Response:
    found = await runtime_of(request).database.read(people.everybody)
    return documents.answer([documents.person(each) for each in found])


async def list_people(request: web.Request) -> web.Response:
    """Everybody with all that is known of them; who is no admin sees themselves."""
    look = partial(subscribers.everybody, account=authorisation.sees_only(caller_of(request)))
    found = await runtime_of(request).database.read(look)
    return documents.answer({"people": [_person(each) for each in found]})


async def show(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    caller = caller_of(request)
    if not caller.is_admin:
        authorisation.reach(caller, Action.SEE_ACCOUNT, name)
    found = await runtime_of(request).database.read(partial(subscribers.find, name=name))
    return documents.answer(_person(found))


async def rename(request: web.Request) -> web.Response:
    fields = await read_fields(request, RenameFields)
    change = partial(subscribers.rename, name=request.match_info["name"], chat_name=fields.chat_name)
    return documents.answer(_person(await runtime_of(request).database.write(change)))


async def remove(request: web.Request) -> web.Response:
    await read_fields(request, Fields)
    runtime, actor = runtime_of(request), by_account(caller_of(request).account)
    forget = partial(subscribers.remove, name=request.match_info["name"], actor=actor, now=runtime.clock.now())
    return documents.answer(_person(await runtime.database.write(forget)))


def _person(found: Standing) -> Document:
    person = found.person
    return {
        **documents.person(person),
        "account": person.account,
        "linked_at": documents.moment(person.linked_at),
        "linked_by": person.linked_by,
        "enabled": person.is_enabled,
        "muted_until": documents.moment(person.muted_until),
        "time_zone": person.time_zone,
        "summary_time": person.summary_time,
        "quiet_hours": quiet_hours_of(person),
        "reachable": found.unreachable is None,
        "unreachable": found.unreachable,
    }


ROUTES = (
    Route(
        "POST",
        "/subscribe-user",
        subscribe,
        "Subscribe a chat: chat_id, chat_name.",
        Action.SUBSCRIBE,
        body=SubscribeFields,
    ),
    Route("GET", "/subscribed-users", list_subscribed, "Everybody who is subscribed.", Action.SEE_PEOPLE),
    Route("GET", "/api/people", list_people, "All that is known of people: admins everybody's.", Action.SEE_ACCOUNT),
    Route("GET", "/api/people/{name}", show, "One person, by account, user_id or chat id.", Action.SEE_ACCOUNT),
    Route(
        "PATCH", "/api/people/{name}", rename, "Give somebody another chat_name.", Action.ADMINISTER, body=RenameFields
    ),
    Route("DELETE", "/api/people/{name}", remove, "Forget somebody, and tell them.", Action.ADMINISTER, body=Fields),
)
