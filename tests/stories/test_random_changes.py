"""Property test: after any sequence of changes to a post, its chat shows the newest version, complete and once."""

import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from notifybot.sandbox.world.state import Message
from tests.sandbox.pictures import png
from tests.stories.places import Person, Place, Post
from tests.stories.world import Sent, World

SEEDS = range(int(os.environ.get("RANDOM_CHANGES", "4")))
STEPS = 14
WORDS = (1, 5, 150, 190, 230, 700, 800, 900, 2000, 4500, 6000)
"""Around a caption, one part, five parts, and what goes as a file."""
PHOTOS = [("photo", f"{number}.png", png(40 + number, 30)) for number in range(11)]
DOCUMENTS = [("file", f"{number}.txt", b"document %d" % number) for number in range(3)]
ATTACHED: tuple[list[tuple[str, str, bytes]], ...] = (
    [],
    PHOTOS[:1],
    DOCUMENTS[:1],
    PHOTOS[:3],
    DOCUMENTS[:2],
    PHOTOS[:1] + DOCUMENTS[:1],
    PHOTOS + DOCUMENTS,
)
METHODS = ("sendMessage", "sendPhoto", "sendDocument", "sendMediaGroup", "editMessageText", "editMessageCaption")
MARKS = ("📎", "🕓", "🔁", "⏫", "✅", "✔️", "⚪")


@dataclass
class Story:
    """One post, what its text should be now, and those who change it."""

    world: World
    rng: random.Random
    ops: Place
    anna: Person
    sent: Sent
    files: list[tuple[str, str, bytes]]
    content: str
    is_alert: bool
    is_answered: bool = False

    async def gets_a_newer_text(self) -> None:
        await self.changes_to(words(self.rng))

    async def changes_to(self, content: str) -> None:
        answer = await self.world.ask("PATCH", f"/api/messages/{self.sent.id}", {"content": content})
        assert answer.status in (200, 409), answer
        if answer.status == 200:
            self.content = content

    async def gets_a_title_or_loses_it(self) -> None:
        await self.world.ask("PATCH", f"/api/messages/{self.sent.id}", {"title": self.rng.choice(["Disks", None])})

    async def is_told_again(self) -> None:
        content = words(self.rng)
        body = {"content": content, "channel_id": self.ops.id, "dedup_key": "k", "acknowledge": self.is_alert}
        answer = await self.world.ask("POST", "/api/ingest", body)
        assert (answer.status, answer.body["id"]) == (200, self.sent.id)
        self.content = self.content if self.is_answered else content

    async def loses_a_part(self) -> None:
        """Delete a message with a text, like a person in the chat."""
        with_text = [message for message in shown(self.world, self.ops) if message.text]
        if with_text:
            self.world.sandbox.remove(self.rng.choice(with_text))

    async def is_forgotten_by_telegram(self) -> None:
        self.world.sandbox.forget_files()

    async def meets_trouble(self) -> None:
        kind = self.rng.choice(["cut_before", "html", "flood"])
        self.world.sandbox.fault(kind, method=self.rng.choice(METHODS), times=1, retry_after=3)

    async def waits(self) -> None:
        await self.world.passes(seconds=self.rng.choice([0.5, 5, 200]))

    async def is_pressed(self) -> None:
        for message in shown(self.world, self.ops):
            if "Acknowledge" in message.button_texts:
                await Post(self.world, self.ops, message).pressed(by=self.anna)
                self.is_answered = True  # from now on, new texts are refused
                return


def words(rng: random.Random) -> str:
    mark = rng.choice("abcdefgh")
    return " ".join(f"{mark}{number:04}" for number in range(rng.choice(WORDS)))


def shown(world: World, place: Place) -> list[Message]:
    return [message for message in world.sandbox.messages(place.id) if message.sender is world.sandbox.bot]


async def begun(world: World, rng: random.Random, *, is_alert: bool) -> Story:
    ops, files, content = world.group("Ops"), list(rng.choice(ATTACHED)), words(rng)
    fields = {"acknowledge": str(is_alert).lower(), "dedup_key": "k", "escalate_after": "never", "close_after": "never"}
    if files:
        sent = await world.uploads(*files, to=ops, caption=content, **fields)
    else:
        sent = await world.alert(content, to=ops, **{**fields, "acknowledge": is_alert})
    return Story(world, rng, ops, world.member(ops, "Anna"), sent, files, content, is_alert)


async def lived_through(story: Story, steps: list[Callable[[], Awaitable[None]]]) -> None:
    for _ in range(STEPS):
        await story.rng.choice(steps)()
        if story.rng.random() < 0.5:
            await story.world.is_quiet()
    story.world.sandbox.clear_faults()
    await story.changes_to(words(story.rng))  # touch each text, so that deleted parts are noticed
    await story.world.passes(seconds=120)


def assert_newest_once(story: Story) -> None:
    """Check that each file and the whole text appear once, and the button once if the alert is open."""
    there = shown(story.world, story.ops)
    picture = f"{story.content[:20]}… of {len(story.content)}, {len(story.files)} files\n{story.world.picture()}"
    found = sorted(story.world.sandbox.file_bytes(message) for message in there if message.media)
    whole = [content for content in found if content not in {content for _, _, content in story.files}]
    assert sorted(set(found) - set(whole)) == sorted(content for _, _, content in story.files), picture
    assert len(found) == len(story.files) + len(whole), picture
    text = " ".join(" ".join(message.text for message in there).split())
    if whole:
        (file,) = whole
        assert file.decode().endswith(story.content), picture
        assert text.count("The full text is in the file below.") == 1, picture
    else:
        assert text.count(story.content) == 1, picture
        rest = text.replace(story.content, "")
        assert not any(word[1:].isdigit() and len(word) == 5 for word in rest.split()), picture
    wanted = int(story.is_alert and not story.is_answered)
    assert sum("Acknowledge" in message.button_texts for message in there) == wanted, picture
    assert sum(message.text == "" and not message.media for message in there) == 0, picture


@pytest.mark.parametrize("seed", SEEDS)
async def test_an_open_alert_shows_its_newest_version_once(world: World, seed: int) -> None:
    story = await begun(world, random.Random(seed), is_alert=True)

    await lived_through(
        story,
        [
            story.gets_a_newer_text, story.gets_a_newer_text, story.gets_a_title_or_loses_it, story.is_told_again,
            story.loses_a_part, story.is_forgotten_by_telegram, story.meets_trouble, story.waits,
        ],
    )  # fmt: skip

    assert_newest_once(story)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_notice_shows_its_newest_version_once(world: World, seed: int) -> None:
    story = await begun(world, random.Random(1000 + seed), is_alert=False)

    await lived_through(
        story,
        [
            story.gets_a_newer_text, story.gets_a_newer_text, story.gets_a_title_or_loses_it, story.is_told_again,
            story.is_forgotten_by_telegram, story.meets_trouble, story.waits,
        ],
    )  # fmt: skip

    assert_newest_once(story)


@pytest.mark.parametrize("seed", SEEDS)
async def test_an_alert_acknowledged_at_any_moment_keeps_no_button(world: World, seed: int) -> None:
    story = await begun(world, random.Random(2000 + seed), is_alert=True)

    await lived_through(
        story,
        [
            story.gets_a_newer_text, story.is_told_again, story.is_forgotten_by_telegram, story.meets_trouble,
            story.waits, story.is_pressed,
        ],
    )  # fmt: skip

    assert_newest_once(story)
