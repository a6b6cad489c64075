"""List people; subscribe, rename and delete them."""

from functools import partial

from aiohttp import web

from notifybot.auth import permissions
from notifybot.auth.permissions import Action
from notifybot.model.actors import by_account
from notifybot.people import admin, people
from notifybot.schemas.responses import people as documents
from notifybot.schemas.responses.people import PeopleDocument, PersonDetailDocument, PersonDocument
from notifybot.schemas.types import Name, PrivateChatId
from notifybot.web.bodies import RequestFields, read_fields
from notifybot.web.documents import json_response
from notifybot.web.guard import caller_of
from notifybot.web.route import Route, runtime_of


class SubscribeFields(RequestFields):
    chat_id: PrivateChatId
    chat_name: Name


class RenameFields(RequestFields):
    chat_name: Name


async def subscribe(request: web.Request) -> web.Response:
    """Subscribe a chat without /start, for callers that already know its id."""
    fields = await read_fields(request, SubscribeFields)
    runtime = runtime_of(request)
    subscribe_chat = partial(
        people.subscribe_new, chat_id=fields.chat_id, chat_name=fields.chat_name, now=runtime.clock.now()
    )
    return json_response(documents.person(await runtime.database.write(subscribe_chat)))


async def list_subscribed(request: web.Request) -> web.Response:
    found = await runtime_of(request).database.read(people.everybody)
    return json_response([documents.person(each) for each in found], kind=list[PersonDocument])


async def list_people(request: web.Request) -> web.Response:
    """List people; without admin, only the caller."""
    look = partial(admin.everybody, account=permissions.visible_account(caller_of(request)))
    found = await runtime_of(request).database.read(look)
    return json_response(PeopleDocument(people=[documents.person_detail(each) for each in found]))


async def show(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    caller = caller_of(request)
    look = partial(admin.find, name=name)
    if not caller.is_admin:
        permissions.check_owner(caller, Action.SEE_ACCOUNT, name)
        look = partial(admin.find_account, account=name)
    found = await runtime_of(request).database.read(look)
    return json_response(documents.person_detail(found))


async def rename(request: web.Request) -> web.Response:
    fields = await read_fields(request, RenameFields)
    change = partial(admin.rename, name=request.match_info["name"], chat_name=fields.chat_name)
    return json_response(documents.person_detail(await runtime_of(request).database.write(change)))


async def remove(request: web.Request) -> web.Response:
    await read_fields(request, RequestFields)
    runtime, actor = runtime_of(request), by_account(caller_of(request).account)
    forget = partial(admin.remove, name=request.match_info["name"], actor=actor, now=runtime.clock.now())
    return json_response(documents.person_detail(await runtime.database.write(forget)))


ONE = "/api/people/{name}"
ROUTES = (
    Route(
        "POST",
        "/subscribe-user",
        subscribe,
        PersonDocument,
        "Subscribe a chat: chat_id, chat_name.",
        Action.SUBSCRIBE,
        body=SubscribeFields,
    ),
    Route("GET", "/subscribed-users", list_subscribed, list[PersonDocument], "List subscribers.", Action.SEE_PEOPLE),
    Route("GET", "/api/people", list_people, PeopleDocument, "List people; without admin: you.", Action.SEE_ACCOUNT),
    Route("GET", ONE, show, PersonDetailDocument, "Show a person, by account, user_id or chat id.", Action.SEE_ACCOUNT),
    Route("PATCH", ONE, rename, PersonDetailDocument, "Change a chat_name.", Action.ADMINISTER, body=RenameFields),
    Route(
        "DELETE",
        ONE,
        remove,
        PersonDetailDocument,
        "Delete a person, and notify them.",
        Action.ADMINISTER,
        body=RequestFields,
    ),
)
