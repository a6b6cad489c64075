"""Faults on demand: kind, scope, count, duration, and their effect on bot and log."""

import asyncio

import aiohttp
import pytest

from notifybot.sandbox import Sandbox
from notifybot.sandbox.values import Refused
from notifybot.sandbox.world.state import User
from tests.sandbox.api import Answer, Api, File, HandClock


async def send(api: Api, chat: int, text: str = "x") -> Answer:
    return await api("sendMessage", chat_id=chat, text=text)


async def test_an_error_fault_uses_the_given_code_and_description(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.fault("error", error_code=400, description="Bad Request: have no rights to send a message")
    assert (await send(api, anna.id)).refusal == "400 Bad Request: have no rights to send a message"
    assert len(sandbox.messages(anna)) == 1


async def test_an_error_is_by_default_telegrams_500(api: Api, sandbox: Sandbox) -> None:
    sandbox.fault("error")
    assert (await api("getMe")).refusal == "500 Internal Server Error"


async def test_a_fault_hits_the_given_number_of_calls_after_skipping_some(
    api: Api, anna: User, sandbox: Sandbox
) -> None:
    sandbox.fault("error", method="sendMessage", after=1, times=2)
    assert [(await send(api, anna.id)).status for _ in range(4)] == [200, 500, 500, 200]


async def test_a_fault_lasts_for_the_given_time(api: Api, sandbox: Sandbox, clock: HandClock) -> None:
    sandbox.fault("error", seconds=30)
    clock.forward(29)
    assert (await api("getMe")).status == 500
    clock.forward(1)
    assert (await api("getMe")).status == 200


async def test_a_fault_concerns_its_method_and_chat_only(api: Api, anna: User, sandbox: Sandbox) -> None:
    group = sandbox.add_chat("group", "Ops", members=[anna])
    sandbox.fault("error", method="sendmessage", chat=group)
    assert (await send(api, anna.id)).status == 200
    assert (await api("getChat", chat_id=group.id)).status == 200
    assert (await send(api, group.id)).status == 500


async def test_html_comes_from_the_server_in_front(api: Api, sandbox: Sandbox) -> None:
    sandbox.fault("html", times=1)
    async with api.client.get(f"{api.url}/bot{sandbox.token}/getMe") as answer:
        assert (answer.status, answer.content_type) == (502, "text/html")
        assert "Bad Gateway" in await answer.text()


async def test_a_proxy_may_find_an_upload_too_large_and_pass_texts(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.fault("html", method="sendPhoto", error_code=413)
    form = aiohttp.FormData({"chat_id": str(anna.id)})
    form.add_field("photo", b"picture", filename="a.png")
    async with api.client.post(f"{api.url}/bot{sandbox.token}/sendPhoto", data=form) as answer:
        assert (answer.status, answer.content_type) == (413, "text/html")
        assert "413 Request Entity Too Large" in await answer.text()
    assert (await send(api, anna.id)).status == 200


async def test_an_upload_is_cut_while_it_arrives_and_a_text_gets_through(
    api: Api, anna: User, sandbox: Sandbox
) -> None:
    sandbox.fault("cut_upload")
    with pytest.raises(aiohttp.ClientConnectionError):
        await api.upload("sendDocument", {"document": File(bytes(20_000_000))}, chat_id=anna.id)
    assert (await send(api, anna.id)).status == 200
    (cut, _) = sandbox.calls
    assert (cut.method, cut.is_accepted, cut.params) == ("sendDocument", False, {})


def test_a_cut_upload_has_no_chat(anna: User, sandbox: Sandbox) -> None:
    with pytest.raises(Refused, match="name no chat"):
        sandbox.fault("cut_upload", chat=anna)


@pytest.mark.parametrize("kind", ["away", "cut_before"])
async def test_cut_before_acceptance_nothing_happened(api: Api, anna: User, sandbox: Sandbox, kind: str) -> None:
    sandbox.fault(kind)
    with pytest.raises(aiohttp.ClientConnectionError):
        await send(api, anna.id)
    assert len(sandbox.messages(anna)) == 1
    (call,) = sandbox.calls
    assert (call.status, call.is_accepted) == (0, False)


async def test_cut_after_acceptance_the_message_exists(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.fault("cut_after", times=1)
    with pytest.raises(aiohttp.ClientConnectionError):
        await send(api, anna.id, "accepted")
    assert sandbox.messages(anna)[-1].text == "accepted"
    (call,) = sandbox.calls
    assert (call.status, call.message_id, call.is_accepted) == (0, 2, True)


async def test_a_hanging_call_never_ends_until_the_faults_change(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.fault("hang", method="sendMessage")
    hanging = asyncio.create_task(send(api, anna.id))
    await sandbox.wait_for(lambda: sandbox.faults.active(sandbox.now())[0].hits)
    assert (await api("getMe")).status == 200
    assert not hanging.done()
    sandbox.clear_faults()
    with pytest.raises(aiohttp.ClientConnectionError):
        await hanging


async def test_a_slow_call_ends_well(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.fault("slow", seconds=0.05, times=1)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert (await send(api, anna.id)).status == 200
    assert loop.time() - begun >= 0.05


async def test_faults_combine(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.fault("slow", seconds=0.01)
    sandbox.fault("error", error_code=502, description="Bad Gateway", times=1)
    assert [(await send(api, anna.id)).status for _ in range(2)] == [502, 200]
    assert [fault["hits"] for fault in sandbox.faults_json()] == [2]


async def test_a_flood_bans_a_chat_for_its_time(api: Api, anna: User, sandbox: Sandbox, clock: HandClock) -> None:
    group = sandbox.add_chat("group", "Ops", members=[anna])
    sandbox.fault("flood", chat=anna, retry_after=60)
    assert (await send(api, anna.id)).refusal == "429 Too Many Requests: retry after 60"
    assert (await send(api, group.id)).status == 200
    clock.forward(60)
    assert (await send(api, anna.id)).status == 200


async def test_a_flood_bans_all_chats_but_not_the_rest_of_the_api(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.fault("flood", method="sendMessage", retry_after=60)
    assert (await send(api, anna.id)).status == 429
    assert (await api("getMe")).status == 200
    assert (await api("getUpdates")).status == 200


async def test_clearing_the_faults_lifts_bans(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.fault("flood", retry_after=3600)
    assert (await send(api, anna.id)).status == 429
    sandbox.clear_faults()
    assert (await send(api, anna.id)).status == 200


async def test_going_away_ends_a_waiting_poll(api: Api, sandbox: Sandbox) -> None:
    poll = asyncio.create_task(api("getUpdates", timeout=50))
    await sandbox.wait_for(lambda: sandbox.polling.is_active)
    sandbox.fault("away", seconds=60)
    with pytest.raises(aiohttp.ClientConnectionError):
        await poll


async def test_updates_wait_while_telegram_is_away(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.fault("away")
    sandbox.say(anna, "meanwhile")
    with pytest.raises(aiohttp.ClientConnectionError):
        await api("getUpdates")
    sandbox.clear_faults()
    (update,) = (await api("getUpdates")).result
    assert update["message"]["text"] == "meanwhile"
