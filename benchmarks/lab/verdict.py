"""Compare the ledger with the daemon's records and with the chats."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from aiohttp import ClientSession

from benchmarks.lab.ledger import Entry
from notifybot.sandbox import Sandbox
from notifybot.sandbox.world.state import Message

Json = dict[str, object]


@dataclass(frozen=True)
class Delivery:
    chat_id: int
    purpose: str
    status: str
    message_ids: tuple[int, ...]


@dataclass(frozen=True)
class Event:
    """A line of the timeline; `at` in Unix seconds."""

    name: str
    at: float


@dataclass(frozen=True)
class Account:
    """The daemon's record of one message."""

    status: str
    deliveries: tuple[Delivery, ...]
    timeline: tuple[Event, ...]
    answered_by: int | None
    """Telegram id of the person who acknowledged it."""

    def times(self, name: str) -> list[float]:
        return [event.at for event in self.timeline if event.name == name]


@dataclass(frozen=True)
class Finding:
    """Verdict on one entry. `doubles`: when each surplus copy was sent; `uncertain`: when each was recorded."""

    entry: Entry
    is_shown: bool
    is_lost: bool
    presses_lost: int
    doubles: tuple[float, ...]
    uncertain: tuple[float, ...]
    escalations: int
    problems: tuple[str, ...] = field(default=())

    @property
    def unexplained(self) -> int:
        """Return the number of doubles that no send cut in flight explains."""
        return max(0, len(self.doubles) - len(self.uncertain))

    @property
    def is_good(self) -> bool:
        return not (self.is_lost or self.presses_lost or self.unexplained or self.problems)


async def account_of(http: ClientSession, message_id: str) -> Account | None:
    """Ask the daemon for a message; return None if the id is unknown."""
    async with http.get(f"http://notifybot/api/messages/{message_id}") as response:
        if response.status == 404:
            return None
        response.raise_for_status()
        return _read(await response.json())


def _read(document: Json) -> Account:
    by, deliveries, timeline = document["acknowledged_by"], document["deliveries"], document["timeline"]
    assert isinstance(deliveries, list)
    assert isinstance(timeline, list)
    return Account(
        status=str(document["status"]),
        deliveries=tuple(
            Delivery(int(each["chat_id"]), each["purpose"], each["status"], tuple(each["telegram_message_ids"]))
            for each in deliveries
        ),
        timeline=tuple(Event(each["event"], datetime.fromisoformat(each["at"]).timestamp()) for each in timeline),
        answered_by=by["telegram_id"] if isinstance(by, dict) else None,
    )


def judge(entry: Entry, account: Account | None, sandbox: Sandbox) -> Finding:
    """Report what is lost, doubled or wrong about one accepted message that should be finished."""
    if account is None:
        return Finding(entry, entry.is_shown, True, len(entry.presses), (), (), 0, ("the daemon does not know it",))
    is_pressed_in_vain = bool(entry.presses) and account.answered_by is None
    return Finding(
        entry,
        is_shown=entry.is_shown,
        is_lost=not entry.is_shown,
        presses_lost=len(entry.presses) if is_pressed_in_vain else 0,
        doubles=tuple(_doubles(entry)),
        uncertain=tuple(account.times("uncertain")),
        escalations=len(account.times("escalated")),
        problems=tuple(_problems(entry, account, sandbox)),
    )


def _doubles(entry: Entry) -> Iterator[float]:
    """Return the times of all copies of a part in a chat except the last."""
    left = Counter((copy.chat_id, copy.part) for copy in entry.copies)
    for copy in entry.copies:
        left[copy.chat_id, copy.part] -= 1
        if left[copy.chat_id, copy.part]:
            yield copy.at


def _problems(entry: Entry, account: Account, sandbox: Sandbox) -> Iterator[str]:
    if entry.other_ids:
        yield f"a repeated request created another message: {entry.other_ids}"
    final = "closed" if entry.wish.is_alert else "sent"
    if account.status != final:
        yield f"it is {account.status} but should be {final}"
    yield from _wrong_answer(entry, account)
    yield from _wrong_timeline(entry, account)
    for delivery in account.deliveries:
        yield from _wrong_delivery(entry, account, delivery, sandbox)


def _wrong_answer(entry: Entry, account: Account) -> Iterator[str]:
    first = entry.presses[0].user_id if entry.presses else None
    if account.answered_by != first:
        yield f"{first} pressed first, but it was acknowledged by {account.answered_by}"


def _wrong_timeline(entry: Entry, account: Account) -> Iterator[str]:
    named = Counter(event.name for event in account.timeline)
    escalations = sum(1 for delivery in account.deliveries if delivery.purpose == "escalation")
    is_unanswered = entry.wish.is_alert and account.answered_by is None
    expected = {
        "accepted": 1,
        "closed": int(entry.wish.is_alert),
        "acknowledged": int(account.answered_by is not None),
        "escalated": 1 if is_unanswered else min(1, escalations),
    }
    for name, times in expected.items():
        if named[name] != times:
            yield f"{name} {named[name]} times in the timeline instead of {times}"
    if named["released"] > int(entry.wish.send_at is not None):
        yield f"released {named['released']} times"
    if len(account.deliveries) - escalations != 1:
        yield f"{len(account.deliveries) - escalations} primary deliveries instead of one"
    if escalations != named["escalated"]:
        yield f"escalated {named['escalated']} times, with {escalations} deliveries"


def _wrong_delivery(entry: Entry, account: Account, delivery: Delivery, sandbox: Sandbox) -> Iterator[str]:
    """Check that the chat shows what the daemon has recorded."""
    where = f"in {delivery.chat_id}"
    if delivery.status == "withdrawn":
        if account.answered_by is None:
            yield f"withdrawn {where}, but nobody acknowledged it"
        return
    if delivery.status != "shown":
        yield f"{delivery.status} {where}"
        return
    sent = {copy.message_id for copy in entry.copies if copy.chat_id == delivery.chat_id and copy.has_text}
    said = [message_id for message_id in delivery.message_ids if message_id in sent]
    if len(said) != 1:
        yield f"shown {where} as {delivery.message_ids}, but the chat has {sent}"
        return
    posts = [sandbox.message(delivery.chat_id, message_id) for message_id in delivery.message_ids]
    if [post.media.content.read() for post in posts if post.media] != entry.wish.shown_files:
        yield f"files {where} differ from those sent, or are in another order"
    if entry.wish.is_alert:
        yield from _wrong_post(account, sandbox.message(delivery.chat_id, said[0]), sandbox)


def _wrong_post(account: Account, post: Message, sandbox: Sandbox) -> Iterator[str]:
    if post.button_texts:
        yield f"the post in {post.chat.id} still has its button"
    ending = "nobody acknowledged it"
    if account.answered_by is not None:
        ending = f"Acknowledged by {sandbox.user(account.answered_by).first_name}"
    if ending not in post.text:
        yield f"the post in {post.chat.id} does not say {ending!r}: {post.text!r}"
