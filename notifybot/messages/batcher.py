"""Group commit: messages that arrive during a commit share the next one."""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from sqlmodel import Session

from notifybot.errors import NotifybotError
from notifybot.messages import accept as messages_accept
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.recipients.directory import Directory
from notifybot.storage.database import Database
from notifybot.times.clock import Clock

MAX_BATCH = 500
BatchAnswers = list[Acceptance | NotifybotError]


class _Pending(NamedTuple):
    new: NewMessage
    future: "asyncio.Future[Acceptance]"


class Batcher:
    """Collects messages and accepts them in batches, one write for all callers waiting, without a task of its own."""

    def __init__(self, database: Database, clock: Clock, directory: Directory) -> None:
        self._database = database
        self._clock = clock
        self._directory = directory
        self._pending: deque[_Pending] = deque()
        self._is_submitted = False
        """A write is submitted and has not started yet; there is at most one."""

    async def accept(self, new: NewMessage) -> Acceptance:
        """Accept one message; return once it is on disk. Raises the refusal if it is refused."""
        caller = _Pending(new, asyncio.get_running_loop().create_future())
        self._pending.append(caller)
        self._database.note_arrival()
        self._submit()
        return await caller.future

    def _submit(self) -> None:
        if self._pending and not self._is_submitted:
            self._is_submitted = True
            batch: list[_Pending] = []
            accept = partial(self._accept_pending, batch, self._clock.now())
            self._database.submit(accept, partial(self._answer_batch, batch))

    def _accept_pending(self, batch: list[_Pending], now: datetime, session: Session) -> BatchAnswers:
        """Run in the writer. The batch is filled only now, with everyone who came during the last commit."""
        self._is_submitted = False  # first: the next message after this submits again
        self._fill(batch)
        return self._accept_all(session, batch, now)

    def _fill(self, batch: list[_Pending]) -> None:
        while self._pending and len(batch) < MAX_BATCH:
            batch.append(self._pending.popleft())

    def _answer_batch(self, batch: list[_Pending], answers: BatchAnswers | Exception) -> None:
        if isinstance(answers, Exception):
            self._refuse(batch, answers)
        else:
            for caller, answer in zip(batch, answers, strict=True):
                _answer(caller, answer)
        self._submit()

    def _refuse(self, batch: list[_Pending], error: Exception) -> None:
        """Refuse all if the database is down. Otherwise one message broke the batch: accept each alone."""
        if not batch:  # the transaction did not even begin
            self._is_submitted = False
            self._fill(batch)
        if len(batch) == 1 or self._database.is_down(error):
            for caller in batch:
                _answer(caller, error)
        else:
            for caller in batch:
                accept = partial(self._accept_alone, caller, self._clock.now())
                self._database.submit(accept, partial(_answer_alone, caller))

    def _accept_alone(self, caller: _Pending, now: datetime, session: Session) -> BatchAnswers:
        return self._accept_all(session, [caller], now)

    def _accept_all(self, session: Session, batch: Sequence[_Pending], now: datetime) -> BatchAnswers:
        messages = [caller.new for caller in batch]
        return messages_accept.accept(session, messages, now=now, directory=self._directory)


def _answer_alone(caller: _Pending, answers: BatchAnswers | Exception) -> None:
    _answer(caller, answers if isinstance(answers, Exception) else answers[0])


def _answer(caller: _Pending, answer: Acceptance | Exception) -> None:
    if caller.future.done():  # the caller gave up
        return
    if isinstance(answer, Exception):
        caller.future.set_exception(answer)
    else:
        caller.future.set_result(answer)
