"""People who can be sent to, and their upkeep by admins."""

from functools import partial

from aiohttp import web

from notifybot.auth import permissions
from notifybot.auth.permissions import Action
from notifybot.model.actors import by_account
from notifybot.people import admin, people
from notifybot.people.linking import PersonStatus
from notifybot.people.preferences import quiet_hours_of
from notifybot.schemas import responses
from notifybot.schemas.responses import Document
from notifybot.schemas.types import Name, PrivateChatId
from notifybot.web.bodies import RequestFields, read_fields
from notifybot.web.guard import caller_of
from notifybot.web.route import Route, runtime_of


class SubscribeFields(RequestFields):
    chat_id: PrivateChatId
    chat_name: Name


class RenameFields(RequestFields):
    chat_name: Name


async def subscribe(request: web.Request) -> web.Response:
    """Make a chat's owner known without /start, for an existing deployment that knows its chats."""
    fields = await read_fields(request, SubscribeFields)
    runtime = runtime_of(request)
    subscribe_chat = partial(
        people.subscribe_new, chat_id=fields.chat_id, chat_name=fields.chat_name, now=runtime.clock.now()
    )
    return responses.json_response(responses.person(await runtime.database.write(subscribe_chat)))


async def list_subscribed(request: web.Request) -> web.Response:
    found = await runtime_of(request).database.read(people.everybody)
    return responses.json_response([responses.person(each) for each in found])


async def list_people(request: web.Request) -> web.Response:
    """Everybody with all that is known of them; who is no admin sees themselves."""
    look = partial(admin.everybody, account=permissions.visible_account(caller_of(request)))
    found = await runtime_of(request).database.read(look)
    return responses.json_response({"people": [_person(each) for each in found]})


async def show(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    caller = caller_of(request)
    if not caller.is_admin:
        permissions.check_owner(caller, Action.SEE_ACCOUNT, name)
    found = await runtime_of(request).database.read(partial(admin.find, name=name))
    return responses.json_response(_person(found))


async def rename(request: web.Request) -> web.Response:
    fields = await read_fields(request, RenameFields)
    change = partial(admin.rename, name=request.match_info["name"], chat_name=fields.chat_name)
    return responses.json_response(_person(await runtime_of(request).database.write(change)))


async def remove(request: web.Request) -> web.Response:
    await read_fields(request, RequestFields)
    runtime, actor = runtime_of(request), by_account(caller_of(request).account)
    forget = partial(admin.remove, name=request.match_info["name"], actor=actor, now=runtime.clock.now())
    return responses.json_response(_person(await runtime.database.write(forget)))


def _person(found: PersonStatus) -> Document:
    person = found.person
    return {
        **responses.person(person),
        "account": person.account,
        "linked_at": responses.moment(person.linked_at),
        "linked_by": person.linked_by,
        "enabled": person.is_enabled,
        "muted_until": responses.moment(person.muted_until),
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
    Route(
        "DELETE", "/api/people/{name}", remove, "Forget somebody, and tell them.", Action.ADMINISTER, body=RequestFields
    ),
)
