"""Work that ends the process: counted when it was alone, given up after three deaths, and never a bystander."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from notifybot.storage import under_way
from notifybot.storage.database import Database
from notifybot.storage.under_way import DiedBefore, UnderWay, Work, WorkKind, text_work
from notifybot.system.marks import FILE, Marks
from tests.support.deaths import die_during

pytestmark = pytest.mark.both_databases
BOOT = "11111111-1111-1111-1111-111111111111"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
OTHER = Work(WorkKind.UPDATE, "800000007")


class Machine:
    """A data folder and a database, on which one process follows the other."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database

    def dies(self, *during: Work) -> None:
        die_during(self.folder, BOOT, *during)

    @asynccontextmanager
    async def starts(self) -> AsyncIterator[UnderWay]:
        process = UnderWay(Marks(self.folder / FILE, BOOT), self.database)
        await process.take_over(now=NOW)
        yield process
        process.close()

    async def lives(self) -> dict[Work, int]:
        """Start and stop; return the counts."""
        async with self.starts() as process:
            return {work: process.deaths_of(work) for work in (*map(some, WorkKind), OTHER)}


def some(kind: WorkKind) -> Work:
    return Work(kind, "800000001")


@pytest.fixture
def machine(tmp_path: Path, database: Database) -> Machine:
    return Machine(tmp_path, database)


@pytest.mark.parametrize("kind", list(WorkKind))
@pytest.mark.parametrize("deaths", [1, 2, 3])
async def test_three_deaths_alone_and_no_fewer_end_the_work(machine: Machine, kind: WorkKind, deaths: int) -> None:
    work = some(kind)
    for _ in range(deaths):
        machine.dies(work)
        await machine.lives()
    async with machine.starts() as process:
        assert process.deaths_of(work) == deaths
        async with process.working_on(OTHER):
            pass
        if deaths < 3:
            async with process.working_on(work):
                pass
            assert process.deaths_of(work) == 0
        else:
            with pytest.raises(DiedBefore, match="notifybot died three times while"):
                async with process.working_on(work):
                    raise AssertionError("begun")
    assert (await machine.lives())[work] == (3 if deaths == 3 else 0)


@pytest.mark.parametrize("kind", list(WorkKind))
async def test_three_deaths_beside_others_blame_nobody(machine: Machine, kind: WorkKind) -> None:
    for _ in range(3):
        machine.dies(some(kind), OTHER)
        assert set((await machine.lives()).values()) == {0}
    async with machine.starts() as process:
        for work in (some(kind), OTHER):
            async with process.working_on(work):
                pass
        assert process.warnings() == []


async def test_of_two_suspects_each_is_done_alone_and_the_death_then_tells(machine: Machine) -> None:
    one, two, third = text_work("a", None), text_work("b", None), text_work("c", None)
    machine.dies(one, two)
    async with machine.starts() as process:
        running: list[Work] = []
        most = 0

        async def do(work: Work) -> None:
            nonlocal most
            async with process.marked(work):
                running.append(work)
                if one in running or two in running:
                    most = max(most, len(running))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                running.remove(work)

        await asyncio.gather(*(do(work) for work in (third, one, third, two, third)))
        assert most == 1
        assert process.deaths_of(one) == process.deaths_of(two) == 0


async def test_same_text_twice_at_once_is_one_suspect(machine: Machine) -> None:
    machine.dies(some(WorkKind.TEXT), some(WorkKind.TEXT))
    assert (await machine.lives())[some(WorkKind.TEXT)] == 1


async def test_a_death_is_counted_once_even_if_the_next_start_dies_before_it_begins(machine: Machine) -> None:
    work = some(WorkKind.JOB)
    machine.dies(work)
    left = (machine.folder / FILE).read_bytes()
    for _ in range(3):
        (machine.folder / FILE).write_bytes(left)
        assert (await machine.lives())[work] == 1


async def test_work_that_fails_or_is_cut_off_did_not_end_the_process(machine: Machine) -> None:
    work = some(WorkKind.UPDATE)
    machine.dies(work)
    async with machine.starts() as process:
        with pytest.raises(asyncio.CancelledError):
            async with process.marked(work):
                raise asyncio.CancelledError
        assert process.deaths_of(work) == 1
        with pytest.raises(ValueError, match="odd"):
            async with process.marked(work):
                raise ValueError("odd")
        assert process.deaths_of(work) == 0
    assert (await machine.lives())[work] == 0


async def test_another_version_and_thirty_days_forget(machine: Machine, database: Database) -> None:
    machine.dies(some(WorkKind.TEXT))
    assert (await machine.lives())[some(WorkKind.TEXT)] == 1
    early, late = NOW + timedelta(days=29), NOW + timedelta(days=31)
    assert await database.write(partial(under_way.forget_old, now=early)) == 0
    assert await database.write(partial(under_way.forget_old, now=late)) == 1
    machine.dies(some(WorkKind.JOB))
    await machine.lives()
    await database.write(lambda session: session.execute(text("UPDATE deaths SET version = '0.0.1'")).close())
    assert (await machine.lives())[some(WorkKind.JOB)] == 0


async def test_what_is_given_up_is_named_once_a_kind(machine: Machine) -> None:
    for work in (some(WorkKind.TEXT), Work(WorkKind.TEXT, "800000002"), some(WorkKind.UPDATE)):
        for _ in range(3):
            machine.dies(work)
            await machine.lives()
    async with machine.starts() as process:
        assert [words.split(".")[0] for words in process.warnings()] == [
            "notifybot died three times while preparing a message",
            "notifybot died three times while handling an update from Telegram",
        ]
        await process.forgive(some(WorkKind.UPDATE))
        assert len(process.warnings()) == 1


async def test_marks_of_other_versions_are_ignored(machine: Machine) -> None:
    marks = Marks(machine.folder / FILE, BOOT)
    marks.begin()
    for mark in ("dream 1", "text", "text ", "\x00", "job close"):
        marks.set(mark)
    left = (machine.folder / FILE).read_bytes()
    marks.close()
    (machine.folder / FILE).write_bytes(left)
    async with machine.starts() as process:
        assert process.deaths_of(Work(WorkKind.JOB, "close")) == 1
