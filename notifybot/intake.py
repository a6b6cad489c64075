"""The door for messages: whoever comes while a commit is under way shares the next one."""

import asyncio
from collections import deque
from dataclasses import dataclass

from sqlmodel import Session

from notifybot import acceptance
from notifybot.acceptance import Accepted, NewMessage
from notifybot.clock import Clock
from notifybot.database import Database
from notifybot.errors import NotifybotError

MOST_A_COMMIT = 500


@dataclass(frozen=True)
class _Caller:
    new: NewMessage
    future: "asyncio.Future[Accepted]"


class Intake:
    """Collects messages and accepts them in batches."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._callers: deque[_Caller] = deque()
        self._flushing: asyncio.Task[None] | None = None

    async def accept(self, new: NewMessage) -> Accepted:
        """Keep one message; return once it is on disk. Raises the refusal where it is refused."""
        caller = _Caller(new, asyncio.get_running_loop().create_future())
        self._callers.append(caller)
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return await caller.future

    async def _flush(self) -> None:
        while self._callers:
            await self._accept_waiting()

    async def _accept_waiting(self) -> None:
        batch: list[_Caller] = []

        def accept_batch(session: Session) -> list[Accepted | NotifybotError]:
            # Taken only now, in the writer: so everybody who came during the last commit is in.
            self._take(batch)
            return acceptance.accept(session, [caller.new for caller in batch], now=self._clock.now())

        try:
            answers = await self._database.write(accept_batch)
        except Exception as error:  # noqa: BLE001 - every caller of the batch gets its own answer
            if not batch:
                self._take(batch)  # the transaction did not even begin
            await self._refuse(batch, error)
            return
        for caller, answer in zip(batch, answers, strict=True):
            _answer(caller, answer)

    def _take(self, batch: list[_Caller]) -> None:
        while self._callers and len(batch) < MOST_A_COMMIT:
            batch.append(self._callers.popleft())

    async def _refuse(self, batch: list[_Caller], error: Exception) -> None:
        """Where the database keeps nothing, all are refused; where one message broke the batch, only that one is."""
        if len(batch) == 1 or self._database.keeps_nothing(error):
            for caller in batch:
                _answer(caller, error)
            return
        for caller in batch:
            try:
                _answer(caller, await self._accept_alone(caller.new))
            except Exception as refusal:  # noqa: BLE001 - handed to the caller
                _answer(caller, refusal)

    async def _accept_alone(self, new: NewMessage) -> Accepted | NotifybotError:
        now = self._clock.now()
        return (await self._database.write(lambda session: acceptance.accept(session, [new], now=now)))[0]


def _answer(caller: _Caller, answer: Accepted | Exception) -> None:
    if caller.future.done():
        return
    if isinstance(answer, Exception):
        caller.future.set_exception(answer)
    else:
        caller.future.set_result(answer)
