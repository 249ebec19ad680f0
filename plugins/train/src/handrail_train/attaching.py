"""What trainings attach to their runs: columns, the confusion matrix, the importance of columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handrail.attachments import Plot, Table
from handrail_train.context import TrainContext

_MOST_CLASSES = 40  # Beyond that, cells are too small to be seen.
_MOST_BARS = 30


def attach_columns(context: TrainContext) -> None:
    """Attach what each column is taken for, and why."""
    about: Mapping[str, Any] = context.dataset
    rows = [(each["name"], each["kind"], each["why"]) for each in about["columns"]]
    rows += [(each["name"], "left out", each["why"]) for each in about["left_out"]]
    context.attach("columns", Table(("column", "taken for", "why"), rows))


def attach_test(context: TrainContext, metrics: Mapping[str, Any]) -> None:
    """Attach how often each class was taken for which, and which columns matter."""
    classes: list[Mapping[str, Any]] = metrics.get("classes", [])
    if 1 < len(classes) <= _MOST_CLASSES:
        labels = [str(each["label"]) for each in classes]
        matrix = {
            label: list(zip(labels, counts, strict=True))
            for label, counts in zip(labels, metrics["confusion"], strict=True)
        }
        context.attach("confusion matrix", Plot("heatmap", matrix, x="predicted", y="true"))
    if found := metrics.get("importance", [])[:_MOST_BARS]:
        bars = [(each["column"], each["importance"]) for each in found]
        context.attach("importance of columns", Plot("bar", {"importance": bars}, x="column"))
