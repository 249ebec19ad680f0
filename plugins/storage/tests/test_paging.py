"""Items are taken in pages, and several errors are one."""

from __future__ import annotations

from handrail_storage import StorageError, first_of, pages


def test_several_errors_are_one() -> None:
    one, two = StorageError("a", ways_out=("do it",)), StorageError("b")
    assert first_of([]) is None
    assert first_of([one]) is one
    found = first_of([one, two, two])
    assert (str(found), found and found.ways_out) == ("a, and 2 more", ("do it",))


def test_pages_have_the_size_that_is_asked_for() -> None:
    assert list(pages(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(pages([], 2)) == []
