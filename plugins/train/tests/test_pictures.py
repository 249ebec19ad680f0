"""Pictures: well-formed, with all that there is to see, and equal for equal figures."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail_train.pictures import confusion_matrix, learning_curve

SVG = "{http://www.w3.org/2000/svg}"
FIGURES = st.floats(0, 1e6, allow_nan=False)


def texts(picture: str) -> list[str]:
    return [each.text or "" for each in ET.fromstring(picture).iter(f"{SVG}text")]


def metrics(counts: list[list[int]], labels: list[Any] | None = None) -> dict[str, Any]:
    named = labels or [f"class {number}" for number in range(len(counts))]
    return {
        "accuracy": 0.5,
        "classes": [{"label": label} for label in named],
        "confusion": counts,
    }


@settings(deadline=None)
@given(
    history=st.lists(
        st.fixed_dictionaries({"loss": FIGURES, "validation_loss": FIGURES}), min_size=1, max_size=9
    )
)
def test_a_curve_has_a_point_for_each_epoch_within_the_picture(history: list[Any]) -> None:
    picture = learning_curve(history, len(history))
    lines = list(ET.fromstring(picture).iter(f"{SVG}polyline"))
    if len(history) == 1:
        assert not lines
        return
    assert len(lines) == 2
    for line in lines:
        points = [tuple(map(float, each.split(","))) for each in line.get("points", "").split()]
        assert len(points) == len(history)
        assert all(0 <= x <= 640 and 0 <= y <= 300 for x, y in points)


def test_a_curve_tells_which_epoch_was_kept() -> None:
    history = [{"validation_loss": each} for each in (0.5, 0.2, 0.4)]
    assert "kept: epoch 2" in texts(learning_curve(history, 2))
    assert not [each for each in texts(learning_curve(history, 3)) if "kept" in each]
    assert learning_curve(history, 2) == learning_curve(history, 2)


def test_a_curve_without_figures_says_so() -> None:
    assert "no figures were shown" in texts(learning_curve([{}], 1))


def test_a_matrix_shows_every_count_and_escapes_labels() -> None:
    shown = texts(confusion_matrix(metrics([[31, 0], [7, 42]], ["<a&b>", 3])))
    assert {"31", "7", "42", "<a&b>", "3", "predicted", "true"} <= set(shown)
    assert "0" not in shown


@pytest.mark.parametrize("count", [2, 3, 17, 40])
def test_every_cell_is_within_the_picture(count: int) -> None:
    counts = [[row + column for column in range(count)] for row in range(count)]
    root = ET.fromstring(
        confusion_matrix(metrics(counts, [f"a long name {n}" for n in range(count)]))
    )
    cells = list(root.iter(f"{SVG}rect"))[1:]
    assert len(cells) == count * count
    for cell in cells:
        right = float(cell.get("x", 0)) + float(cell.get("width", 0))
        bottom = float(cell.get("y", 0)) + float(cell.get("height", 0))
        assert right <= float(root.get("width", 0))
        assert bottom <= float(root.get("height", 0))


def test_too_many_classes_are_told() -> None:
    counts = [[0] * 41 for _ in range(41)]
    assert "41 classes are too many" in texts(confusion_matrix(metrics(counts)))[0]
