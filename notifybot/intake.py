"""The door for messages: whoever comes while a commit is under way shares the next one."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlmodel import Session

from notifybot import acceptance
from notifybot.acceptance import Accepted, NewMessage
from notifybot.clock import Clock
from notifybot.database import Database
from notifybot.errors import NotifybotError
from notifybot.recipients import Directory

MOST_A_COMMIT = 500
Answers = list[Accepted | NotifybotError]


@dataclass(frozen=True, slots=True)
class _Caller:
    new: NewMessage
    future: "asyncio.Future[Accepted]"


class Intake:
    """Collects messages and accepts them in batches: one work of the writer for all who wait, and no task."""

    def __init__(self, database: Database, clock: Clock, directory: Directory) -> None:
        self._database = database
        self._clock = clock
        self._directory = directory
        self._callers: deque[_Caller] = deque()
        self._is_asked = False
        """The writer will take whoever waits, and has not begun to. At most one such work is on its way."""

    async def accept(self, new: NewMessage) -> Accepted:
        """Keep one message; return once it is on disk. Raises the refusal where it is refused."""
        caller = _Caller(new, asyncio.get_running_loop().create_future())
        self._callers.append(caller)
        self._database.note_arrival()
        self._ask()
        return await caller.future

    def _ask(self) -> None:
        if self._callers and not self._is_asked:
            self._is_asked = True
            batch: list[_Caller] = []
            self._database.submit(partial(self._accept_waiting, batch), partial(self._answer, batch))

    def _accept_waiting(self, batch: list[_Caller], session: Session) -> Answers:
        """Run in the writer, which takes the callers only now: so everybody who came during the last commit is in."""
        self._is_asked = False  # first: who comes after this asks again, who came before is taken
        self._take(batch)
        return self._accept_all(session, batch)

    def _take(self, batch: list[_Caller]) -> None:
        while self._callers and len(batch) < MOST_A_COMMIT:
            batch.append(self._callers.popleft())

    def _answer(self, batch: list[_Caller], answers: Answers | Exception) -> None:
        if isinstance(answers, Exception):
            self._refuse(batch, answers)
        else:
            for caller, answer in zip(batch, answers, strict=True):
                _tell(caller, answer)
        self._ask()

    def _refuse(self, batch: list[_Caller], error: Exception) -> None:
        """Where the database keeps nothing, all are refused; where one message broke the batch, only that one is."""
        if not batch:  # the transaction did not even begin
            self._is_asked = False
            self._take(batch)
        if len(batch) == 1 or self._database.keeps_nothing(error):
            for caller in batch:
                _tell(caller, error)
        else:
            for caller in batch:
                self._database.submit(partial(self._accept_alone, caller), partial(_tell_alone, caller))

    def _accept_alone(self, caller: _Caller, session: Session) -> Answers:
        return self._accept_all(session, [caller])

    def _accept_all(self, session: Session, batch: Sequence[_Caller]) -> Answers:
        messages = [caller.new for caller in batch]
        return acceptance.accept(session, messages, now=self._clock.now(), directory=self._directory)


def _tell_alone(caller: _Caller, answers: Answers | Exception) -> None:
    _tell(caller, answers if isinstance(answers, Exception) else answers[0])


def _tell(caller: _Caller, answer: Accepted | Exception) -> None:
    if caller.future.done():  # given up by its caller
        return
    if isinstance(answer, Exception):
        caller.future.set_exception(answer)
    else:
        caller.future.set_result(answer)
