"""Telegram's rate limits: fully used, never exceeded, kept across kills; a banned chat does not delay others.

    python -m benchmarks.pacing [--quick] [NAME …]

The real daemon runs in its own process, against the sandbox with Telegram's limits on. Every line is a figure from this
run, and comparisons measure both sides in it. All trials take about nine minutes, since a minute of Telegram's
limits lasts a minute. Pass trial names to run only those.
"""

import asyncio
import itertools
import math
import random
import re
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager

from benchmarks.field.field import Field, Handed, field
from benchmarks.field.figures import Figure, at_least, at_most, latencies, p99
from benchmarks.field.stalls import held_up
from benchmarks.field.trials import Trial, run_trials
from notifybot.sandbox import Refused
from notifybot.sandbox.bot_api.call_log import Call
from notifybot.sandbox.world.state import Message

OVERALL = 30
RETRY_AFTER = re.compile(r"retry after (\d+)")
SEED = 7
BRIEF = ("alert-before-notices", "group-beside-others")


def main() -> int:
    return run_trials(TRIALS, about=__doc__, seed=SEED, brief=BRIEF)


@asynccontextmanager
async def running() -> AsyncIterator[Field]:
    """Set up a field with limits and a delivering daemon."""
    async with field(limits=True) as made:
        await made.start()
        await made.polls()
        yield made


async def steadily(run: Field, chat_ids: Iterable[int], *, every_s: float, is_alert: bool = False) -> list[Handed]:
    """Send one message every `every_s`, regardless of their outcomes."""
    under_way = []
    for chat_id in chat_ids:
        under_way.append(asyncio.create_task(run.hand_over(chat_id, is_alert=is_alert)))
        await asyncio.sleep(every_s)
    return list(await asyncio.gather(*under_way))


# The overall rate


async def bulk() -> list[Figure]:
    """Send 2,000 notices to 500 people."""
    async with running() as run:
        people = run.people(500)
        async with held_up() as stalls:
            notices = await run.hand_over_all(people[number % 500] for number in range(2000))
            await run.shows(notices)
        at = [call.at for call in run.paced_calls()]
        rate = (len(at) - 1) / (at[-1] - at[0])
        return [
            at_least("2,000 notices to 500 people: share of Telegram's rate", 100 * rate / OVERALL, 95, " %"),
            at_most("answers 429", len(run.refused()), 0),
            Figure("longest stall of the sandbox (30 ms are allowed for)", f"{max(stalls):.0f} ms"),
            at_most("doubles", doubles(run), 0),
        ]


def doubles(run: Field) -> int:
    return sum(max(0, len(at) - 1) for at in run.copies().values())


# Bans


async def bans() -> list[Figure]:
    """Ban no chat, one, three and all chats, each with a kill -9 during the ban."""
    undisturbed = await banned(0)
    one, three, everything = await banned(1), await banned(3), await banned(None)
    return [
        Figure("no ban, kill -9 and restart: delays", latencies(undisturbed.waits)),
        *one.figures("a ban of one chat", undisturbed),
        *three.figures("a ban of three chats", undisturbed),
        at_most("a ban of all: calls into a recorded ban", everything.known_hits, 0),
        at_most("a ban of all: messages lost", everything.lost, 0),
        Figure("a ban of all: calls before it was over", str(everything.all_hits)),
        Figure("a ban of all: delays", latencies(everything.waits)),
    ]


class Banned:
    """Results of one ban. `waits` are the delays of chats that are not banned, in seconds."""

    def __init__(self, run: Field, others: Sequence[Handed]) -> None:
        self.waits = run.waits(others)
        self.known_hits = calls_into_known_bans(run)
        self.all_hits = len(run.refused())
        self.lost = sum(not at for at in run.copies().values())

    def figures(self, what: str, undisturbed: "Banned") -> list[Figure]:
        more_ms = 1000 * (p99(self.waits) - p99(undisturbed.waits))
        return [
            at_most(f"{what}: calls into a recorded ban", self.known_hits, 0),
            at_most(f"{what}: messages lost", self.lost, 0),
            Figure(f"{what}: delays of other chats", latencies(self.waits)),
            at_most(f"{what}: increase of other chats' p99 over no ban", more_ms, 250, " ms"),
        ]


async def banned(count: int | None) -> Banned:
    """Ban `count` chats (None: all) for 12 s at 8 messages per second; kill the daemon after 5 s."""
    async with running() as run:
        people = run.people(40)
        held = people[:count] if count else []
        set_bans(run, held, everywhere=count is None)
        rng = random.Random(SEED)
        under_way = asyncio.create_task(steadily(run, rng.choices(people, k=100), every_s=0.12))
        at_start = [await run.hand_over(chat_id) for chat_id in held]
        await asyncio.sleep(5)
        await run.kill()
        await run.start()
        handed = await under_way
        handed += at_start
        await run.shows(handed)
        return Banned(run, [each for each in handed if each.chat_id not in held])


def set_bans(run: Field, chat_ids: Iterable[int], *, everywhere: bool) -> None:
    for chat_id in chat_ids:
        run.sandbox.fault("flood", method=None, chat=chat_id, retry_after=12)
    if everywhere:
        run.sandbox.fault("flood", method="sendMessage", after=10, retry_after=12)


def calls_into_known_bans(run: Field) -> int:
    """Count calls to a chat before the end of the wait that Telegram had announced for it."""
    hits, until = 0, dict[object, float]()
    for call in run.paced_calls():
        hits += call.at < until.get(call.chat_id, 0)
        if call.status == 429:
            until[call.chat_id] = call.at + wait_of(call)
    return hits


def wait_of(call: Call) -> int:
    told = RETRY_AFTER.search(str(call.description))
    assert told
    return int(told[1])


async def whole_bot() -> list[Figure]:
    """Ban all chats for 12 s under full load, like Telegram's ban of a whole bot."""
    async with running() as run:
        people = run.people(300)
        notices = await run.hand_over_all(people[number % 300] for number in range(600))
        run.sandbox.fault("flood", method="sendMessage", after=100, retry_after=12)
        await run.shows(notices)
        calls = list(run.paced_calls())
        refused = [call for call in calls if call.status == 429]
        over_at = max(call.at + wait_of(call) for call in refused)
        full_at = full_rate_after(calls, over_at)
        return [
            Figure("accepted per second, in steps of two seconds", " ".join(rates(calls))),
            at_most("calls before the ban was over", len(refused), 10),
            at_most("calls into a recorded ban", calls_into_known_bans(run), 0),
            at_most("full rate again after the ban", full_at - over_at, 5, " s", digits=1),
        ]


def rates(calls: Sequence[Call]) -> Iterator[str]:
    """Yield the accepted calls per second, in steps of two seconds."""
    steps = [int(call.at - calls[0].at) // 2 for call in calls if call.is_accepted]
    return (f"{steps.count(step) / 2:g}" for step in range(max(steps) + 1))


def full_rate_after(calls: Sequence[Call], moment: float) -> float:
    """Return the time of the first second after `moment` with 27 accepted calls, or infinity."""
    at = [call.at for call in calls if call.is_accepted and call.at >= moment]
    return next((later for earlier, later in zip(at, at[26:], strict=False) if later - earlier <= 1), math.inf)


# Which calls count


async def edits_and_answers() -> list[Figure]:
    """Acknowledge 15 alerts of one group at once: edits wait for the group's budget, replies to presses do not."""
    async with running() as run:
        group = run.group("Ops")
        anna = run.sandbox.add_user("Anna")
        run.sandbox.chat(group).member_ids.add(anna.id)
        alerts = await run.hand_over_all([group] * 15, is_alert=True)
        await run.shows(alerts)
        pressed = {run.sandbox.press(anna, post, "Acknowledge"): run.sandbox.now() for post in posts(run, group)}
        await run.until(lambda: answered_at(run).keys() >= pressed.keys(), "all presses are answered")
        await run.until(lambda: all(not post.button_texts for post in posts(run, group)), "all posts are edited")
        answers = answered_at(run)
        waits = [answers[query] - at for query, at in pressed.items()]
        edits = run.sandbox.calls.of("editMessageText")
        return [
            at_most("15 presses at once: slowest reply", 1000 * max(waits), 1000, " ms"),
            at_most("15 sends and 15 edits in one group: 429s", len(run.refused()), 0),
            Figure("last edit, after the presses", f"{edits[-1].at - min(pressed.values()):.0f} s"),
        ]


def posts(run: Field, chat_id: int) -> list[Message]:
    return [post for post in run.sandbox.messages(chat_id) if post.sender is run.sandbox.bot]


def answered_at(run: Field) -> Mapping[str, float]:
    calls = run.sandbox.calls.of("answerCallbackQuery")
    return {str(call.params["callback_query_id"]): call.at for call in calls}


async def group_beside_others() -> list[Figure]:
    """Send 50 notices to one group, whose budget allows 15 per minute, and six per second to 40 people."""
    with_none, with_group = await beside_a_group(0), await beside_a_group(50)
    return [
        Figure("other chats, without the group", latencies(with_none)),
        Figure("other chats, with the group", latencies(with_group)),
        at_most("increase of other chats' p99", 1000 * (p99(with_group) - p99(with_none)), 50, " ms"),
    ]


async def beside_a_group(notices: int) -> list[float]:
    async with running() as run:
        people, group = run.people(40), run.group("Noise")
        await run.hand_over_all([group] * notices)
        others = await steadily(run, itertools.islice(itertools.cycle(people), 240), every_s=1 / 6)
        await run.shows(others)
        assert not run.refused()
        return run.waits(others)


# Priorities


async def alert_before_notices() -> list[Figure]:
    """Send alerts to idle chats while 10,000 notices wait for 500 people."""
    async with running() as run:
        people, on_duty = run.people(500), [run.group(f"Duty {number}") for number in range(20)]
        alone = run.waits(await alerts_in_turn(run, on_duty))
        await run.hand_over_all(people[number % 500] for number in range(10_000))
        among = run.waits(await alerts_in_turn(run, on_duty))
        return [
            Figure("20 alerts, nothing else waiting", latencies(alone)),
            Figure("20 alerts, 10,000 notices waiting", latencies(among)),
            at_most("longest delay of an alert", 1000 * max(among), 200, " ms"),
            at_most("answers 429", len(run.refused()), 0),
        ]


async def alerts_in_turn(run: Field, chat_ids: Sequence[int]) -> list[Handed]:
    alerts = await steadily(run, chat_ids, every_s=0.33, is_alert=True)
    await run.shows(alerts)
    return alerts


async def nobody_starves() -> list[Figure]:
    """Send more alerts than Telegram accepts for 45 s, plus edits and notices, some in the same chats."""
    async with running() as run:
        people, quiet = run.people(40), run.people(5)
        old = await run.hand_over_all(people[:5], is_alert=True)
        await run.shows(old)
        flood = asyncio.create_task(keep_alerts_waiting(run, people))
        await asyncio.sleep(3)
        asked_at = run.sandbox.now()
        press_all(run, people[:5])
        notices = [await run.hand_over(chat_id) for chat_id in quiet]
        beside = [await run.hand_over(chat_id) for chat_id in people[20:25]]
        alerts = await flood
        end = run.sandbox.now()
        edited = [call.at for call in run.sandbox.calls.of("editMessageText") if call.at <= end]
        late = {each.mark for each in alerts if not run.copies()[each.mark]}
        return [
            Figure("alerts waiting at the end", str(len(late))),
            at_most("notices in other chats: longest delay", longest(run, notices, end), 10, " s", digits=1),
            at_most("notices in chats full of alerts: longest delay", longest(run, beside, end), 30, " s", digits=1),
            at_most("edits in chats full of alerts: not made", 5 - len(edited), 0),
            Figure("last edit, after the presses", f"{max(edited, default=math.inf) - asked_at:.1f} s"),
            at_most("answers 429", len(run.refused()), 0),
        ]


async def keep_alerts_waiting(run: Field, chat_ids: Sequence[int]) -> list[Handed]:
    """Send a hundred at once, then 40 per second for 45 s: more than can be delivered."""
    first = await run.hand_over_all(itertools.islice(itertools.cycle(chat_ids), 100), is_alert=True)
    more = await steadily(run, itertools.islice(itertools.cycle(chat_ids), 1800), every_s=0.024, is_alert=True)
    return first + more


def press_all(run: Field, chat_ids: Iterable[int]) -> None:
    for chat_id in chat_ids:
        try:
            run.sandbox.press(chat_id, posts(run, chat_id)[0], "Acknowledge")
        except Refused as error:
            raise AssertionError(f"nothing to press in {chat_id}") from error


def longest(run: Field, handed: Iterable[Handed], now: float) -> float:
    """Return the longest delay in seconds; a message that is still waiting counts up to now."""
    copies = run.copies()
    return max(min(copies[each.mark], default=now) - each.at for each in handed)


# After a kill


async def budget_over_kills() -> list[Figure]:
    """Send 24 alerts to one group, which may get 20 per minute, across two kills."""
    async with running() as run:
        group = run.group("Ops")
        alerts = await run.hand_over_all([group] * 24, is_alert=True)
        for _ in range(2):
            await asyncio.sleep(12)
            await run.kill()
            await run.start()
        await run.shows(alerts)
        at = [call.at for call in run.paced_calls() if call.is_accepted]
        return [
            at_most("24 alerts in one group across two kills: 429s", len(run.refused(group)), 0),
            at_least("calls in the first minute", sum(moment < at[0] + 60 for moment in at), 18, digits=0),
            at_most("lost", sum(not copies for copies in run.copies().values()), 0),
        ]


TRIALS: Mapping[str, Trial] = {
    "bulk": bulk,
    "bans": bans,
    "whole-bot": whole_bot,
    "edits-and-answers": edits_and_answers,
    "group-beside-others": group_beside_others,
    "alert-before-notices": alert_before_notices,
    "nobody-starves": nobody_starves,
    "budget-over-kills": budget_over_kills,
}

if __name__ == "__main__":
    sys.exit(main())
