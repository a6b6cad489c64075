"""Group commit: messages that arrive during a commit share the next one."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlmodel import Session

from notifybot.errors import NotifybotError
from notifybot.messages import accept as messages_accept
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.recipients.directory import Directory
from notifybot.storage.database import Database
from notifybot.times.clock import Clock

MAX_BATCH = 500
BatchAnswers = list[Acceptance | NotifybotError]


@dataclass(frozen=True, slots=True)
class _Pending:
    new: NewMessage
    future: "asyncio.Future[Acceptance]"


class Batcher:
    """Collects messages and accepts them in batches: one work of the writer for all who wait, and no task."""

    def __init__(self, database: Database, clock: Clock, directory: Directory) -> None:
        self._database = database
        self._clock = clock
        self._directory = directory
        self._callers: deque[_Pending] = deque()
        self._is_asked = False
        """The writer will take whoever waits, and has not begun to. At most one such work is on its way."""

    async def accept(self, new: NewMessage) -> Acceptance:
        """Keep one message; return once it is on disk. Raises the refusal where it is refused."""
        caller = _Pending(new, asyncio.get_running_loop().create_future())
        self._callers.append(caller)
        self._database.note_arrival()
        self._ask()
        return await caller.future

    def _ask(self) -> None:
        if self._callers and not self._is_asked:
            self._is_asked = True
            batch: list[_Pending] = []
            self._database.submit(partial(self._accept_waiting, batch), partial(self._answer, batch))

    def _accept_waiting(self, batch: list[_Pending], session: Session) -> BatchAnswers:
        """Run in the writer, which takes the callers only now: so everybody who came during the last commit is in."""
        self._is_asked = False  # first: who comes after this asks again, who came before is taken
        self._take(batch)
        return self._accept_all(session, batch)

    def _take(self, batch: list[_Pending]) -> None:
        while self._callers and len(batch) < MAX_BATCH:
            batch.append(self._callers.popleft())

    def _answer(self, batch: list[_Pending], answers: BatchAnswers | Exception) -> None:
        if isinstance(answers, Exception):
            self._refuse(batch, answers)
        else:
            for caller, answer in zip(batch, answers, strict=True):
                _answer_one(caller, answer)
        self._ask()

    def _refuse(self, batch: list[_Pending], error: Exception) -> None:
        """Where the database keeps nothing, all are refused; where one message broke the batch, only that one is."""
        if not batch:  # the transaction did not even begin
            self._is_asked = False
            self._take(batch)
        if len(batch) == 1 or self._database.keeps_nothing(error):
            for caller in batch:
                _answer_one(caller, error)
        else:
            for caller in batch:
                self._database.submit(partial(self._accept_alone, caller), partial(_answer_alone, caller))

    def _accept_alone(self, caller: _Pending, session: Session) -> BatchAnswers:
        return self._accept_all(session, [caller])

    def _accept_all(self, session: Session, batch: Sequence[_Pending]) -> BatchAnswers:
        messages = [caller.new for caller in batch]
        return messages_accept.accept(session, messages, now=self._clock.now(), directory=self._directory)


def _answer_alone(caller: _Pending, answers: BatchAnswers | Exception) -> None:
    _answer_one(caller, answers if isinstance(answers, Exception) else answers[0])


def _answer_one(caller: _Pending, answer: Acceptance | Exception) -> None:
    if caller.future.done():  # given up by its caller
        return
    if isinstance(answer, Exception):
        caller.future.set_exception(answer)
    else:
        caller.future.set_result(answer)
