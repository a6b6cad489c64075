"""Responses of /health and /."""

import re
from pathlib import Path

from notifybot import __version__
from tests.support.door import door


async def test_without_a_token_the_daemon_is_healthy_and_reports_the_missing_token(folder: Path) -> None:
    async with door(folder) as opened:
        answer = await opened.ask("GET", "/health")
        assert answer.status == 200
        found = answer.json
        assert {name: found[name] for name in ("telegram", "database", "jobs", "waiting", "oldest_waiting_s")} == {
            "telegram": "off",
            "database": "ok",
            "jobs": "ok",
            "waiting": 0,
            "oldest_waiting_s": 0.0,
        }
        assert any("token" in warning for warning in found["warnings"])
        assert any("escalation channel" in warning for warning in found["warnings"])


async def test_health_counts_pending_messages_and_their_age(folder: Path) -> None:
    async with door(folder) as opened:
        for _ in range(3):
            await opened.ingest()
        found = (await opened.ask("GET", "/health")).json
        assert found["waiting"] == 3
        assert found["oldest_waiting_s"] >= 0


async def test_the_root_lists_every_route(folder: Path) -> None:
    async with door(folder) as opened:
        found = (await opened.ask("GET", "/")).json
        assert found["version"] == __version__
        assert {"POST /api/ingest", "GET /health", "POST /api/messages/{id}/close"} <= found["endpoints"].keys()
        for route in found["endpoints"]:
            method, path = route.split()
            named = path.replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057")
            answer = await opened.ask(method, re.sub(r"\{[a-z]+\}", "x", named))
            assert answer.status in (200, 400, 404)  # it exists: neither 405 nor an unknown path
            assert b"GET / lists" not in answer.body
