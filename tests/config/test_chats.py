"""Chats that are not written like chats: what the refusal says to write."""

import re
from pathlib import Path

import pytest

from notifybot.config import load
from notifybot.config.chats import GENERAL, meant_chat, parse_chat
from notifybot.config.problems import ConfigInvalid
from notifybot.config.types import RECIPIENT

LOST = "this id has lost digits"
NO_CHAT = "names no chat"
TOPIC = "{chat: -1001234567890, thread: 42}"


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("-1.0e12", LOST),
        ("-1E+12", LOST),
        ("-1000000000000.0", LOST),
        ("-1.00123456789e+12", "write this chat as -1001234567890"),
        ("-1001234567890.0", "write this chat as -1001234567890"),
        ("-1001234567890.", "write this chat as -1001234567890"),
        ("-1001234567890.0:42", "write this chat as -1001234567890:42"),
        ("-1_001_234_567_890", "write this chat as -1001234567890"),
        ("-1,001,234,567,890", "write this chat as -1001234567890"),
        ("-1.001.234.567.890", "write this chat as -1001234567890"),
        ("\u22121001234567890", "write this chat as -1001234567890"),
        ("\u20131001234567890", "write this chat as -1001234567890"),
        ("\uff0d\uff11\uff12\uff13\uff14\uff15", "write this chat as -12345"),
        (" -1001234567890 ", "write this chat as -1001234567890"),
        ("-100 1234 567890", "write this chat as -1001234567890"),
        ("-1001234567890\u200b", "write this chat as -1001234567890"),
        ("-1001234567890/42", "write this chat as -1001234567890:42"),
        ("-1001234567890_42", "write this chat as -1001234567890:42"),
        ("-1001234567890#42", "write this chat as -1001234567890:42"),
        ("t.me/status", "write @status"),
        ("https://t.me/status", "write @status"),
        ("http://telegram.me/s/status?before=5", "write @status"),
        ("https://t.me/status/42", "write @status, or @status:42 if 42 is a topic"),
        ("https://t.me/c/1234567890/42", "write -1001234567890, or -1001234567890:42 if 42 is a topic"),
        ("https://t.me/c/1234567890/42/99", "write -1001234567890:42"),
        ("https://t.me/+AbCdEf", NO_CHAT),
        ("https://t.me/joinchat/AbCdEf", NO_CHAT),
        ("tg://resolve?domain=status", "write @status"),
        ("https://web.telegram.org/a/#-1001234567890", "write this chat as -1001234567890"),
        ("https://web.telegram.org/a/#-1001234567890_42", "write this chat as -1001234567890:42"),
        ("https://web.telegram.org/k/#@status", "write this chat as @status"),
        ("+491701234567", "a phone number names no chat"),
        ("1.5", GENERAL),
        ("0.0", GENERAL),
    ],
)
def test_the_refusal_says_what_to_write(written: str, advice: str) -> None:
    for parse in (parse_chat, RECIPIENT.parse):
        with pytest.raises(ValueError, match=re.escape(advice)):
            parse(written)


@pytest.mark.parametrize(
    "name", ["alice", "alice@example.org", "ops-2", "2nd-line", "db1", "a.b", "uid:1234", "-", "x/1"]
)
def test_other_names_are_left_alone(name: str) -> None:
    assert meant_chat(name) is None
    assert RECIPIENT.parse(name) == name


@pytest.mark.parametrize(
    "text",
    [
        f"recipients: {{a: [{TOPIC}]}}",
        f"admins: [{TOPIC}]",
        f"alerts: {{escalation_channel: {TOPIC}}}",
        f"alerts: {{policies: {{p: {{steps: [{{after: 5m, to: [{TOPIC}]}}]}}}}}}",
        f"summary: {{to: [{TOPIC}]}}",
        f"socket: {{allow: [{TOPIC}]}}",
        f"rotations: {{r: {{members: [a], start: 2026-01-05, otherwise: [{TOPIC}]}}}}",
        f"inbound: {{i: {{format: json, to: [{TOPIC}]}}}}",
    ],
)
def test_a_topic_may_be_a_section(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    assert "'-1001234567890:42'" in repr(load(tmp_path / "config.yaml", {}))


@pytest.mark.parametrize(
    ("topic", "problem"),
    [
        ("{chat: -100123}", "thread: this key is required"),
        ("{thread: 42}", "chat: this key is required"),
        ("{chat: alice, thread: 42}", "a chat is a numeric id"),
        ("{chat: '-100123:4', thread: 42}", "the topic is given twice"),
        ("{chat: -100123, thread: 0}", "it must be a whole number from 1"),
        ("{chat: -100123, topic: 4, thread: 42}", "unknown key"),
        ("-1.0e12", LOST),
        ("t.me/status", "write @status"),
    ],
)
def test_a_broken_one_is_refused(tmp_path: Path, topic: str, problem: str) -> None:
    (tmp_path / "config.yaml").write_text(f"admins: [{topic}]")
    with pytest.raises(ConfigInvalid, match=problem):
        load(tmp_path / "config.yaml", {})
