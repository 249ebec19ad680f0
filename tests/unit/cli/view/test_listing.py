"""A result is one value with two views, and only the view that is asked for is made."""

from __future__ import annotations

from handrail.builtin.cli.view.table import Listing


def style(text, *styles):
    """Return text between marks that name its styles."""
    return f"<{' '.join(styles)}>{text}</>"


def unwanted():
    raise AssertionError("the other view was made")


def test_the_lines_stand_in_their_order():
    """The title is above the table, and the foot below it."""
    listing = Listing(
        json=unwanted, title=["top"], head=("A", "B"), rows=[("1", "2")], foot=["end"]
    )
    assert list(listing.lines(style)) == ["top", "A  B", "1  2", "end"]


def test_the_json_is_made_without_the_rows():
    """Rows may read files, which a program that wants JSON does not pay for."""
    rows = (unwanted() for _ in range(1))
    assert Listing(json=lambda: {"a": 1}, head=("A",), rows=rows).to_dict() == {"a": 1}


def test_a_whole_row_has_a_style_or_none():
    """Each row has its own style; an empty one leaves it plain."""
    listing = Listing(
        json=unwanted, head=("A", "B"), rows=[("1", "2"), ("3", "4")], styles=["red", ""]
    )
    assert list(listing.lines(style)) == ["A  B", "<red>1  2</>", "3  4"]


def test_one_column_has_a_style():
    """Where `styled` names a column, the others stay plain, and columns line up all the same."""
    listing = Listing(
        json=unwanted,
        head=("A", "STATE", "C"),
        rows=[("1", "done", "x")],
        dims_head=True,
        styles=["green"],
        styled=1,
    )
    assert list(listing.lines(style)) == ["<dim>A  STATE  C</>", "1  <green>done</>   x"]
