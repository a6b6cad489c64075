"""Layout: text, footer and files become parts that Telegram accepts, in the expected order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifybot.model.enums import MediaKind
from notifybot.rendering.layout import FULL_TEXT_BELOW, Content, Footer, lay_out
from notifybot.rendering.parts import Entity, FileId, Media, Part, PostButton, Written
from notifybot.rendering.split import utf16_len

BUTTONS = ((PostButton("Acknowledge", callback_data="ack"),),)
NO_FOOT = Footer("", ())
ASKING = Footer("", BUTTONS, room=160)


def photo(number: int = 1) -> Media:
    return Media(MediaKind.PHOTO, f"{number}.png", FileId(f"photo{number}"), number)


def document(number: int = 1) -> Media:
    return Media(MediaKind.DOCUMENT, f"{number}.pdf", FileId(f"document{number}"), number)


def parts(text: str, *media: Media, foot: Footer = NO_FOOT, most: int = 5) -> tuple[Part, ...]:
    return lay_out(Content(text, (), media), foot, max_parts=most)


def shape(found: tuple[Part, ...]) -> list[tuple[int, bool, bool]]:
    """Return for each part: the number of files, has text, has buttons."""
    return [(len(part.media), bool(part.text), bool(part.buttons)) for part in found]


@pytest.mark.parametrize("file", [photo(), document()])
def test_one_file_carries_the_text_as_its_caption_and_the_buttons(file: Media) -> None:
    assert parts("disk", file, foot=ASKING) == (Part("disk", buttons=BUTTONS, media=(file,)),)


def test_a_file_needs_no_text() -> None:
    assert parts("", photo()) == (Part("", media=(photo(),)),)


def test_a_caption_that_is_too_long_continues_below_with_the_button_at_the_end() -> None:
    found = parts("word " * 600, photo(), foot=ASKING)
    assert shape(found) == [(1, True, False), (0, True, True)]
    assert utf16_len(found[0].text) <= 1024


def test_an_alerts_caption_leaves_room_for_later_status_lines() -> None:
    assert len(parts("x " * 460, photo(), foot=Footer("", BUTTONS, room=160))) == 2
    assert len(parts("x " * 430, photo(), foot=Footer("", BUTTONS, room=160))) == 1


def test_several_pictures_are_an_album_above_the_text_which_has_the_button() -> None:
    found = parts("three disks", photo(1), photo(2), photo(3), foot=ASKING)
    assert shape(found) == [(3, False, False), (0, True, True)]


def test_a_short_text_without_a_button_is_the_caption_of_an_album() -> None:
    assert shape(parts("three disks", photo(1), photo(2))) == [(2, True, False)]
    assert shape(parts("three disks " * 200, photo(1), photo(2))) == [(2, False, False), (0, True, False)]


@pytest.mark.parametrize(("count", "albums"), [(2, [2]), (10, [10]), (11, [10, 1]), (20, [10, 10])])
def test_an_album_has_at_most_ten(count: int, albums: list[int]) -> None:
    found = parts("", *map(photo, range(count)))
    assert [len(part.media) for part in found] == albums


def test_documents_stand_below_the_text_and_apart_from_pictures() -> None:
    found = parts("report", photo(1), document(2), photo(3), document(4), foot=ASKING)
    assert shape(found) == [(2, False, False), (0, True, True), (2, False, False)]
    assert {file.kind for file in found[0].media} == {MediaKind.PHOTO}
    assert {file.kind for file in found[2].media} == {MediaKind.DOCUMENT}


def test_with_text_first_a_single_file_goes_below_the_text() -> None:
    found = lay_out(Content("report", (), (document(1),), text_first=True), ASKING, max_parts=5)
    assert shape(found) == [(0, True, True), (1, False, False)]


def test_a_text_of_too_many_parts_goes_as_a_file_below_its_beginning() -> None:
    text = "".join(f"line {number}\n" for number in range(4000))
    first, file = parts(text, foot=ASKING)
    assert utf16_len(first.text) <= 4096
    assert text.startswith(first.text.removesuffix(FULL_TEXT_BELOW).rstrip())
    assert first.text.endswith(FULL_TEXT_BELOW)
    assert first.buttons == BUTTONS
    assert not file.buttons
    assert not file.text
    assert [media.source for media in file.media] == [Written(text.encode())]


def test_a_photo_with_such_a_text_goes_above_its_beginning() -> None:
    found = parts("word " * 9000, photo(), foot=ASKING)
    assert shape(found) == [(1, False, False), (0, True, True), (1, False, False)]


def test_the_status_is_in_italics_in_the_part_with_the_buttons() -> None:
    (part,) = parts("disk", photo(), foot=Footer("Late.", BUTTONS))
    assert (part.text, part.entities) == ("disk\n\nLate.", (Entity("italic", 6, 5),))


texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=3000) | st.builds(
    lambda piece, times: piece * times, st.text(min_size=1, max_size=20), st.integers(1, 2000)
)


@given(
    text=texts,
    media=st.lists(st.sampled_from([photo(), document()]), max_size=25),
    status=st.sampled_from(["", "✅ Acknowledged by Anna at 14:02 UTC."]),
    is_asking=st.booleans(),
)
def test_telegram_accepts_every_part_and_the_footer_appears_once(
    text: str, media: list[Media], status: str, is_asking: bool
) -> None:
    foot = Footer(status, BUTTONS if is_asking else (), room=160 if is_asking else 0)
    found = parts(text, *media, foot=foot)
    assert sum(bool(part.buttons) for part in found) == is_asking
    assert sum(part.text.endswith(status) for part in found if status) == bool(status)
    assert [file for part in found for file in part.media if file.attachment_id] == sorted(
        media, key=lambda file: file.kind is MediaKind.DOCUMENT
    )
    for part in found:
        assert utf16_len(part.text) <= (1024 if part.media else 4096)
        assert len(part.media) <= 10
        assert not (len(part.media) > 1 and part.buttons)
        assert len({file.kind for file in part.media}) <= 1
        assert len(part.entities) <= 100


@pytest.mark.parametrize("count", [100, 490, 700])
def test_no_link_is_lost_however_many_there_are(count: int) -> None:
    urls = [f"https://example.org/{number}" for number in range(count)]
    text = "".join(f"run {number:04}\n" for number in range(count))
    links = tuple(Entity("text_link", 9 * number, 8, url) for number, url in enumerate(urls))

    found = lay_out(Content(text, links, ()), Footer("", ()), max_parts=5)

    shown = {entity.url for part in found for entity in part.entities}
    files = [file.source.content.decode() for part in found for file in part.media if isinstance(file.source, Written)]
    assert shown == set(urls) or all(url in files[0] for url in urls)
    assert not files or "run 0003 (https://example.org/3)\n" in files[0]
