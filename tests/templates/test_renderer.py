"""Rendering in a thread: one template at a time, with a bounded queue."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping

import pytest

from notifybot.errors import Unavailable
from notifybot.templates import CannotRender, Rendered, Templates
from notifybot.templates.renderer import MAX_QUEUED, Renderer

A_MOMENT_S = 60


class Press:
    """Renders once it is released."""

    def __init__(self) -> None:
        self.may_go = threading.Event()
        self.threads: set[int] = set()

    def render(self, name: str, data: Mapping[str, object]) -> Rendered:
        self.threads.add(threading.get_ident())
        assert self.may_go.wait(A_MOMENT_S)
        return Rendered(name, None, None, None)


@pytest.fixture
async def press() -> AsyncIterator[Press]:
    press = Press()
    yield press
    press.may_go.set()


async def test_a_template_is_filled_in_and_its_refusal_comes_back() -> None:
    renderer = Renderer(Templates.read(None).render)
    assert (await renderer.render("post_success", {"title": "x"})).content == "✅ x"
    with pytest.raises(CannotRender):
        await renderer.render("automation_executed", {"duration_s": "x"})
    renderer.close()


async def test_a_full_queue_refuses_the_next_caller_and_serves_the_others(press: Press) -> None:
    renderer = Renderer(press.render)
    waiting = [asyncio.create_task(renderer.render(str(number), {})) for number in range(MAX_QUEUED)]
    await asyncio.sleep(0)

    with pytest.raises(Unavailable, match="Too many messages are waiting"):
        await renderer.render("x", {})
    press.may_go.set()
    assert [made.content for made in await asyncio.gather(*waiting)] == [str(each) for each in range(MAX_QUEUED)]
    assert len(press.threads) == 1
    assert (await renderer.render("x", {})).content == "x"
    renderer.close()


async def test_a_wait_times_out(press: Press) -> None:
    renderer = Renderer(press.render, within_s=0.01)
    with pytest.raises(Unavailable, match=r"longer than 0\.01 seconds"):
        await renderer.render("x", {})
    renderer.close()


async def test_other_work_on_threads_does_not_wait_behind_templates(press: Press) -> None:
    renderer = Renderer(press.render)
    waiting = [asyncio.create_task(renderer.render("x", {})) for _ in range(MAX_QUEUED)]
    await asyncio.sleep(0)

    async with asyncio.timeout(A_MOMENT_S):
        assert await asyncio.to_thread(lambda: "looked up") == "looked up"
    assert not any(each.done() for each in waiting)
    press.may_go.set()
    await asyncio.gather(*waiting)
    renderer.close()


async def test_a_cancelled_caller_frees_its_place(press: Press) -> None:
    renderer = Renderer(press.render)
    waiting = [asyncio.create_task(renderer.render("x", {})) for _ in range(MAX_QUEUED)]
    await asyncio.sleep(0)
    waiting.pop().cancel()
    await asyncio.sleep(0)
    waiting.append(asyncio.create_task(renderer.render("last", {})))
    press.may_go.set()
    assert (await asyncio.gather(*waiting))[-1].content == "last"
    renderer.close()
