"""Every kind of model: what it learns, and that it goes on as if it had never been interrupted."""

from __future__ import annotations

import datetime
import functools
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from handrail_train import predictor
from handrail_train.data import Choice, Dataset, Division, Split
from handrail_train.data.target import Task
from handrail_train.errors import ModelError
from handrail_train.models import installed_kinds, kind_named, shuffled
from handrail_train.models.installed import distribution_of
from handrail_train.predictor import told_of

QUICK: dict[str, dict[str, Any]] = {
    "hist_gradient_boosting": {"max_leaf_nodes": 4},
    "lightgbm": {"num_leaves": 4},
    "mlp": {"hidden": [8], "batch_size": 16, "learning_rate": 0.02},
    "random_forest": {"trees_per_epoch": 2, "max_depth": 3},
    "sgd": {},
}
EPOCHS = 5

kinds = pytest.mark.parametrize("name", sorted(QUICK))
tasks = pytest.mark.parametrize("task", ["classification", "regression"])


def mixed(rows: int = 240) -> pa.Table:
    """Return a table with a column of each kind, most with holes, that tells two targets."""
    chance = random.Random(3)
    lengths = [chance.gauss(0, 1) for _ in range(rows)]
    cities = [chance.choice(["Oslo", "Bergen", "Paris"]) for _ in range(rows)]
    worth = {"Oslo": 3.0, "Bergen": 0.0, "Paris": -3.0}
    scores = [1000 + 50 * (2 * n + worth[c]) for n, c in zip(lengths, cities, strict=True)]
    start = datetime.date(2026, 1, 1)
    return pa.table(
        {
            "length": [None if n % 11 == 0 else each for n, each in enumerate(lengths)],
            "city": [None if n % 13 == 0 else each for n, each in enumerate(cities)],
            "member": [n % 3 == 0 for n in range(rows)],
            "day": [start + datetime.timedelta(n % 40) for n in range(rows)],
            "note": [f"{c} or so, number {n}" for n, c in enumerate(cities)],
            "classification": [
                "high" if each > 1050 else "low" if each < 950 else "mid" for each in scores
            ],
            "regression": scores,
        }
    )


@functools.cache
def split_for(name: str, task: Task = "classification", chunk_rows: int | None = None) -> Split:
    others = {"classification", "regression"} - {task}
    choice = Choice(target=task, drop=sorted(others))
    dataset = Dataset.of([mixed()], "mixed", choice)
    rows = dataset.divide(Division(test_share=0.3, validation_share=0, seed=4))
    return dataset.split(rows, dataset.fit(rows), kind_named(name).encoding, chunk_rows)


@pytest.fixture(autouse=True)
def _installed(request: pytest.FixtureRequest) -> None:
    if "name" in request.fixturenames and request.getfixturevalue("name") == "lightgbm":
        pytest.importorskip("lightgbm")


def trained(
    name: str,
    task: Task = "classification",
    *,
    interrupted: bool = False,
    seed: int = 4,
    chunk_rows: int | None = None,
) -> bytes:
    kind, split = kind_named(name), split_for(name, task, chunk_rows)
    hyper = kind.hyper(**QUICK[name])
    fit = kind.begin(hyper, split.train, seed)
    for number in range(1, EPOCHS + 1):
        fit.epoch(number)
        if interrupted:
            fit = kind.go_on(hyper, split.train, seed, fit.dump())
    return kind.artefact(fit.dump())


def test_all_kinds_of_this_pack_are_tried() -> None:
    ours = {each.name for each in installed_kinds() if distribution_of(each) == "handrail-train"}
    assert ours == set(QUICK)


@tasks
@kinds
def test_going_on_after_each_epoch_gives_the_very_same_file(name: str, task: Task) -> None:
    whole = trained(name, task)
    assert trained(name, task, interrupted=True) == whole
    assert trained(name, task) == whole


@tasks
@pytest.mark.parametrize("name", ["lightgbm", "mlp", "sgd"])
def test_chunks_give_the_same_file_in_each_process_and_learn_as_much(name: str, task: Task) -> None:
    """Not the file of one chunk, whose rows are seen in another order; nor of other chunks."""
    whole = trained(name, task, chunk_rows=50)
    assert trained(name, task, chunk_rows=50, interrupted=True) == whole
    assert trained(name, task, chunk_rows=1000) == trained(name, task)
    kind, split = kind_named(name), split_for(name, task)
    assert split_for(name, task, 50).train.chunk_rows == 42
    test = split.test
    before, after = (
        told_of(kind, kind.load(content), test) for content in (trained(name, task), whole)
    )
    if task == "regression":
        errors = [((found - test.values) ** 2).mean() for found in (before, after)]
        assert errors[1] < 0.9 * test.values.var()
    else:
        shares = [(found.argmax(axis=1) == test.codes).mean() for found in (before, after)]
        assert shares[1] > 0.5
        assert shares[1] > shares[0] - 0.15


@pytest.mark.parametrize("name", ["mlp", "sgd"])
def test_no_more_than_a_chunk_is_held_in_an_epoch(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    split, kind = split_for(name, chunk_rows=50), kind_named(name)
    held: list[int] = []
    train = kind.train

    def counted(estimator: Any, examples: Any, number: int, seed: int) -> Any:
        held.append(len(examples))
        return train(estimator, examples, number, seed)

    monkeypatch.setattr(kind, "train", counted)
    kind.begin(kind.hyper(**QUICK[name]), split.train, 0).epoch(1)
    assert sorted(held) == [42] * 4


def test_a_network_is_asked_about_some_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a number for each row and each unit of a layer, which are more than the features."""
    kind, test = kind_named("mlp"), split_for("mlp").test
    model = kind.load(trained("mlp"))
    whole, asked = told_of(kind, model, test), list[int]()
    probabilities = kind.probabilities

    def counted(model: Any, features: Any) -> Any:
        asked.append(len(features))
        return probabilities(model, features)

    monkeypatch.setattr(kind, "probabilities", counted)
    monkeypatch.setattr(predictor, "_AT_ONCE", 30)
    assert np.allclose(told_of(kind, model, test), whole)
    assert asked == [30, 30, 12]


def test_the_loss_of_an_epoch_is_that_of_all_its_chunks() -> None:
    """A network whose batches never cross a chunk sees the same sum."""
    kind, split = kind_named("mlp"), split_for("mlp", chunk_rows=50)
    hyper = kind.hyper(hidden=[4], learning_rate=1e-12, batch_size=42)
    loss = kind.begin(hyper, split.train, 0).epoch(1)["loss"]
    whole = kind.begin(hyper, split_for("mlp").train, 0).epoch(1)["loss"]
    assert loss == pytest.approx(whole)


@kinds
def test_it_learns_and_tells_how_probable_each_class_is(name: str) -> None:
    kind, split = kind_named(name), split_for(name)
    model = kind.load(trained(name))
    found = kind.probabilities(model, split.test.features)
    assert found.shape == (len(split.test), 3)
    assert np.allclose(found.sum(axis=1), 1)
    assert (found.argmax(axis=1) == split.test.codes).mean() > 0.5


@kinds
def test_it_learns_numbers(name: str) -> None:
    kind, split = kind_named(name), split_for(name, "regression")
    found = kind.numbers(kind.load(trained(name, "regression")), split.test.features)
    assert found.shape == (len(split.test),)
    errors = ((found - split.test.values) ** 2).mean()
    assert errors < 0.9 * split.test.values.var()


@kinds
def test_two_classes_have_two_columns(name: str) -> None:
    table = mixed()
    two = table.set_column(5, "classification", pa.array(["yes", "no"] * (len(table) // 2)))
    dataset = Dataset.of([two], "two", Choice(target="classification"))
    rows = dataset.divide(Division(test_share=0.3, validation_share=0, seed=4))
    kind = kind_named(name)
    split = dataset.split(rows, dataset.fit(rows), kind.encoding)
    fit = kind.begin(kind.hyper(**QUICK[name]), split.train, 0)
    fit.epoch(1)
    assert kind.probabilities(fit.model, split.test.features).shape == (len(split.test), 2)


@kinds
def test_weights_change_what_is_learnt(name: str) -> None:
    kind, train = kind_named(name), split_for(name).train
    weights = np.where(train.codes == 0, 50.0, 0.02)
    found = []
    for given in (None, weights):
        fit = kind.begin(kind.hyper(**QUICK[name]), replace(train, weights=given), 0)
        for number in range(1, EPOCHS + 1):
            fit.epoch(number)
        told = kind.probabilities(fit.model, train.features)
        found.append((told.argmax(axis=1) == 0).mean())
    assert found[1] > found[0]


def test_trees_with_fewer_bins_than_a_category_has_values_take_the_rest_together() -> None:
    names = [f"v{number % 40:02}" for number in range(400)]
    table = pa.table({"a": names, "target": [int(each[1:]) % 2 for each in names]})
    dataset = Dataset.of([table], "many", Choice(target="target"))
    rows = dataset.divide(Division(test_share=0.3, validation_share=0, seed=4))
    kind = kind_named("hist_gradient_boosting")
    split = dataset.split(rows, dataset.fit(rows), kind.encoding)
    fit = kind.begin(kind.hyper(max_bins=8), split.train, 0)
    fit.epoch(1)
    found = kind.probabilities(kind.load(kind.artefact(fit.dump())), split.test.features)
    assert np.array_equal(found, kind.probabilities(fit.model, split.test.features))


@pytest.mark.parametrize("name", ["mlp", "random_forest"])
def test_another_seed_gives_another_model(name: str) -> None:
    assert trained(name) != trained(name, seed=5)


def test_each_epoch_has_an_order_of_its_own_that_follows_from_the_seed() -> None:
    orders = {tuple(shuffled(20, number, seed)) for number in (1, 2) for seed in (0, 1)}
    assert len(orders) == 4
    assert tuple(shuffled(20, 1, 0)) in orders
    assert all(sorted(order) == list(range(20)) for order in orders)


def test_an_interrupt_is_not_taken_for_the_end_of_an_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """scikit-learn's networks swallow Ctrl-C, and keep what is half trained."""
    kind = kind_named("mlp")
    fit = kind.begin(kind.hyper(**QUICK["mlp"]), split_for("mlp").train, 0)

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fit.model, "_backprop", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit.epoch(1)


@kinds
def test_what_is_no_such_model_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="this is no"):
        kind_named(name).load(b"\x80\x04]\x94.")


@kinds
def test_unknown_hyper_parameters_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no_such"):
        kind_named(name).hyper(no_such=1)


@kinds
def test_what_a_model_needs_is_told_with_its_version(name: str) -> None:
    versions = kind_named(name).versions()
    assert set(versions) >= {"numpy", "lightgbm" if name == "lightgbm" else "scikit-learn"}
    assert "unknown" not in versions.values()
