"""Plots, tables, texts and pictures: what they take, and what is made of them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail import BaseStepContext, RuntimeContext
from handrail.attachments import (
    Attachable,
    Markdown,
    Picture,
    Plot,
    Table,
    attachment_from,
)
from handrail.errors import AttachmentError

PNG = b"\x89PNG\r\n\x1a\n" + b"rest"
SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>'
PICTURES = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0rest",
    "image/webp": b"RIFF\x04\0\0\0WEBPVP8 ",
    "image/svg+xml": SVG,
}

FINITE = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
Y = FINITE | st.none()
TEXT = st.text(max_size=20)
PLOTS = st.builds(
    Plot,
    st.sampled_from(["line", "scatter"]),
    st.dictionaries(TEXT, st.lists(st.tuples(FINITE, Y), max_size=5), max_size=3),
    x=TEXT,
    y=TEXT,
    title=TEXT,
    log_x=st.booleans(),
    log_y=st.booleans(),
) | st.builds(
    Plot,
    st.sampled_from(["bar", "heatmap"]),
    st.dictionaries(TEXT, st.lists(st.tuples(TEXT, Y), max_size=5), max_size=3),
)
CELLS = st.none() | TEXT | FINITE | st.booleans()
TABLES = st.integers(0, 4).flatmap(
    lambda width: st.builds(
        Table,
        st.lists(TEXT, min_size=width, max_size=width),
        st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=5),
        st.none() | st.integers(0, 10**6),
    )
)
ATTACHMENTS: Any = (
    PLOTS
    | TABLES
    | st.builds(Markdown, st.text())
    | st.builds(Picture, st.sampled_from(list(PICTURES.values())), alt=TEXT)
)


@given(ATTACHMENTS)
def test_an_attachment_comes_back_from_its_json(value: Attachable) -> None:
    text = json.dumps(value.to_dict(), allow_nan=False)
    assert attachment_from(json.loads(text)) == value


@pytest.mark.parametrize("values", [{}, {"type": "film", "length": 3}])
def test_a_kind_of_others_is_left_to_them(values: dict[str, Any]) -> None:
    assert attachment_from(values) is None


@pytest.mark.parametrize(
    "values", [{"type": []}, {"type": "plot"}, {"type": "table", "x": 1}, {"type": "picture"}]
)
def test_other_json_is_no_attachment(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no attachment"):
        attachment_from(values)


def test_points_are_numbers_pairs_or_a_mapping() -> None:
    """Numbers get an x of 0, 1, 2 and so on."""
    plot = Plot("line", {"a": [3, 4.5], "b": [(1, 2), (10, 3)], "c": {0.5: 1}})
    assert plot.series == {
        "a": ((0, 3), (1, 4.5)),
        "b": ((1, 2), (10, 3)),
        "c": ((0.5, 1),),
    }
    bars = Plot("bar", {"gain": {"age": 0.7, "height": 0.3}})
    assert bars.series == {"gain": (("age", 0.7), ("height", 0.3))}


def test_what_is_not_finite_is_a_gap() -> None:
    plot = Plot("line", {"loss": [1.0, math.nan, math.inf, None, 2.0]})
    assert [y for _, y in plot.series["loss"]] == [1.0, None, None, None, 2.0]
    assert Table(("a",), [[math.nan]]).rows == ((None,),)


class Scalar:
    """A number as other libraries have them."""

    def __float__(self) -> float:
        return 0.5


def test_numbers_of_other_libraries_are_taken() -> None:
    assert Plot("line", {"loss": [Scalar()]}).series == {"loss": ((0, 0.5),)}
    assert Table(("a",), [[Scalar()]]).rows == ((0.5,),)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Plot("pie", {}), "line, scatter, bar, heatmap; not 'pie'"),  # type: ignore[arg-type]
        (lambda: Plot("line", [1, 2]), "a mapping by name, not list"),  # type: ignore[arg-type]
        (lambda: Plot("line", {"a": "12"}), "'a' of a plot has points, and is str"),
        (lambda: Plot("line", {"a": ["1"]}), "a y of the series 'a' of a plot is a number or None"),
        (lambda: Plot("line", {"a": [("x", 1)]}), "an x of the series 'a' of a plot is a number"),
        (lambda: Plot("line", {"a": [(math.nan, 1)]}), "no finite number"),
        (lambda: Plot("line", {}, title=3), "the title of a plot is text, not int"),  # type: ignore[arg-type]
        (lambda: Table(("a", "b"), [[1, 2], [3]]), "row 2 of a table has 1 cells for its 2"),
        (lambda: Markdown(3), "the text of Markdown is text, not int"),  # type: ignore[arg-type]
        (lambda: Picture("x"), "the bytes of its file, not str"),  # type: ignore[arg-type]
        (lambda: Picture(b"GIF89a"), "a PNG, JPEG, WebP or SVG; this is none of them"),
        (lambda: Picture(b"<html><svg/></html>"), "this is none of them"),
        (lambda: Picture(PNG, "image/jpeg"), "the picture is image/png, not image/jpeg"),
    ],
)
def test_a_wrong_value_has_one_clear_message(make: Any, message: str) -> None:
    with pytest.raises(AttachmentError, match=message):
        make()


@pytest.mark.parametrize("media_type", PICTURES)
def test_the_type_of_a_picture_is_that_of_its_content(media_type: str) -> None:
    assert Picture(PICTURES[media_type]).media_type == media_type


def test_of_a_long_table_the_first_rows_are_kept_and_their_number_is_told() -> None:
    """Also of one that has wide rows, or comes from a generator."""
    table = Table(("n",), ([n] for n in range(5_000)))
    assert (len(table.rows), table.rows[-1], table.total) == (1_000, (999,), 5_000)
    wide = Table(("a", "b"), [["x" * 400, n] for n in range(900)])
    assert len(json.dumps(wide.to_dict())) <= 65_000
    assert 100 < len(wide.rows) < 200
    assert wide.total == 900


class Sound:
    """A thing of a pack."""

    def to_dict(self) -> dict[str, Any]:
        return {"type": "acme-sound", "samples": [1, 2]}


def test_attach_takes_nothing_else() -> None:
    """Also outside a run, so that a unit test finds it; what is right does nothing there."""
    context = BaseStepContext(RuntimeContext())
    with pytest.raises(AttachmentError, match="dict has no to_dict"):
        context.attach("rows", {"a": 1})  # type: ignore[arg-type]
    with pytest.raises(AttachmentError, match="a JSON form with a 'type'"):
        context.attach("rows", type("Kindless", (Sound,), {"to_dict": lambda _: {}})())
    with pytest.raises(AttachmentError, match="a text of 1 to 100 characters"):
        context.attach("", Markdown("x"))
    context.attach("notes", Markdown("x"))
    context.attach("alarm", Sound())
