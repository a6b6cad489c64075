"""Rendering: headline, unchanged text, status lines, buttons, and the next call."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifybot.model.enums import AsText, MediaKind
from notifybot.model.states import State
from notifybot.rendering import render as rendering_render
from notifybot.rendering.parts import Appearance, Delete, Edit, Entity, Fetch, FileId, Media, Part, PostButton, Send
from notifybot.rendering.render import NextCall, TextTurn
from notifybot.rendering.split import utf16_len
from notifybot.rendering.views import MessageView, PostView, ShownPart
from notifybot.times.display import clock_time

NOW = datetime(2026, 3, 1, 14, 2, 30, tzinfo=UTC)
ID = "01890a5d-ac96-774b-bcce-b302099a8057"
ALERT = MessageView(
    id=ID,
    state=State.SENT,
    is_alert=True,
    is_escalation=False,
    title=None,
    content="disk full on db1",
    source="backup",
    account="backup",
    created_at=NOW,
    shown_at=NOW,
    escalated_at=None,
    acknowledged_at=None,
    acknowledged_by=None,
    closed_at=None,
)
PHOTO = Media(MediaKind.PHOTO, "disk.png", FileId("x"), 1)
NOTICE = replace(ALERT, is_alert=False)
ANSWERED = replace(
    ALERT,
    state=State.CLOSED,
    acknowledged_at=NOW + timedelta(minutes=3),
    acknowledged_by="Anna (@anna)",
    closed_at=NOW + timedelta(minutes=3),
)
EXPIRED = replace(ALERT, state=State.CLOSED, closed_at=NOW + timedelta(hours=1))
ESCALATED = replace(ALERT, state=State.ESCALATED, escalated_at=NOW + timedelta(minutes=15))
TOLD = replace(ALERT, state=State.ESCALATED, is_escalation=True, escalated_at=NOW, shown_at=NOW)
"""The alert as shown in the escalation chat."""
RESTING = replace(ANSWERED, state=State.ACKNOWLEDGED, closed_at=None)


looks = st.builds(
    Appearance,
    type=st.sampled_from(["text", "image", "document"]),
    parse_mode=st.sampled_from([None, "HTML", "CommonMark"]),
    priority=st.sampled_from(["low", "normal", "high", "critical"]),
    silent=st.booleans(),
    thread_id=st.none() | st.integers(1, 10**6),
    link_preview=st.booleans(),
    buttons=st.lists(st.builds(PostButton, st.text(min_size=1), url=st.none() | st.text()), max_size=4).map(tuple),
)


def post(message: MessageView | None, *, shown: tuple[ShownPart, ...] = (), reply: Part | None = None) -> PostView:
    return PostView(ID, "-1001", 3, False, None, shown, reply, message)


def standing(*parts: Part) -> tuple[ShownPart, ...]:
    """Return these parts as posted in a chat, starting at message 7."""
    numbers = count(7)
    return tuple(ShownPart(tuple(next(numbers) for _ in range(len(part.media) or 1)), part.digest) for part in parts)


def render(view: PostView) -> tuple[Part, ...]:
    return rendering_render.render(view, max_parts=5)


def next_call(view: PostView) -> NextCall:
    return rendering_render.next_call(view, max_parts=5)


def text_of(message: MessageView) -> str:
    (part,) = render(post(message))
    return part.text


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (ALERT, "disk full on db1"),
        (replace(ALERT, title="Disk"), "Disk\ndisk full on db1"),
        (NOTICE, "disk full on db1"),
        (replace(NOTICE, title="Disk"), "Disk\ndisk full on db1"),
        (ANSWERED, "disk full on db1\n\n✅ Acknowledged by Anna (@anna) at 14:05 UTC."),
        (EXPIRED, "disk full on db1\n\n⚪ Closed at 15:02 UTC; nobody acknowledged it."),
        (replace(ALERT, state=State.CANCELLED), "disk full on db1\n\n⚪ Cancelled."),
        (ESCALATED, "disk full on db1\n\n⏫ Escalated at 14:17 UTC."),
        (TOLD, "⏫ Escalated\ndisk full on db1"),
        (replace(TOLD, title="Disk"), "⏫ Escalated: Disk\ndisk full on db1"),
        (
            replace(TOLD, escalated_at=NOW + timedelta(minutes=5)),
            "⏫ Escalated\ndisk full on db1\n\n⏫ Escalated again at 14:07 UTC.",
        ),
        (
            replace(TOLD, escalated_at=NOW + timedelta(minutes=15), shown_at=NOW + timedelta(minutes=15, seconds=1)),
            "⏫ Escalated\ndisk full on db1\n\n🕓 Started at 14:02 UTC.",
        ),
        (
            replace(TOLD, escalated_at=NOW + timedelta(minutes=15), shown_at=NOW + timedelta(minutes=20)),
            "⏫ Escalated\ndisk full on db1\n\n🕓 Late: sent at 14:02 UTC.",
        ),
        (replace(ALERT, is_reminder=True), "🔔 Still open\ndisk full on db1"),
        (replace(TOLD, is_reminder=True), "🔔 Still open\ndisk full on db1"),
        (
            replace(ALERT, is_reminder=True, shown_at=NOW + timedelta(hours=1)),
            "🔔 Still open\ndisk full on db1\n\n🕓 Started at 14:02 UTC.",
        ),
        (RESTING, "disk full on db1\n\n✅ Acknowledged by Anna (@anna) at 14:05 UTC."),
        (
            replace(RESTING, is_reminder=True, title="Disk"),
            "🔔 Acknowledged by Anna (@anna), still not closed: Disk\ndisk full on db1\n\n"
            "✅ Acknowledged by Anna (@anna) at 14:05 UTC.",
        ),
        (
            replace(ANSWERED, is_reminder=True, closed_at=NOW + timedelta(minutes=9)),
            "🔔 Reminder\ndisk full on db1\n\n✅ Acknowledged by Anna (@anna) at 14:05 UTC.\n⚪ Closed at 14:11 UTC.",
        ),
        (
            replace(ALERT, unacknowledged_at=NOW + timedelta(minutes=9), unacknowledged_by="Anna"),
            "disk full on db1\n\n↩️ Open again: Anna took the acknowledgement back at 14:11 UTC.",
        ),
        (
            replace(ANSWERED, unacknowledged_at=NOW + timedelta(minutes=1), unacknowledged_by="Bob"),
            "disk full on db1\n\n✅ Acknowledged by Anna (@anna) at 14:05 UTC.",
        ),
        (
            replace(ANSWERED, escalated_at=NOW + timedelta(minutes=15)),
            "disk full on db1\n\n⏫ Escalated at 14:17 UTC.\n✅ Acknowledged by Anna (@anna) at 14:05 UTC.",
        ),
        (
            replace(EXPIRED, acknowledged_at=NOW + timedelta(days=1), acknowledged_by="Bob"),
            "disk full on db1\n\n✅ Acknowledged by Bob at 2026-03-02 14:02 UTC.",
        ),
        (
            replace(ALERT, shown_at=NOW + timedelta(minutes=10)),
            "disk full on db1\n\n🕓 Late: sent at 14:02 UTC.",
        ),
        (
            replace(NOTICE, shown_at=NOW + timedelta(days=2)),
            "disk full on db1\n\n🕓 Late: sent at 2026-03-01 14:02 UTC.",
        ),
    ],
)
def test_the_text_of_a_post(message: MessageView, text: str) -> None:
    assert text_of(message) == text


@pytest.mark.parametrize(
    ("fields", "last"),
    [
        ({"source": "backup"}, None),  # the account
        ({"source": "nightly"}, "from nightly"),
        ({"source": "nightly", "host": "db2"}, "from nightly@db2"),
        ({"source": "backup", "host": "db2"}, "from db2"),
        ({"source": "nightly", "host": "db1"}, "from nightly"),
        ({"source": "disk", "host": "DB1"}, None),
        ({"source": "dis", "host": "db"}, "from dis@db"),
        ({"source": "nightly", "title": "Nightly backup"}, None),
        ({"source": "db2", "host": "db2"}, "from db2"),
        ({"source": "night\nly", "host": " db2 "}, "from night ly@db2"),
        ({"source": "x" * 128}, f"from {'x' * 59}…"),
        ({"source": "nightly", "is_alert": False}, None),
    ],
)
def test_source_and_host_of_an_alert_stand_below_where_they_add_to_its_text(
    fields: dict[str, object], last: str | None
) -> None:
    message = replace(ALERT, **fields)  # type: ignore[arg-type]
    first = f"{message.title}\ndisk full on db1" if message.title else "disk full on db1"
    assert text_of(message) == (first if last is None else f"{first}\n\n{last}")


def test_an_alert_with_files_alone_has_a_text_for_its_buttons() -> None:
    album = (PHOTO, replace(PHOTO, attachment_id=2))
    for message in (replace(ALERT, media=album), replace(ALERT, media=(PHOTO,)), replace(TOLD, media=album)):
        texts = [part.text for part in render(post(replace(message, content="")))]
        assert [text for text in texts if text] in (["Alert"], ["⏫ Escalated"])


@pytest.mark.parametrize(("late", "is_marked"), [(0, False), (119, False), (120, True), (86_400, True)])
def test_a_message_is_marked_late_from_two_minutes_on(late: int, is_marked: bool) -> None:
    assert ("Late" in text_of(replace(ALERT, shown_at=NOW + timedelta(seconds=late)))) == is_marked


@pytest.mark.parametrize("state", State)
def test_only_an_open_alert_can_be_acknowledged(state: State) -> None:
    is_open = state in ("initiated", "sent", "escalated", "failed")
    labels = [button.text for row in render(post(replace(ALERT, state=state)))[0].buttons for button in row]
    assert labels == (["Acknowledge"] if is_open else ["Close", "Take back"] if state == "acknowledged" else [])
    assert not render(post(replace(NOTICE, state=state)))[0].buttons


def test_an_acknowledged_alert_keeps_the_buttons_of_its_caller() -> None:
    own = PostButton("Graph", url="https://example.org/g")
    rows = render(post(replace(RESTING, look=Appearance(buttons=(own,)))))[0].buttons
    assert [[button.text for button in row] for row in rows] == [["Close", "Take back"], ["Graph"]]


def test_an_acknowledged_alert_has_no_acknowledge_button() -> None:
    assert not render(post(replace(ALERT, acknowledged_at=NOW, acknowledged_by="Anna")))[0].buttons


MARKUP = "<b>&amp; *bold* _it_ `code` [x](y) \\ ~s~ ||p|| {{ }} %s </b>\n#tag @name /start https://x.y?a=b&c"


def test_nothing_in_a_text_is_escaped_or_taken_for_markup() -> None:
    (part,) = render(post(replace(NOTICE, content=MARKUP)))
    assert part == Part(MARKUP)


@pytest.mark.parametrize("title", [MARKUP, "😀 é"])
def test_the_headline_is_bold(title: str) -> None:
    (part,) = render(post(replace(ALERT, title=title, content=MARKUP)))
    assert part.text == f"{title}\n{MARKUP}"
    assert [(entity.type, entity.offset, entity.length) for entity in part.entities] == [("bold", 0, utf16_len(title))]


def test_the_status_is_italic() -> None:
    (part,) = render(post(replace(EXPIRED, content="😀 disk")))
    (status,) = part.entities
    raw = part.text.encode("utf-16-le")
    said = raw[status.offset * 2 : (status.offset + status.length) * 2].decode("utf-16-le")
    assert status.type == "italic"
    assert said == "⚪ Closed at 15:02 UTC; nobody acknowledged it."


def test_only_the_last_part_of_a_long_post_has_status_and_button() -> None:
    parts = render(post(replace(ESCALATED, content="word " * 2500)))
    assert len(parts) > 2
    assert [bool(part.buttons) for part in parts] == [False] * (len(parts) - 1) + [True]
    assert ["Escalated at" in part.text for part in parts] == [False] * (len(parts) - 1) + [True]
    assert all(utf16_len(part.text) <= 4096 for part in parts)


def test_a_reply_is_shown_as_it_is() -> None:
    reply = Part("Use /start to link your account.")
    assert render(post(None, reply=reply)) == (reply,)


def test_parts_go_out_one_by_one_and_then_only_what_changed_is_edited() -> None:
    long = replace(ALERT, content="word " * 1200)
    first, last = render(post(long))
    assert next_call(post(long)) == NextCall(Send("-1001", first), 0, first.digest, is_last=False, text=TextTurn.LATER)
    half = post(long, shown=standing(first))
    assert next_call(half) == NextCall(Send("-1001", last), 1, last.digest, is_last=True, text=TextTurn.NOW)
    whole = standing(first, last)
    assert next_call(post(long, shown=whole)) == NextCall(None, 2, "", is_last=True)
    answered = replace(long, acknowledged_at=NOW, acknowledged_by="Anna")
    changed = render(post(answered))[-1]
    assert next_call(post(answered, shown=whole)).call == Edit("-1001", 8, changed)


PHOTOS = tuple(Media(MediaKind.PHOTO, f"{number}.png", FileId("x"), number) for number in (1, 2, 3))
LOG = Media(MediaKind.DOCUMENT, "build.log", FileId("y"), 4)
ALBUM = Part("", media=PHOTOS[:2])


@pytest.mark.parametrize(
    ("message", "media", "shown", "parts"),
    [
        (ALERT, PHOTOS[:1], (), [(), (1,)]),
        (ALERT, PHOTOS, (), [(), (1,), (2,), (3,)]),
        (ALERT, (LOG, PHOTOS[0]), (), [(), (1,), (4,)]),
        (replace(ALERT, content="word " * 300), PHOTOS[:1], (), [(), (1,)]),
        (replace(ALERT, content="word " * 1200), PHOTOS[:1], (), [(), (), (1,)]),
        (replace(ALERT, content="word " * 9000), PHOTOS[:1], (), [(), (None,), (1,)]),
        (ALERT, PHOTOS, (ALBUM,), [(), (1, 2), (3,)]),
        (NOTICE, PHOTOS[:1], (), [(), (1,)]),
        (replace(NOTICE, content=""), PHOTOS[:2], (), [(1,), (2,)]),
        (ALERT, PHOTOS[:1], (Part("disk", media=PHOTOS[:1]),), [(1,)]),
    ],
)
def test_where_files_follow_each_goes_alone_below_the_text_and_what_is_shown_stays(
    message: MessageView, media: tuple[Media, ...], shown: tuple[Part, ...], parts: list[tuple[int, ...]]
) -> None:
    view = replace(post(replace(message, media=media), shown=standing(*shown)), files_follow=True)

    assert [tuple(file.attachment_id for file in part.media) for part in render(view)] == parts


FETCH = Fetch(9, "https://example.org/a.png", MediaKind.PHOTO, "a.png")
FOLLOWED = Part("disk full on db1", (), render(post(ALERT))[0].buttons)


@pytest.mark.parametrize(
    ("message", "follow", "shown", "turn", "waits", "silent"),
    [
        (replace(ALERT, media=PHOTOS[:1]), False, (), TextTurn.NOW, True, False),
        (replace(ALERT, media=PHOTOS), False, (), TextTurn.LATER, True, False),
        (replace(ALERT, media=(LOG, LOG)), False, (FOLLOWED,), TextTurn.BEFORE, False, False),
        (replace(ALERT, media=PHOTOS[:1]), True, (), TextTurn.NOW, False, False),
        (replace(ALERT, media=PHOTOS[:1]), True, (FOLLOWED,), TextTurn.BEFORE, False, True),
        (replace(NOTICE, content="", media=PHOTOS[:1]), False, (), TextTurn.NONE, False, False),
        (replace(NOTICE, content="", media=PHOTOS[:1]), True, (), TextTurn.NONE, False, False),
        (ALERT, False, (), TextTurn.NOW, False, False),
    ],
)
def test_a_call_tells_whether_its_upload_keeps_the_text_waiting(
    message: MessageView, follow: bool, shown: tuple[Part, ...], turn: TextTurn, waits: bool, silent: bool
) -> None:
    coming = next_call(replace(post(message, shown=standing(*shown)), files_follow=follow))

    assert isinstance(coming.call, Send)
    assert (coming.text, coming.call.text_waits, coming.call.silent) == (turn, waits, silent)


@pytest.mark.parametrize(
    ("follow", "shown", "kind", "turn"),
    [
        (False, (), Fetch, TextTurn.LATER),
        (False, (FOLLOWED,), Fetch, TextTurn.BEFORE),
        (True, (), Send, TextTurn.NOW),
        (True, (FOLLOWED,), Fetch, TextTurn.BEFORE),
    ],
)
def test_a_text_that_files_follow_does_not_wait_for_a_fetch(
    follow: bool, shown: tuple[Part, ...], kind: type, turn: TextTurn
) -> None:
    view = replace(post(replace(ALERT, to_fetch=(FETCH,)), shown=standing(*shown)), files_follow=follow)

    coming = next_call(view)

    assert (type(coming.call), coming.text, coming.is_last) == (kind, turn, False)


def test_a_text_that_became_shorter_loses_its_last_parts() -> None:
    long, short = replace(NOTICE, content="word " * 2400), replace(NOTICE, content="over")
    there = standing(*render(post(long)))
    assert next_call(post(short, shown=there)).call == Edit("-1001", 7, Part("over"))
    edited = (*standing(Part("over")), *there[1:])
    assert next_call(post(short, shown=edited)).call == Delete("-1001", (8,))
    assert not next_call(post(short, shown=edited)).is_last
    assert next_call(post(short, shown=edited[:2])).is_last


def test_a_file_is_never_edited_into_a_text_nor_a_text_into_another_file() -> None:
    files = tuple(replace(PHOTO, kind=MediaKind.DOCUMENT, attachment_id=number) for number in (1, 2))
    short, long = replace(NOTICE, content="short", media=files), replace(NOTICE, content="word " * 1200, media=files)
    text, documents = standing(*render(post(short)))

    first, second, _ = render(post(long))
    assert next_call(post(long, shown=(text, documents))).call == Edit("-1001", 7, first)
    (begun,) = standing(first)
    coming = next_call(post(long, shown=(begun, documents)))
    assert (coming.call, coming.place, coming.is_last) == (Send("-1001", second), 2, True)
    last = ShownPart((10,), second.digest)
    assert next_call(post(long, shown=(begun, documents, last))).call is None
    assert next_call(post(short, shown=(text, documents, last))).call == Delete("-1001", (10,))


def test_the_file_of_a_long_text_goes_when_the_text_is_short_again() -> None:
    long, short = replace(NOTICE, content="word " * 9000), replace(NOTICE, content="word " * 1200)
    first, file = standing(*render(post(long)))
    edited = ShownPart(first.message_ids, render(post(short))[0].digest)

    assert next_call(post(short, shown=(edited, file))).call == Delete("-1001", file.message_ids)
    newer = replace(long, content="line " * 9000)
    edited = ShownPart(first.message_ids, render(post(newer))[0].digest)
    assert next_call(post(newer, shown=(edited, file))).call == Edit("-1001", 8, render(post(newer))[1])


def test_a_part_known_only_from_a_press_is_edited_whatever_it_is() -> None:
    part = Part("disk", media=(PHOTO,))
    adopted = ShownPart((7,), "")
    assert next_call(post(replace(NOTICE, content="disk", media=(PHOTO,)), shown=(adopted,))).call == Edit(
        "-1001", 7, part
    )


def test_a_file_that_must_be_fetched_comes_before_anything_is_shown() -> None:
    wanted = Fetch(1, "https://example.org/disk.png", MediaKind.PHOTO, "disk.png")
    coming = next_call(post(replace(NOTICE, to_fetch=(wanted,))))
    assert (coming.call, coming.is_last) == (wanted, False)


def test_markup_is_read_below_a_bold_title() -> None:
    (part,) = render(post(replace(NOTICE, title="T😀", content="a <i>b</i>", look=Appearance(parse_mode="HTML"))))
    assert (part.text, part.entities) == ("T😀\na b", (Entity("bold", 0, 3), Entity("italic", 6, 1)))


def test_markup_that_cannot_be_read_is_shown_as_it_was_written() -> None:
    look = Appearance(parse_mode="HTML")
    (part,) = render(post(replace(NOTICE, content="a <i>b", look=look)))
    assert part == Part("a <i>b")
    assert rendering_render.markup_problem("a <i>b", "HTML", 5)
    assert rendering_render.markup_problem("a <i>b</i>", "HTML", 5) is None


def test_a_post_that_telegram_refused_is_rendered_without_formatting() -> None:
    look = Appearance(parse_mode="HTML")
    alert = replace(ALERT, content="<b>disk</b> <a href='https://x.org/'>graph</a>", look=look)
    (part,) = render(replace(post(alert), as_text=AsText.FORMATTING))
    assert (part.entities, bool(part.buttons)) == ((), True)
    assert "disk graph (https://x.org/)" in part.text


GRAPH, HOST = PostButton("Graph", url="https://x.org/"), PostButton("Host", copy="db1")
LOCAL = PostButton("Local", url="http://grafana:3000/")
GRAPH_LINE, HOST_LINE, LOCAL_LINE = "Graph: https://x.org/", "Host: db1", "Local: http://grafana:3000/"
NONE_LEFT = "Telegram refused the buttons. Send /open to acknowledge."


@pytest.mark.parametrize(
    ("message", "buttons", "as_text", "lines", "left"),
    [
        (ALERT, (GRAPH, HOST), AsText.NOTHING, [], ["Acknowledge", "Graph", "Host"]),
        (ALERT, (GRAPH, LOCAL), AsText.NOTHING, [LOCAL_LINE], ["Acknowledge", "Graph"]),
        (ALERT, (GRAPH, HOST), AsText.FORMATTING, [], ["Acknowledge", "Graph", "Host"]),
        (ALERT, (GRAPH, LOCAL), AsText.FORMATTING, [LOCAL_LINE], ["Acknowledge", "Graph"]),
        (ALERT, (GRAPH, HOST), AsText.CALLERS_BUTTONS, [GRAPH_LINE, HOST_LINE], ["Acknowledge"]),
        (ALERT, (), AsText.CALLERS_BUTTONS, [], ["Acknowledge"]),
        (ALERT, (GRAPH,), AsText.ALL_BUTTONS, [GRAPH_LINE, NONE_LEFT], []),
        (ALERT, (), AsText.CALLERS_BUTTONS | AsText.ALL_BUTTONS, [NONE_LEFT], []),
        (ANSWERED, (GRAPH,), AsText.ALL_BUTTONS, [GRAPH_LINE], []),
        (NOTICE, (GRAPH, LOCAL), AsText.NOTHING, [LOCAL_LINE], ["Graph"]),
        (NOTICE, (GRAPH,), AsText.ALL_BUTTONS, [GRAPH_LINE], []),
    ],
)
def test_refused_buttons_are_written_in_the_text(
    message: MessageView, buttons: tuple[PostButton, ...], as_text: AsText, lines: list[str], left: list[str]
) -> None:
    alert = replace(message, content="disk", look=Appearance(buttons=buttons))
    (part,) = render(replace(post(alert), as_text=as_text))
    shown = part.text.split("\n\n")
    assert [line for paragraph in shown for line in paragraph.splitlines() if line in (*lines, NONE_LEFT)] == lines
    assert part.text.count("x.org") + part.text.count("grafana") == sum("://" in line for line in lines)
    assert [button.text for row in part.buttons for button in row] == left


def test_a_reply_of_the_bot_loses_what_telegram_refused() -> None:
    reply = Part("see docs", (Entity("text_link", 4, 4, "https://x.org/"),), ((GRAPH,),))
    view = replace(post(ALERT), message=None, reply=reply)
    assert render(replace(view, as_text=AsText.FORMATTING)) == (Part("see docs (https://x.org/)", (), ((GRAPH,),)),)
    assert render(replace(view, as_text=AsText.ALL_BUTTONS)) == (replace(reply, buttons=()),)


def test_buttons_of_the_caller_stand_below_acknowledge_and_stay_when_it_goes() -> None:
    own = (
        PostButton("Graph", url="https://example.org/"),
        PostButton("Host", copy="db1"),
        PostButton("Log", copy="/var/log"),
    )
    look = Appearance(buttons=own)
    (part,) = render(post(replace(ALERT, look=look)))
    assert [len(row) for row in part.buttons] == [1, 2, 1]
    (part,) = render(post(replace(ANSWERED, look=look)))
    assert part.buttons == (own[:2], own[2:])


def test_repeats_are_counted() -> None:
    told = replace(ALERT, repeats=2, repeated_at=NOW + timedelta(minutes=5))
    assert text_of(told).endswith("\n\n🔁 3 times, last at 14:07 UTC.")


def test_an_ended_alert_shows_its_end_and_its_acknowledgement() -> None:
    over = replace(ANSWERED, resolved_at=NOW + timedelta(minutes=9))
    assert text_of(over).endswith("✅ Acknowledged by Anna (@anna) at 14:05 UTC.\n✔️ Resolved at 14:11 UTC.")


@given(looks)
def test_the_appearance_is_stored_and_read_back(look: Appearance) -> None:
    assert Appearance.of(json.loads(json.dumps(look.stored()))) == look


def test_a_time_of_another_day_has_its_date() -> None:
    assert clock_time(NOW, NOW + timedelta(hours=9)) == "14:02 UTC"
    assert clock_time(NOW, NOW + timedelta(hours=10)) == "2026-03-01 14:02 UTC"
