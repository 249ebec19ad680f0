"""Measures the quality of a model on unseen examples."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from handrail_train.data.examples import Examples
from handrail_train.training import accuracy, log_loss

if TYPE_CHECKING:
    from handrail_train.data.examples import Floats


def evaluate(probabilities: Floats, examples: Examples) -> dict[str, Any]:
    """Return the figures of a test, in JSON types.

    Args:
        probabilities: The probability of each class: a row for each example, in order of class.
        examples: The true classes.

    Returns:
        `rows`; `accuracy`; `log_loss`; `macro_f1`, the mean over the classes; `classes`, a dict
        for each with `label`, `precision`, `recall`, `f1` and `rows`; and `confusion`, a list for
        each true class of how often each class was predicted.
    """
    np = import_module("numpy")
    count = len(examples.classes)
    confusion = np.zeros((count, count), dtype="int64")
    np.add.at(confusion, (examples.codes, probabilities.argmax(axis=1)), 1)
    classes: list[dict[str, Any]] = []
    for code, label in enumerate(examples.classes.tolist()):
        right = int(confusion[code, code])
        true, predicted = int(confusion[code].sum()), int(confusion[:, code].sum())
        precision, recall = right / (predicted or 1), right / (true or 1)
        both = precision + recall
        classes.append(
            {
                "label": label,
                "precision": precision,
                "recall": recall,
                "f1": 2 * precision * recall / both if both else 0.0,
                "rows": true,
            }
        )
    return {
        "rows": len(examples),
        "accuracy": accuracy(probabilities, examples),
        "log_loss": log_loss(probabilities, examples),
        "macro_f1": sum(each["f1"] for each in classes) / count,
        "classes": classes,
        "confusion": confusion.tolist(),
    }
