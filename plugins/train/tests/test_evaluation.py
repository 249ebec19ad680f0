"""The test of a model: its figures, the one to look at first, and what is said before."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import sklearn.metrics

from handrail_train.data import Choice, Dataset, Division, Examples, Target
from handrail_train.evaluation import evaluate, importance


def classes(codes: list[int], count: int) -> Examples:
    target = Target(name="y", task="classification", why="", classes=tuple(range(count)))
    values = np.array(codes)
    return Examples(
        features=np.zeros((len(codes), 1)), values=values, target=target, columns=("x",)
    )


def test_figures_of_classes_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    examples = classes(rng.integers(0, 2, 200).tolist(), 2)
    found = rng.dirichlet([1, 1], 200)
    metrics = evaluate(found, examples)
    truth, told = examples.codes, found.argmax(axis=1)
    for name, value in (
        ("accuracy", sklearn.metrics.accuracy_score(truth, told)),
        ("balanced_accuracy", sklearn.metrics.balanced_accuracy_score(truth, told)),
        ("macro_f1", sklearn.metrics.f1_score(truth, told, average="macro")),
        ("log_loss", sklearn.metrics.log_loss(truth, found)),
        ("auc", sklearn.metrics.roc_auc_score(truth, found[:, 1])),
    ):
        assert metrics[name] == pytest.approx(value), name
    assert sum(each["rows"] for each in metrics["calibration"]) == 200


def test_figures_of_numbers_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(50, 10, 100)
    found = truth + rng.normal(0, 3, 100)
    examples = Examples(
        features=np.zeros((100, 1)),
        values=(truth - 50) / 10,
        target=Target(name="y", task="regression", why="", mean=50, deviation=10),
        columns=("x",),
    )
    metrics = evaluate(found, examples, truth)
    assert metrics["r2"] == pytest.approx(sklearn.metrics.r2_score(truth, found))
    assert metrics["rmse"] == pytest.approx(sklearn.metrics.root_mean_squared_error(truth, found))
    assert metrics["mae"] == pytest.approx(sklearn.metrics.mean_absolute_error(truth, found))
    assert metrics["headline"] == "r2"


@pytest.mark.parametrize(
    ("counts", "first"),
    [
        ([50, 50], "accuracy"),
        ([40, 30, 30], "accuracy"),
        ([95, 5], "average_precision"),
        ([90, 5, 5], "balanced_accuracy"),
    ],
)
def test_the_figure_to_look_at_first_follows_from_the_data(counts: list[int], first: str) -> None:
    codes = np.repeat(np.arange(len(counts)), counts).tolist()
    found = np.full((len(codes), len(counts)), 1 / len(counts))
    metrics = evaluate(found, classes(codes, len(counts)))
    assert metrics["headline"] == first
    assert metrics["why"]


def test_the_importance_of_a_column_is_what_it_is_worth() -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(300, 3))
    truth = features[:, 1] * 2 + features[:, 2]

    def loss(some: np.ndarray, rows: np.ndarray) -> float:
        return float(((some[:, 1] * 2 + some[:, 2] - truth[rows]) ** 2).mean())

    places = {"none": slice(0, 1), "both": slice(1, 3)}
    found = importance(loss, features, places, seed=0)
    assert [each["column"] for each in found] == ["both", "none"]
    assert found[1]["importance"] == 0
    assert found == importance(loss, features, places, seed=0)


def test_what_a_person_should_know_first_is_said() -> None:
    count = 1000
    kinds = ["rare" if n < 4 else "usual" for n in range(count)]
    table = pa.table(
        {
            "id": range(7, 7 + count),
            "copy": [each.upper() for each in kinds],
            "noise": [n % 7 for n in range(count)],
            "kind": kinds,
        }
    )
    dataset = Dataset.of([table], "table", Choice(target="kind"))
    rows = dataset.divide(Division(test_share=0.25, validation_share=0.25, seed=1))
    doubts = list(dataset.doubts(dataset.fit(rows), rows))
    assert [each.split(":")[0] for each in doubts] == [
        "only 4 rows of 1,000 (0.40%) have kind 'rare'",
        "id seems to number the rows",
        "copy tells kind by itself",
    ]


def test_a_number_that_is_the_target_in_another_unit_is_said() -> None:
    values = [n * 0.5 + (n % 3) for n in range(100)]
    table = pa.table({"x": [-3 * each for each in values], "noise": range(0, 500, 5), "y": values})
    dataset = Dataset.of([table], "table", Choice(target="y"))
    rows = dataset.divide(Division(test_share=0.2, validation_share=0.1, seed=1))
    assert list(dataset.doubts(dataset.fit(rows), rows)) == [
        "x tells y by itself: is it known beforehand?"
    ]
