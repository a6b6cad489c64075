"""Callers without a token: admitted by network and path as configured, by their address and never by a header."""

from pathlib import Path

import pytest

from tests.support.door import assert_problem
from tests.support.remote import MESSAGE, wire

OPEN = 'anonymous: [{networks: [127.0.0.1, "::1"], paths: [/api/ingest, "/api/messages/*"], account: legacy}]'


async def test_a_caller_on_an_open_path_gets_the_configured_account(folder: Path) -> None:
    async with wire(folder, OPEN) as line:
        sent = await line.ask("POST", "/api/ingest", MESSAGE)
        assert sent.status == 202
        found = await line.ask("GET", f"/api/messages/{sent.json['id']}")
        assert (found.status, found.json["account"]) == (200, "legacy")


async def test_other_paths_still_need_a_token(folder: Path) -> None:
    async with wire(folder, OPEN) as line:
        for method, path in (
            ("GET", "/api/messages"),
            ("POST", "/send"),
            ("GET", "/api/admin/tokens"),
            ("POST", "/api/ingest/"),
            ("POST", "/API/INGEST"),
            ("GET", "/subscribed-users"),
        ):
            assert (await line.ask(method, path)).status in (401, 404), path


@pytest.mark.parametrize(
    "path",
    [
        "/api/messages/../admin/tokens",
        "/api/messages/%2e%2e/admin/tokens",
        "/api/messages/..%2fadmin%2ftokens",
        "/api/ingest/../admin/tokens",
        "//api/admin/tokens",
        "/api/messages//../../admin/tokens",
        "/api/admin/tokens?/api/messages/",
        "/api/admin/tokens#/api/messages/",
        "/api/admin/tokens;/api/messages/x",
    ],
)
async def test_no_spelling_of_a_path_leads_elsewhere(folder: Path, path: str) -> None:
    async with wire(folder, OPEN) as line:
        assert_problem(await line.ask("GET", path), range(400, 405))


async def test_an_opened_path_makes_nobody_an_admin(folder: Path) -> None:
    async with wire(folder, 'anonymous: [{networks: [127.0.0.1], paths: ["/*"], account: root}]') as line:
        assert_problem(await line.ask("GET", "/api/admin/tokens"), 403)


async def test_another_network_is_not_admitted_with_any_headers(folder: Path) -> None:
    opened = "anonymous: [{networks: [10.0.0.0/8], paths: [/api/ingest], account: legacy}]"
    async with wire(folder, opened) as line:
        assert_problem(await line.ask("POST", "/api/ingest", MESSAGE), 401)
        for name in ("X_Forwarded_For", "X_Real_IP", "Forwarded", "Client_IP", "True_Client_IP"):
            assert_problem(await line.ask("POST", "/api/ingest", MESSAGE, **{name: "10.0.0.1"}), 401)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "x-forwarded-for", "X-Real-IP", "Forwarded", "Via"])
async def test_proxied_requests_do_not_count_as_local(folder: Path, header: str) -> None:
    async with wire(folder, OPEN) as line:
        assert_problem(await line.ask("POST", "/api/ingest", MESSAGE, **{header: "127.0.0.1"}), 401)


@pytest.mark.parametrize("header", ["Origin", "Sec-Fetch-Site"])
async def test_a_page_in_a_browser_is_not_admitted(folder: Path, header: str) -> None:
    async with wire(folder, OPEN) as line:
        assert_problem(await line.ask("POST", "/api/ingest", MESSAGE, **{header: "http://127.0.0.1"}), 401)


async def test_a_wrong_token_is_refused_where_none_is_needed(folder: Path) -> None:
    async with wire(folder, OPEN) as line:
        assert_problem(await line.bearing("nb_wrong", "POST", "/api/ingest", MESSAGE), 401)


async def test_an_anonymous_caller_sends_to_whom_the_socket_allows(folder: Path) -> None:
    async with wire(folder, OPEN, f'socket: {{path: {folder}/s, allow: ["-1001"]}}') as line:
        assert (await line.ask("POST", "/api/ingest", MESSAGE)).status == 202
        assert_problem(await line.ask("POST", "/api/ingest", MESSAGE | {"channel_id": -1002}), 403)
