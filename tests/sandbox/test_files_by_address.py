"""Files by URL: what Telegram's servers accept, and their errors."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from notifybot.sandbox import Sandbox, WebPage
from notifybot.sandbox.world.state import User
from tests.sandbox.api import Api
from tests.sandbox.pictures import png, png_of_bytes

MEBIBYTE = 1024 * 1024
PICTURE = "https://example.org/charts/cpu.png?range=1h"
REPORT = "https://example.org/a%20report.pdf"
NO_CONTENT = "400 Bad Request: failed to get HTTP URL content"
WRONG_TYPE = "400 Bad Request: wrong type of the web page content"


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """Run a local web server with a picture and redirects to it."""

    async def picture(_: web.Request) -> web.Response:
        return web.Response(body=png(), content_type="image/png")

    async def elsewhere(request: web.Request) -> web.Response:
        raise web.HTTPFound(request.query["to"])

    app = web.Application()
    app.router.add_get("/cpu.png", picture)
    app.router.add_get("/elsewhere", elsewhere)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_photo_is_fetched_from_its_address(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.web[PICTURE] = WebPage(png(300, 200), "image/png")
    sent = (await api("sendPhoto", chat_id=anna.id, photo=PICTURE, caption="cpu")).result
    assert (sent["photo"][-1]["width"], sent["photo"][-1]["height"]) == (300, 200)
    assert sandbox.file_bytes(sandbox.messages(anna)[-1]) == png(300, 200)
    again = (await api("sendPhoto", chat_id=anna.id, photo=sent["photo"][0]["file_id"])).result
    assert again["photo"] == sent["photo"]


@pytest.mark.parametrize("content_type", ["application/pdf", "application/zip"])
async def test_a_document_is_named_after_its_address(api: Api, anna: User, sandbox: Sandbox, content_type: str) -> None:
    sandbox.web[REPORT] = WebPage(b"%PDF", content_type)
    document = (await api("sendDocument", chat_id=anna.id, document=REPORT)).result["document"]
    assert (document["file_name"], document["mime_type"]) == ("a report.pdf", content_type)


@pytest.mark.parametrize("content_type", ["text/plain", "image/png", "application/octet-stream"])
async def test_only_pdf_and_zip_are_documents_by_address(
    api: Api, anna: User, sandbox: Sandbox, content_type: str
) -> None:
    sandbox.web[REPORT] = WebPage(b"x", content_type)
    assert (await api("sendDocument", chat_id=anna.id, document=REPORT)).refusal == WRONG_TYPE


@pytest.mark.parametrize(
    ("page", "refusal"),
    [
        (WebPage(b"<html>"), WRONG_TYPE),
        (WebPage(b"", "image/png"), WRONG_TYPE),
        (WebPage(b"no picture", "image/png"), "400 Bad Request: IMAGE_PROCESS_FAILED"),
        (WebPage(png(10, 300), "image/png"), "400 Bad Request: PHOTO_INVALID_DIMENSIONS"),
        (WebPage(png(), "image/png", status=404), NO_CONTENT),
        (WebPage(png(), "image/png", status=500), NO_CONTENT),
        (WebPage(png_of_bytes(5 * MEBIBYTE + 1), "image/png"), NO_CONTENT),
        (WebPage(status=302, location="https://example.org/nowhere.png"), NO_CONTENT),
        (WebPage(status=302, location=PICTURE), NO_CONTENT),
    ],
    ids=["page", "empty", "text", "thin", "404", "500", "large", "nowhere", "in a circle"],
)
async def test_an_address_without_a_photo(api: Api, anna: User, sandbox: Sandbox, page: WebPage, refusal: str) -> None:
    sandbox.web[PICTURE] = page
    assert (await api("sendPhoto", chat_id=anna.id, photo=PICTURE)).refusal == refusal
    assert len(sandbox.messages(anna)) == 1


async def test_a_document_by_address_has_at_most_20_megabytes(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.web[REPORT] = WebPage(bytes(20 * MEBIBYTE), "application/zip")
    assert (await api("sendDocument", chat_id=anna.id, document=REPORT)).status == 200
    sandbox.web[REPORT] = WebPage(bytes(20 * MEBIBYTE + 1), "application/zip")
    assert (await api("sendDocument", chat_id=anna.id, document=REPORT)).refusal == NO_CONTENT


async def test_an_unknown_page_is_unreachable(api: Api, anna: User) -> None:
    for address in ("https://example.org/x.png", "http://10.0.0.1/x.png", "http://169.254.169.254/", "example.org/x"):
        assert (await api("sendPhoto", chat_id=anna.id, photo=address)).refusal == NO_CONTENT


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("ftp://example.org/x.png", "Unsupported URL protocol"),
        ("file:///etc/host.conf", "Unsupported URL protocol"),
        ("https:///x.png", "URL host is empty"),
        ("https://[x.png", "Wrong URL"),
    ],
)
async def test_an_invalid_url_is_refused(api: Api, anna: User, address: str, reason: str) -> None:
    refusal = (await api("sendPhoto", chat_id=anna.id, photo=address)).refusal
    assert refusal == f"400 Bad Request: invalid file HTTP URL specified: {reason}"


async def test_this_machine_is_within_reach(api: Api, anna: User, site: str) -> None:
    assert (await api("sendPhoto", chat_id=anna.id, photo=f"{site}/cpu.png")).status == 200
    assert (await api("sendPhoto", chat_id=anna.id, photo=f"{site}/elsewhere?to=/cpu.png")).status == 200
    away = f"{site}/elsewhere?to=http://10.0.0.1/cpu.png"
    assert (await api("sendPhoto", chat_id=anna.id, photo=away)).refusal == NO_CONTENT
    assert (await api("sendPhoto", chat_id=anna.id, photo=f"{site}/missing.png")).refusal == NO_CONTENT


async def test_a_redirect_is_followed(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.web["https://example.org/latest.png"] = WebPage(status=302, location="/charts/cpu.png?range=1h")
    sandbox.web[PICTURE] = WebPage(png(), "image/png")
    assert (await api("sendPhoto", chat_id=anna.id, photo="https://example.org/latest.png")).status == 200


async def test_the_chat_is_checked_before_the_url(api: Api) -> None:
    assert (await api("sendPhoto", chat_id=404, photo=PICTURE)).refusal == "400 Bad Request: chat not found"
