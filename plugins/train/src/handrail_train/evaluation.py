"""Measures the quality of a model on unseen examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from handrail_train.data.examples import Examples
from handrail_train.training import accuracy, log_loss

if TYPE_CHECKING:
    from handrail_train.data.examples import Floats, Integers

_BINS = 10  # Of the probabilities, to see whether they are as often right as they say.
_UNEVEN = 2.0  # The most frequent class has more than so many times the even share.
_MOST_ROWS = 2_000  # With which the importance of columns is measured.
_SHUFFLES = 3


def evaluate(found: Floats, examples: Examples, truth: Floats | None = None) -> dict[str, Any]:
    """Return the figures of a test, in JSON types.

    Args:
        found: Of a classification the probability of each class, a row for each example, in order
            of class; of a regression the number of each example, in the unit of the target.
        examples: The examples.
        truth: The true numbers in the unit of the target; for a regression.

    Returns:
        `rows`; `headline`, the name of the figure to look at first, and `why`; and the figures.

        Of a classification: `accuracy`; `balanced_accuracy`, the mean recall; `macro_f1`; `auc`,
        the area under the ROC curve, of more than two classes the mean of each against the rest;
        `average_precision` likewise, of two classes that of the rarer one; `log_loss`;
        `calibration_error`, the mean difference between how sure it was and how often it was right
        (ECE, ten bins); `calibration`, the bins; `classes`, a dict for each with `label`,
        `precision`, `recall`, `f1` and `rows`; and `confusion`, a list for each true class of how
        often each class was predicted.

        Of a regression: `r2`, `rmse`, `mae`, and `residuals`, the quantiles of the errors.
    """
    if examples.is_regression:
        assert truth is not None
        return _of_numbers(found, truth)
    return _of_classes(found, examples)


def _of_numbers(found: Floats, truth: Floats) -> dict[str, Any]:
    np = import_module("numpy")
    errors = found - truth
    spread = float(((truth - truth.mean()) ** 2).sum())
    squares = float((errors**2).sum())
    return {
        "rows": len(truth),
        "headline": "r2",
        "why": "a number is learnt: the share of its variance that is explained",
        "r2": 1 - squares / spread if spread else 0.0,
        "rmse": float(np.sqrt((errors**2).mean())),
        "mae": float(np.abs(errors).mean()),
        "residuals": {
            f"{share:g}": float(each)
            for share, each in zip(
                (0.05, 0.25, 0.5, 0.75, 0.95),
                np.quantile(errors, (0.05, 0.25, 0.5, 0.75, 0.95)),
                strict=True,
            )
        },
    }


def _of_classes(probabilities: Floats, examples: Examples) -> dict[str, Any]:
    np = import_module("numpy")
    count = len(examples.target.classes)
    confusion = np.zeros((count, count), dtype="int64")
    np.add.at(confusion, (examples.codes, probabilities.argmax(axis=1)), 1)
    classes: list[dict[str, Any]] = []
    for code, label in enumerate(examples.target.classes):
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
    there = [each for each in classes if each["rows"]]
    bins = _calibration(probabilities, examples)
    headline, why = _headline(classes)
    return {
        "rows": len(examples),
        "headline": headline,
        "why": why,
        "accuracy": accuracy(probabilities, examples),
        "balanced_accuracy": sum(each["recall"] for each in there) / len(there),
        "macro_f1": sum(each["f1"] for each in classes) / count,
        **_ranked(probabilities, examples),
        "log_loss": log_loss(probabilities, examples),
        "calibration_error": sum(
            each["rows"] / len(examples) * abs(each["sure"] - each["right"]) for each in bins
        ),
        "calibration": bins,
        "classes": classes,
        "confusion": confusion.tolist(),
    }


def _headline(classes: list[dict[str, Any]]) -> tuple[str, str]:
    rows = sum(each["rows"] for each in classes)
    largest = max(each["rows"] for each in classes) / rows
    if largest * len(classes) < _UNEVEN and largest < 0.8:
        return "accuracy", "the classes are about as frequent"
    if len(classes) == 2:
        return "average_precision", f"{largest:.1%} of the rows are of one class"
    return "balanced_accuracy", f"{largest:.1%} of the rows are of one of {len(classes)} classes"


def _ranked(probabilities: Floats, examples: Examples) -> dict[str, float]:
    """Return the figures that look at the order of the probabilities alone."""
    np, metrics = import_module("numpy"), import_module("sklearn.metrics")
    counts = np.bincount(examples.codes, minlength=probabilities.shape[1])
    codes = [int(counts.argmin())] if len(counts) == 2 else range(len(counts))
    # Of a class without rows, or with all of them, there is no order.
    measured = [code for code in codes if 0 < counts[code] < len(examples)]
    if not measured:
        return {}
    areas: list[float] = []
    precisions: list[float] = []
    for code in measured:
        truth, found = examples.codes == code, probabilities[:, code]
        areas.append(float(metrics.roc_auc_score(truth, found)))
        precisions.append(float(metrics.average_precision_score(truth, found)))
    return {
        "auc": sum(areas) / len(areas),
        "average_precision": sum(precisions) / len(precisions),
    }


def _calibration(probabilities: Floats, examples: Examples) -> list[dict[str, float]]:
    """Return for each bin of probabilities how sure the model was, and how often it was right."""
    np = import_module("numpy")
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == examples.codes
    places = np.minimum((sure * _BINS).astype("int64"), _BINS - 1)
    return [
        {
            "rows": int(here.sum()),
            "sure": float(sure[here].mean()),
            "right": float(right[here].mean()),
        }
        for here in (places == place for place in range(_BINS))
        if here.any()
    ]


def importance(
    loss: Callable[[Floats, Integers], float],
    features: Floats,
    places: Mapping[str, slice],
    *,
    seed: int,
) -> list[dict[str, Any]]:
    """Return by how much a loss grows if the values of a column are shuffled.

    Args:
        loss: Measures the numbers of some rows, given with the places of those rows.
        features: The numbers of all rows.
        places: The places of the numbers of each column.
        seed: The random seed.

    Returns:
        `column` and `importance` of each, the most important one first.
    """
    np = import_module("numpy")
    rng = np.random.default_rng([seed, 2])
    rows = np.sort(rng.permutation(len(features))[:_MOST_ROWS])
    usual = features[rows]
    before = loss(usual, rows)
    found: list[dict[str, Any]] = []
    for name, place in places.items():
        worse = 0.0
        for _ in range(_SHUFFLES):
            shuffled = usual.copy()
            shuffled[:, place] = usual[rng.permutation(len(rows)), place]
            worse += loss(shuffled, rows) - before
        found.append({"column": name, "importance": worse / _SHUFFLES})
    return sorted(found, key=lambda each: (-each["importance"], each["column"]))
