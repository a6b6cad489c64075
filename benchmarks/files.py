"""Cost of files: the daemon's peak memory, and the delay of alerts during uploads.

    python -m benchmarks.files [--quick] [NAME …]

The real daemon, the sandbox and the uploaders are separate processes. Files are random bytes; each is
checked by its SHA-256 when downloaded again. The peak is VmHWM, reset before each step.
"""

import asyncio
import hashlib
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, replace

from benchmarks.field.apart import Apart, apart
from benchmarks.field.figures import Figure, at_most, latencies, p99
from benchmarks.field.trials import Trial, run_trials
from benchmarks.lab.process import ROOT
from benchmarks.load.uploading import Uploaded, Uploads, content, upload

SEED = 7
LARGE, SMALL = 50_000_000, 1_000_000
AT_ONCE = 500
SLOW = 100
ALERT_EVERY_S = 0.05
CALLERS = 4


def main() -> int:
    return run_trials(TRIALS, about=__doc__, seed=SEED, brief=("large", "uploads"))


async def large() -> list[Figure]:
    """Send 50 MB in, to Telegram, and out again, three times: memory that is kept once would show only once."""
    async with apart() as run:
        uploads = Uploads(str(run.home.socket), await run.groups(1), 1000, seed=SEED)
        await _whole_way(run, uploads)  # modules loaded for the first file are not a cost of a large one
        before = run.begin_peak()
        figures = [Figure("peak before", f"{before:.1f} MB")]
        for number in range(3):
            figures += await _whole_way(run, replace(uploads, size=LARGE, seed=SEED + number))
        more = run.peak_mb() - before
        return [
            *figures,
            Figure("peak after", f"{run.peak_mb():.1f} MB"),
            at_most("50 MB in and out: increase of the peak", more, 20, " MB", 1),
            at_most("that increase, as a share of the file", more * 1e6 / LARGE, 0.4, digits=2),
        ]


async def _whole_way(run: Apart, uploads: Uploads) -> list[Figure]:
    """Upload one file, find it at Telegram, download it again."""
    megabytes = uploads.size / 1e6
    already = len(await run.seen())
    began = time.time()
    uploaded = await upload(run.daemon, 0, uploads)
    assert uploaded.seconds is not None, uploaded
    accepted = time.time()
    while len(sent := await run.seen()) == already:
        assert time.time() < accepted + 60, run.home.log_tail()
        await asyncio.sleep(0.02)
    at_telegram = time.time()
    assert await _digest(run, uploaded) == await _digest_of(content(0, uploads)), "the bytes differ"
    out = time.time() - at_telegram
    rates = (megabytes / (accepted - began), megabytes / (at_telegram - accepted), megabytes / out)
    said = f"{rates[0]:.0f} MB/s in, {rates[1]:.0f} MB/s to Telegram, {rates[2]:.0f} MB/s out"
    return [Figure(f"{sent[-1].method} of {megabytes:.0f} MB", f"{said}; peak by then {run.peak_mb():.1f} MB")]


async def _digest(run: Apart, uploaded: Uploaded) -> str:
    async with run.daemon.get(f"/api/messages/{uploaded.answer}") as response:
        (file,) = (await response.json())["attachments"]
    async with run.daemon.get(file["href"]) as response:
        assert response.status == 200
        return await _digest_of(response.content.iter_any())


async def _digest_of(pieces: AsyncIterator[bytes]) -> str:
    digest = hashlib.sha256()
    async for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


async def uploads() -> list[Figure]:
    """Upload 500 files of 1 MB at once, to as many chats, and send alerts meanwhile."""
    async with apart() as run:
        chats = await run.groups(AT_ONCE)
        alone = await _alerts(run, chats[0], asyncio.create_task(asyncio.sleep(5)))
        await _uploaded(Uploads(str(run.home.socket), chats[:1], 1000))
        before, began = run.begin_peak(), time.time()
        coming = asyncio.create_task(_uploaded(Uploads(str(run.home.socket), chats, SMALL, seed=SEED)))
        beside = await _alerts(run, chats[0], coming)
        accepted = [each for each in coming.result() if each.seconds is not None]
        taken = time.time() - began
        marks = [f"file {number};" for number in range(AT_ONCE)]
        shown = await run.shows(*marks)
        more = run.peak_mb() - before
        return [
            Figure("peak before", f"{before:.1f} MB"),
            Figure("peak after", f"{run.peak_mb():.1f} MB"),
            at_most(f"{AT_ONCE} MB at once: increase of the peak", more, 150, " MB", 1),
            Figure("accepted", f"{len(accepted)} of {AT_ONCE} in {taken:.1f} s ({_refused(coming.result())})"),
            Figure("shown", f"{len(shown)}, the last {max(each.at for each in shown.values()) - began:.1f} s after"),
            at_most("accepted but not shown", max(0, len(accepted) - len(shown)), 0),
            *_waits(alone, beside, 500),
        ]


async def slow_lines() -> list[Figure]:
    """Run 100 slow uploads, and send alerts and quick uploads meanwhile."""
    async with apart() as run:
        chats = await run.groups(SLOW + 50)
        socket = str(run.home.socket)
        quick = Uploads(socket, chats[SLOW:], 100_000, seed=SEED)
        alone = await _uploaded(quick)
        alerts_alone = await _alerts(run, chats[0], asyncio.create_task(asyncio.sleep(5)))
        drips = Uploads(socket, chats[:SLOW], 10_000, piece=500, rest_s=0.5, seed=SEED + 1)
        dripping = asyncio.create_task(_uploaded(drips))
        await asyncio.sleep(2)
        beside = await _uploaded(replace(quick, seed=SEED + 2))
        alerts_beside = await _alerts(run, chats[0], dripping)
        return [
            Figure("50 quick uploads, alone", latencies(_seconds(alone))),
            Figure(f"50 quick uploads beside {SLOW} slow ones", latencies(_seconds(beside))),
            at_most("increase of their p99", 1000 * (p99(_seconds(beside)) - p99(_seconds(alone))), 250, " ms"),
            at_most("slow uploads not accepted", SLOW - len(_seconds(dripping.result())), 0),
            *_waits(alerts_alone, alerts_beside, 50),
        ]


def _waits(alone: Sequence[float], beside: Sequence[float], aim: float) -> list[Figure]:
    more = 1000 * (p99(beside) - p99(alone))
    return [
        Figure("alerts until their 202, without uploads", latencies(alone)),
        Figure("alerts until their 202, during uploads", latencies(beside)),
        at_most("increase of their p99", more, aim, " ms"),
    ]


def _seconds(uploaded: Sequence[Uploaded]) -> list[float]:
    return [each.seconds for each in uploaded if each.seconds is not None]


def _refused(uploaded: Sequence[Uploaded]) -> str:
    said = {f"{each.status}: {each.answer}" for each in uploaded if each.seconds is None}
    return "; ".join(sorted(said)) or "none refused"


async def _alerts(run: Apart, chat_id: int, while_running: "asyncio.Task[object]") -> list[float]:
    """Send one alert after the other until the task is done; return the seconds until each 202."""
    waits: list[float] = []

    async def caller() -> None:
        while not while_running.done():
            began = time.monotonic()
            body = {"content": "disk full", "channel_id": chat_id}
            async with run.daemon.post("/api/ingest", json=body) as response:
                await response.read()
            assert response.status == 202
            waits.append(time.monotonic() - began)
            await asyncio.sleep(ALERT_EVERY_S)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    await while_running
    return waits


async def _uploaded(uploads: Uploads) -> list[Uploaded]:
    command = ("-m", "benchmarks.load.uploading", json.dumps(asdict(uploads)))
    process = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0, "the uploads failed; see the output above"
    return [Uploaded(**each) for each in json.loads(output)]


TRIALS: Mapping[str, Trial] = {"large": large, "uploads": uploads, "slow-lines": slow_lines}

if __name__ == "__main__":
    sys.exit(main())
