"""A bare Bot API client for the sandbox's tests."""

import json
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import aiohttp

from notifybot.sandbox import Sandbox

TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass
class HandClock:
    """A clock that is moved by hand; in Unix seconds."""

    at: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += seconds


@dataclass(frozen=True)
class Answer:
    """A response of the Bot API. `body` is the decoded JSON; it is Any because tests access it freely."""

    status: int
    body: Any

    @property
    def result(self) -> Any:
        assert self.status == 200, self.body
        return self.body["result"]

    @property
    def refusal(self) -> str:
        """Return status and description, like `400 Bad Request: …`."""
        assert self.body["ok"] is False
        assert self.body["error_code"] == self.status
        return f"{self.status} {self.body['description']}"


@dataclass(frozen=True)
class File:
    """A file to upload. Iterable content is streamed with chunked encoding."""

    content: bytes | AsyncIterable[bytes]
    name: str = "picture.png"


@dataclass(frozen=True)
class Api:
    """The Bot API and the control API of one running sandbox."""

    url: str
    sandbox: Sandbox
    client: aiohttp.ClientSession

    async def __call__(self, method: str, /, **params: object) -> Answer:
        """Call a method with a JSON body."""
        return await self.post(f"/bot{self.sandbox.token}/{method}", json=params)

    async def form(self, method: str, **params: str) -> Answer:
        """Call a method with a form, as most libraries do."""
        return await self.post(f"/bot{self.sandbox.token}/{method}", data=params)

    async def upload(self, method: str, files: Mapping[str, File], **params: object) -> Answer:
        """Call a method with a multipart body; objects and lists go as JSON, as libraries send them."""
        form = aiohttp.FormData(quote_fields=False)
        for name, value in params.items():
            form.add_field(name, value if isinstance(value, str) else json.dumps(value))
        for name, file in files.items():
            content = BytesIO(file.content) if isinstance(file.content, bytes) else file.content
            form.add_field(name, content, filename=file.name, content_type="application/octet-stream")
        return await self.post(f"/bot{self.sandbox.token}/{method}", data=form)

    async def download(self, path: str) -> tuple[int, bytes]:
        """GET a path of the server; return status and bytes."""
        async with self.client.get(self.url + path) as answer:
            return answer.status, await answer.read()

    async def control(self, verb: str, **fields: object) -> Answer:
        """Call a verb of the control API."""
        return await self.post(f"/sandbox/{verb}", json=fields)

    async def post(self, path: str, **options: Any) -> Answer:
        async with self.client.post(self.url + path, **options) as answer:
            return Answer(answer.status, await answer.json())

    async def get(self, path: str, **options: Any) -> Answer:
        async with self.client.get(self.url + path, **options) as answer:
            return Answer(answer.status, await answer.json())
