"""Every kind of model: what it learns, and that it goes on as if it had never been interrupted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from handrail_train.data import Split, load_examples, split_examples
from handrail_train.errors import ModelError
from handrail_train.models import installed_kinds, kind_named, shuffled

QUICK: dict[str, dict[str, Any]] = {
    "hist_gradient_boosting": {"max_leaf_nodes": 4},
    "lightgbm": {"num_leaves": 4},
    "mlp": {"hidden": [8], "batch_size": 16, "learning_rate": 0.02},
    "random_forest": {"trees_per_epoch": 2, "max_depth": 3},
    "sgd": {},
}
EPOCHS = 5

kinds = pytest.mark.parametrize("name", sorted(QUICK))


@pytest.fixture(scope="module")
def split() -> Split:
    return split_examples(
        load_examples("iris").examples, test_share=0.3, validation_share=0, seed=4
    )


@pytest.fixture(autouse=True)
def _installed(request: pytest.FixtureRequest) -> None:
    if "name" in request.fixturenames and request.getfixturevalue("name") == "lightgbm":
        pytest.importorskip("lightgbm")


def trained(name: str, split: Split, *, interrupted: bool = False, seed: int = 4) -> bytes:
    kind = kind_named(name)
    hyper = kind.hyper(**QUICK[name])
    fit = kind.begin(hyper, split.train, seed)
    for number in range(1, EPOCHS + 1):
        fit.epoch(number)
        if interrupted:
            fit = kind.go_on(hyper, split.train, seed, fit.dump())
    return kind.artefact(fit.dump())


def test_all_kinds_of_this_pack_are_tried() -> None:
    ours = {n for n, point in installed_kinds().items() if point.module.startswith("handrail_tr")}
    assert ours == set(QUICK)


@kinds
def test_going_on_after_each_epoch_gives_the_very_same_file(name: str, split: Split) -> None:
    whole = trained(name, split)
    assert trained(name, split, interrupted=True) == whole
    assert trained(name, split) == whole


@kinds
def test_it_learns_and_tells_how_probable_each_class_is(name: str, split: Split) -> None:
    kind = kind_named(name)
    model = kind.load(trained(name, split))
    found = kind.probabilities(model, split.test.features)
    assert found.shape == (len(split.test), 3)
    assert np.allclose(found.sum(axis=1), 1)
    assert (found.argmax(axis=1) == split.test.codes).mean() > 0.6


@kinds
def test_two_classes_have_two_columns(name: str) -> None:
    iris = load_examples("iris").examples
    rows = np.flatnonzero(iris.codes < 2)
    some = iris.some(rows)
    two = type(iris)(
        features=some.features, codes=some.codes, classes=iris.classes[:2], columns=iris.columns
    )
    kind = kind_named(name)
    fit = kind.begin(kind.hyper(**QUICK[name]), two, 0)
    fit.epoch(1)
    assert kind.probabilities(fit.model, two.features).shape == (100, 2)


@pytest.mark.parametrize("name", ["mlp", "random_forest"])
def test_another_seed_gives_another_model(name: str, split: Split) -> None:
    assert trained(name, split) != trained(name, split, seed=5)


def test_each_epoch_has_an_order_of_its_own_that_follows_from_the_seed() -> None:
    orders = {tuple(shuffled(20, number, seed)) for number in (1, 2) for seed in (0, 1)}
    assert len(orders) == 4
    assert tuple(shuffled(20, 1, 0)) in orders
    assert all(sorted(order) == list(range(20)) for order in orders)


def test_an_interrupt_is_not_taken_for_the_end_of_an_epoch(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    """scikit-learn's networks swallow Ctrl-C, and keep what is half trained."""
    kind = kind_named("mlp")
    fit = kind.begin(kind.hyper(**QUICK["mlp"]), split.train, 0)

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fit.model[-1], "_backprop", interrupted)
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
