"""Callers that send messages through the socket, and repeat each request until it is accepted."""

import asyncio
import json
import random
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, FormData, UnixConnector

from benchmarks.lab.ledger import Entry, Ledger, Wish

TIMEOUT = ClientTimeout(total=10)
RETRY_AFTER_S = 0.05
REPEATED = 0.05
"""Share of accepted requests that are sent again, as after a lost response."""
MOST_UNSHOWN = 40
"""Number of waiting messages at which callers pause: a slow machine gets less load, not a longer queue."""


class CallRefused(AssertionError):
    """The daemon refused a valid request; the text holds its response."""


class Callers:
    """Callers with one request in flight each, and a pause of about `rest_s` after it."""

    def __init__(
        self, socket: Path, ledger: Ledger, rng: random.Random, *, count: int = 6, rest_s: float = 0.1
    ) -> None:
        self._socket = socket
        self._ledger = ledger
        self._rng = rng
        self._count = count
        self._rest_s = rest_s
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    def start(self) -> None:
        self._stopping.clear()
        self._tasks = [asyncio.create_task(self._call()) for _ in range(self._count)]

    async def stop(self) -> None:
        """Return once all started requests are accepted. Raises CallRefused if one is refused."""
        self._stopping.set()
        await asyncio.gather(*self._tasks)

    async def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def send_one_to(self, chat_id: int) -> Entry:
        """Send one message to this chat."""
        entry = self._ledger.new_wish(chat_id)
        async with ClientSession(connector=UnixConnector(str(self._socket)), timeout=TIMEOUT) as http:
            await self._hand_over(http, entry)
        return entry

    async def _call(self) -> None:
        async with ClientSession(connector=UnixConnector(str(self._socket)), timeout=TIMEOUT) as http:
            while not self._stopping.is_set():
                if self._ledger.unshown <= MOST_UNSHOWN:
                    await self._send_one(http)
                await asyncio.sleep(self._rng.uniform(0, 2 * self._rest_s))

    async def _send_one(self, http: ClientSession) -> None:
        entry = self._ledger.new_wish()
        await self._hand_over(http, entry)
        if self._rng.random() < REPEATED:
            await self._hand_over(http, entry)

    async def _hand_over(self, http: ClientSession, entry: Entry) -> None:
        """Repeat the same request, under the same client_id, until a 2xx."""
        while True:
            message_id = await self._post(http, entry)
            if message_id is not None:
                break
            await asyncio.sleep(RETRY_AFTER_S)
        if entry.message_id is None:
            entry.message_id, entry.accepted_at = message_id, time.time()
        elif entry.message_id != message_id:
            entry.other_ids.add(message_id)

    @staticmethod
    def _request(http: ClientSession, wish: Wish) -> AbstractAsyncContextManager[ClientResponse]:
        url = "http://notifybot/api/ingest"
        if not wish.files:
            return http.post(url, json=wish.body)
        form = FormData()
        for name, value in wish.body.items():
            form.add_field(name, value if isinstance(value, str) else json.dumps(value))
        for file in wish.files:
            form.add_field(file.field, file.content, filename=file.name)
        return http.post(url, data=form)

    async def _post(self, http: ClientSession, entry: Entry) -> str | None:
        """Send one request; return the message id, or None if it should be retried."""
        try:
            async with self._request(http, entry.wish) as response:
                answer = await response.json(content_type=None)
        except (ClientError, OSError, TimeoutError, ValueError):
            return None
        if response.status >= 500:
            return None
        if response.status not in (200, 202):
            raise CallRefused(f"{entry.wish} was answered {response.status}: {answer}")
        return str(answer["id"])
