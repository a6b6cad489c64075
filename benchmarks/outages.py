"""All kinds of Telegram outages: nothing is lost, and delivery resumes within a second of Telegram's return.

    python -m benchmarks.outages [--quick] [NAME …]

The real daemon runs in its own process, against the sandbox. All trials take about four minutes.
"""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from benchmarks.field.field import Field, field
from benchmarks.field.figures import Figure, at_most, latencies
from benchmarks.field.trials import Trial, run_trials
from benchmarks.field.ways import Way
from notifybot.telegram_api.http import IDLE_CONNECTION_S

SEED = 7
OUTAGES = 5
BRIEF = ("away", "cut")


def main() -> int:
    return run_trials(TRIALS, about=__doc__, seed=SEED, brief=BRIEF)


@asynccontextmanager
async def running(*, limits: bool = True, way: Way = Way.DIRECT) -> AsyncIterator[Field]:
    async with field(limits=limits, way=way) as made:
        await made.start()
        await made.polls()
        yield made


def lost(run: Field) -> int:
    return sum(not copies for copies in run.copies().values())


def doubles(run: Field) -> int:
    return sum(max(0, len(copies) - 1) for copies in run.copies().values())


def first_copy_after(run: Field, moment: float) -> float:
    """Return the seconds from a moment to the first message posted after it."""
    return min(at for copies in run.copies().values() for at in copies if at >= moment) - moment


async def recovered(run: Field, waiting: int, back: Callable[[], None], *, down_s: float) -> float:
    """Let some messages wait for `down_s`; return the seconds from Telegram's return to the first post."""
    people = run.people(waiting)
    handed = await run.hand_over_all(people)
    await asyncio.sleep(down_s)
    back_at = time.time()
    back()
    await run.shows(handed)
    return first_copy_after(run, back_at)


async def down_at_boot() -> list[Figure]:
    waits, missing = [], 0
    for _ in range(3):
        async with field(limits=True) as run:
            run.sandbox.fault("away")
            await run.start()
            waits.append(await recovered(run, 20, run.sandbox.clear_faults, down_s=12))
            missing += lost(run)
    return [*summary("down at boot for 12 s", waits), at_most("lost", missing, 0)]


def summary(what: str, waits: list[float]) -> list[Figure]:
    return [at_most(f"{what}: first delivery, longest of {len(waits)}", max(waits), 1, " s", digits=2)]


def away(kind: str, *, waiting: int = 20, down_s: float = 4.0) -> Trial:
    """Run several outages of one kind in a row."""

    async def trial() -> list[Figure]:
        async with running() as run:
            waits = []
            for _ in range(OUTAGES):
                run.sandbox.fault(kind)
                waits.append(await recovered(run, waiting, run.sandbox.clear_faults, down_s=down_s))
            return [
                *summary(f"{kind}, {down_s:g} s, {waiting} waiting", waits),
                at_most("lost", lost(run), 0),
                at_most("doubles", doubles(run), 0),
            ]

    return trial


async def long_with_little_to_do() -> list[Figure]:
    """Bring Telegram back after one message has retried and backed off for 20 s."""
    async with running() as run:
        run.sandbox.fault("away")
        wait = await recovered(run, 1, run.sandbox.clear_faults, down_s=20)
        return [*summary("away, 20 s, one message waiting", [wait]), at_most("lost", lost(run), 0)]


async def presses_after() -> list[Figure]:
    """Press a button while Telegram is cut off for 20 s."""
    async with running() as run:
        chat = run.people(1)[0]
        await run.shows([await run.hand_over(chat, is_alert=True)])
        run.sandbox.fault("away")
        await asyncio.sleep(20)
        run.sandbox.press(chat, run.sandbox.messages(chat)[-1], "Acknowledge")
        back_at = time.time()
        run.sandbox.clear_faults()
        await run.until(lambda: run.sandbox.calls.of("answerCallbackQuery"), "the press is answered")
        wait = run.sandbox.calls.of("answerCallbackQuery")[0].at - back_at
        return [at_most("reply to a press made while away, after Telegram is back", wait, 1, " s", digits=2)]


async def flapping() -> list[Figure]:
    """Let Telegram be up and away for half a second each, ten times, under 100 messages."""
    async with running() as run:
        people = run.people(100)
        handing = asyncio.create_task(run.hand_over_all(people))
        for _ in range(10):
            run.sandbox.fault("away")
            await asyncio.sleep(0.5)
            run.sandbox.clear_faults()
            await asyncio.sleep(0.5)
        back_at = time.time()
        handed = await handing
        await run.shows(handed)
        last = max(copies[-1] for copies in run.copies().values()) - back_at
        return [
            at_most("flapping for 10 s under 100 messages: lost", lost(run), 0),
            at_most("doubles", doubles(run), 0),
            Figure("last message, after the last return", f"{max(0.0, last):.1f} s"),
        ]


def stalled(way: Way, *, down_s: float, waiting: int) -> Trial:
    """Let a proxy accept connections and go silent; connections from that time never recover."""

    async def trial() -> list[Figure]:
        async with running(way=way) as run:
            # Send one message first, so that an open connection goes silent.
            await run.shows([await run.hand_over(run.people(1)[0])])
            run.proxy.is_silent = True
            handed = await run.hand_over_all(run.people(waiting))
            await asyncio.sleep(down_s)
            back_at = time.time()
            run.proxy.is_silent = False
            await run.until(lambda: polled_at(run) > back_at, "it polls")
            polled = polled_at(run) - back_at
            await run.shows(handed)
            return [
                *summary(f"a proxy stalls for {down_s:g} s, {waiting} waiting", [first_copy_after(run, back_at)]),
                at_most("updates are fetched again, after its return", polled, 1, " s", digits=2),
                Figure("last message posted, after its return", f"{last_first_copy(run) - back_at:.1f} s"),
                at_most("lost", lost(run), 0),
                Figure("doubles", str(doubles(run))),
            ]

    return trial


def polled_at(run: Field) -> float:
    return run.sandbox.polling.last_at or 0.0


def last_first_copy(run: Field) -> float:
    return max(copies[0] for copies in run.copies().values())


async def name_unknown() -> list[Figure]:
    """Make Telegram's name unresolvable for 20 s."""
    async with running(way=Way.NAME) as run:
        run.forget_name()
        await asyncio.sleep(IDLE_CONNECTION_S + 1)  # wait until open connections and the DNS cache expire
        wait = await recovered(run, 20, run.know_name, down_s=20)
        return [
            *summary("a name that cannot be resolved for 20 s, 20 waiting", [wait]),
            at_most("lost", lost(run), 0),
            at_most("doubles", doubles(run), 0),
        ]


async def cut_connections() -> list[Figure]:
    """Cut 5 % of the calls during 1,000 messages, half of them after Telegram accepted."""
    async with running(limits=False) as run:
        people, rng = run.people(250), random.Random(SEED)
        after = rng.sample(range(1000), 50)
        for number, skipped in enumerate(after):
            kind = "cut_after" if number % 2 else "cut_before"
            run.sandbox.fault(kind, method="sendMessage", times=1, after=skipped)
        handed = await run.hand_over_all(people[number % 250] for number in range(1000))
        await run.shows(handed)
        await asyncio.sleep(2)
        cut = [call for call in run.sandbox.calls.of("sendMessage") if call.status == 0]
        accepted = sum(call.is_accepted for call in cut)
        uncertain = await uncertain_times(run)
        return [
            Figure("cut before acceptance, cut after it", f"{len(cut) - accepted}, {accepted}"),
            at_most("lost of 1,000 messages", lost(run), 0),
            at_most("doubles that no cut call explains", abs(doubles(run) - accepted), 0),
            at_most("cut calls without an `uncertain` entry", abs(uncertain - len(cut)), 0),
        ]


async def uncertain_times(run: Field) -> int:
    times = 0
    for each in run.handed:
        timeline = (await run.get(f"/api/messages/{each.id}"))["timeline"]
        assert isinstance(timeline, list)
        times += sum(event["event"] == "uncertain" for event in timeline)
    return times


async def idle() -> list[Figure]:
    """Measure the daemon's CPU while Telegram is away and 1,000 messages wait."""
    figures = []
    for kind in ("away", "html", "hang"):
        async with running() as run:
            run.sandbox.fault(kind)
            await run.hand_over_all(run.people(1000))
            await asyncio.sleep(6)
            before, calls = run.cpu_s(), run.sandbox.calls.last
            await asyncio.sleep(10)
            share, made = 10 * (run.cpu_s() - before), run.sandbox.calls.last - calls
            figures += [
                at_most(f"{kind}, 1,000 messages waiting: share of a core over 10 s", share, 2, " %", digits=1),
                Figure("calls in these 10 s", str(made)),
            ]
    return figures


async def without_trouble() -> list[Figure]:
    """Measure delivery without an outage, as a baseline."""
    async with running() as run:
        handed = await run.hand_over_all(run.people(20))
        await run.shows(handed)
        return [Figure("no outage: accept to chat", latencies(run.waits(handed)))]


TRIALS: Mapping[str, Trial] = {
    "without-trouble": without_trouble,
    "down-at-boot": down_at_boot,
    "away": away("away"),
    "error": away("error"),
    "html": away("html"),
    "hang": away("hang", waiting=5),
    "long": long_with_little_to_do,
    "presses": presses_after,
    "flapping": flapping,
    "stalled": stalled(Way.PROXY, down_s=40, waiting=10),
    "stalled-briefly": stalled(Way.PROXY, down_s=10, waiting=200),
    "tls": stalled(Way.TLS, down_s=40, waiting=10),
    "tls-briefly": stalled(Way.TLS, down_s=10, waiting=200),
    "name": name_unknown,
    "cut": cut_connections,
    "idle": idle,
}

if __name__ == "__main__":
    sys.exit(main())
