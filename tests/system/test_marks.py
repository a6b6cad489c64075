"""Marks of the work under way: they survive the process that died, and no other end."""

from collections.abc import Callable
from pathlib import Path

import pytest

from notifybot.system.marks import SLOT_BYTES, SLOTS, Marks

BOOT = "11111111-1111-1111-1111-111111111111"


def left_after(path: Path, work: Callable[[Marks], None], *, boot: str = BOOT) -> tuple[str, ...]:
    """Return what the next process finds after one that did this work and died."""
    marks = Marks(path, BOOT)
    marks.begin()
    work(marks)
    died = path.read_bytes()
    marks.close()
    path.write_bytes(died)
    following = Marks(path, boot)
    left = following.left
    following.close()
    return left


def nothing(_: Marks) -> None:
    return


def one(marks: Marks) -> None:
    marks.set("text a")


def two(marks: Marks) -> None:
    one(marks)
    marks.set("job close")


def one_done(marks: Marks) -> None:
    first = marks.set("text a")
    marks.set("job close")
    marks.clear(first)


def all_done(marks: Marks) -> None:
    marks.clear(marks.set("text a"))


def same_twice(marks: Marks) -> None:
    first = marks.set("text a")
    one(marks)
    marks.clear(first)


def too_long(marks: Marks) -> None:
    assert marks.set("x" * (SLOT_BYTES + 1)) is None


def reused(marks: Marks) -> None:
    for number in range(3 * SLOTS):
        marks.clear(marks.set(f"text {number}"))
    one(marks)


@pytest.mark.parametrize(
    ("work", "left"),
    [
        (nothing, ()),
        (one, ("text a",)),
        (two, ("text a", "job close")),
        (one_done, ("job close",)),
        (all_done, ()),
        (same_twice, ("text a",)),
        (too_long, ()),
        (reused, ("text a",)),
    ],
)
def test_the_next_process_reads_what_the_last_one_was_doing(
    tmp_path: Path, work: Callable[[Marks], None], left: tuple[str, ...]
) -> None:
    assert sorted(left_after(tmp_path / "m", work)) == sorted(left)


def test_work_beyond_the_slots_is_done_without_a_mark(tmp_path: Path) -> None:
    marks = Marks(tmp_path / "m", BOOT)
    marks.begin()
    slots = [marks.set(f"text {number}") for number in range(SLOTS + 1)]
    assert slots[-1] is None
    assert None not in slots[:-1]
    marks.clear(slots[-1])
    marks.clear(slots[0])
    assert marks.set("text again") == slots[0]
    marks.close()


def test_a_death_with_the_whole_machine_blames_nothing(tmp_path: Path) -> None:
    assert left_after(tmp_path / "m", one, boot="22222222-2222-2222-2222-222222222222") == ()


def test_a_clean_stop_leaves_no_mark_even_of_work_that_goes_on(tmp_path: Path) -> None:
    marks = Marks(tmp_path / "m", BOOT)
    marks.begin()
    one(marks)
    marks.close()
    following = Marks(tmp_path / "m", BOOT)
    assert following.left == ()
    following.close()


def test_a_process_that_dies_before_it_begins_leaves_the_marks_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "m"
    left_after(path, one)
    for _ in range(2):
        marks = Marks(path, BOOT)
        assert marks.left == ("text a",)
        marks.close()


def test_a_second_daemon_does_without_marks_and_leaves_those_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "m"
    first = Marks(path, BOOT)
    first.begin()
    one(first)
    before = path.read_bytes()
    second = Marks(path, BOOT)
    second.begin()
    assert second.left == ()
    assert second.set("text b") is None
    second.close()
    assert path.read_bytes() == before
    first.close()


@pytest.mark.parametrize("content", [b"", b"\xff" * 500, b"x", bytes(10_000)])
def test_a_file_of_anything_else_blames_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m").write_bytes(content)
    marks = Marks(tmp_path / "m", BOOT)
    assert marks.left == ()
    marks.close()


def test_without_its_folder_work_goes_on_unmarked(tmp_path: Path) -> None:
    marks = Marks(tmp_path / "absent" / "m", BOOT)
    marks.begin()
    assert marks.set("text a") is None
    marks.close()
