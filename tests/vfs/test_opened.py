"""What readers have open keeps its content."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.vfs.opened import Opened
from holdfast.vfs.tree import File

ONE, TWO = File(b"one\n", 1), File(b"two two\n", 2)


def test_a_file_keeps_the_content_that_it_was_opened_with() -> None:
    opened = Opened()
    first, _ = opened.open(b"/a", ONE, 10)
    second, _ = opened.open(b"/a", TWO, 10)
    assert (opened.file(first), opened.file(second)) == (ONE, TWO)


def test_the_same_content_is_read_through_the_kernels_copy() -> None:
    opened = Opened()
    assert not opened.open(b"/a", ONE, 10)[1]
    assert not opened.open(b"/a", File(b"one\n", 9), 11)[1]


def test_another_content_of_an_open_path_is_read_around_it() -> None:
    opened = Opened()
    opened.open(b"/a", ONE, 10)
    assert opened.open(b"/a", TWO, 11)[1]
    assert not opened.open(b"/b", TWO, 11)[1]


def test_once_the_other_is_closed_the_copy_is_free() -> None:
    opened = Opened()
    first, _ = opened.open(b"/a", ONE, 10)
    opened.open(b"/a", TWO, 11)
    opened.close(first)
    assert not opened.open(b"/a", File(b"three\n", 3), 12)[1]


def test_who_asks_sees_what_it_opened_itself_and_nobody_elses() -> None:
    opened = Opened()
    opened.open(b"/a", ONE, 10)
    last, _ = opened.open(b"/a", TWO, 10)
    assert opened.seen_by(b"/a", 10) == TWO
    assert opened.seen_by(b"/a", 11) is None
    opened.close(last)
    assert opened.seen_by(b"/a", 10) == ONE


@given(st.lists(st.tuples(st.sampled_from([b"/a", b"/b"]), st.sampled_from([ONE, TWO]), st.booleans())))
def test_no_two_contents_are_in_the_kernels_copy_and_nothing_is_left(steps: list[tuple[bytes, File, bool]]) -> None:
    opened = Opened()
    open_now: dict[int, tuple[bytes, File, bool]] = {}
    for path, file, close in steps:
        if close and open_now:
            handle = next(iter(open_now))
            del open_now[handle]
            opened.close(handle)
        else:
            handle, direct = opened.open(path, file, 10)
            open_now[handle] = (path, file, direct)
        for name in (b"/a", b"/b"):
            assert len({one.content for path, one, direct in open_now.values() if path == name and not direct}) <= 1
            assert (name in opened) == any(path == name for path, _, _ in open_now.values())
    for handle in open_now:
        opened.close(handle)
    assert len(opened) == 0
    assert b"/a" not in opened
