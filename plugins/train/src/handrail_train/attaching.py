"""What trainings attach to their runs: their columns, and plots of the test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from handrail.attachments import Plot, Table
from handrail_train.context import TrainContext

if TYPE_CHECKING:
    from handrail_train.data.examples import Floats

_MOST_CLASSES = 40  # Beyond that, cells are too small to be seen.
_MOST_BARS = 30
_MOST_POINTS = 1_000


def attach_columns(context: TrainContext) -> None:
    """Attach what each column is taken for, and why."""
    about: Mapping[str, Any] = context.dataset
    rows = [(each["name"], each["kind"], each["why"]) for each in about["columns"]]
    rows += [(each["name"], "left out", each["why"]) for each in about["left_out"]]
    context.attach("columns", Table(("column", "taken for", "why"), rows))


def attach_test(context: TrainContext, metrics: Mapping[str, Any]) -> None:
    """Attach which class was taken for which, how sure that was, and which columns matter."""
    classes: list[Mapping[str, Any]] = metrics.get("classes", [])
    if 1 < len(classes) <= _MOST_CLASSES:
        labels = [str(each["label"]) for each in classes]
        matrix = {
            label: list(zip(labels, counts, strict=True))
            for label, counts in zip(labels, metrics["confusion"], strict=True)
        }
        context.attach("confusion matrix", Plot("heatmap", matrix, x="predicted", y="true"))
    if bins := metrics.get("calibration"):
        right = {each["sure"]: each["right"] for each in bins}
        plot = Plot("line", {"model": right, "ideal": {0: 0, 1: 1}}, "how sure", "how often right")
        context.attach("calibration", plot)
    if found := metrics.get("importance", [])[:_MOST_BARS]:
        bars = [(each["column"], each["importance"]) for each in found]
        context.attach("importance of columns", Plot("bar", {"importance": bars}, x="column"))


def attach_numbers(context: TrainContext, truth: Floats, told: Floats) -> None:
    """Attach numbers as the model tells them, by the true ones; of many rows, some."""
    step = max(1, len(truth) // _MOST_POINTS)
    pairs = [(float(x), float(y)) for x, y in zip(truth[::step], told[::step], strict=True)]
    context.attach("told and true", Plot("scatter", {"rows": pairs}, x="true", y="told"))
