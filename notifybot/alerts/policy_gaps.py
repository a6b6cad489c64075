"""Find escalation steps that reach no one."""

from collections.abc import Collection, Iterator, Mapping

from sqlmodel import Session, col, select

from notifybot.alerts.policy import EscalationPlan
from notifybot.model.chats import Chat
from notifybot.people import people
from notifybot.recipients.address import Recipient, RecipientKind, recipient_of
from notifybot.recipients.directory import Directory
from notifybot.times.display import listed


def find_gaps(
    session: Session, plans: Mapping[str, EscalationPlan], channel: str | None, directory: Directory
) -> list[str]:
    """Return a sentence on the policy steps that reach no one, and one on each unreachable chat, including the
    escalation channel."""
    members = {
        f"{name}, step {number}": _members(step.to, directory)
        for name, plan in plans.items()
        for number, step in enumerate(plan.steps, 1)
    }
    gaps = _unreachable_steps(session, members)
    reach_no_one = "These policy steps reach no one, because none of their recipients has a chat with the bot"
    sentences = [f"{reach_no_one}: {listed(gaps, '; ')}."] if gaps else []
    everybody = {member for each in members.values() for member in each}
    chats = {member.chat_id for member in everybody if member.kind is RecipientKind.CHAT}
    channels = set() if channel is None else {recipient_of(channel).chat_id}
    return [*sentences, *_unreachable_chats(session, chats | channels)]


def _members(to: Collection[str], directory: Directory) -> set[Recipient]:
    return {member for name in to for member in directory.members(recipient_of(name))}


def _unreachable_steps(session: Session, members: Mapping[str, set[Recipient]]) -> list[str]:
    """Return the steps in which no recipient has a chat with the bot."""
    persons = {member.name for each in members.values() for member in each if member.kind is RecipientKind.PERSON}
    linked = people.readers(session, persons).keys()
    return [
        step
        for step, each in members.items()
        if all(member.kind is RecipientKind.PERSON and member.name not in linked for member in each)
    ]


def _unreachable_chats(session: Session, chat_ids: Collection[str]) -> Iterator[str]:
    unreachable = select(Chat.id, Chat.unreachable).where(
        col(Chat.id).in_(chat_ids), col(Chat.unreachable).is_not(None)
    )
    for chat_id, reason in session.exec(unreachable.order_by(Chat.id)):
        yield f"Alerts escalate to chat {chat_id}, which is unreachable: {reason}"
