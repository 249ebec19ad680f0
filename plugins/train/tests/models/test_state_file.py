"""Checkpoints of estimators: the same model comes back, and nothing that is not allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import LabelEncoder

from handrail_train.data import Choice, Division, Source, Split, load_dataset
from handrail_train.errors import ModelError
from handrail_train.models import kind_named
from handrail_train.models.mlp import MLP
from handrail_train.models.skops_file import canonical, dump_skops
from handrail_train.models.state_file import dump_state, is_state, load_state


@pytest.fixture(scope="module")
def split() -> Split:
    dataset = load_dataset(Source.parse("iris"), Choice(target="target"))
    rows = dataset.divide(Division(test_share=0.3, validation_share=0, seed=4))
    return dataset.split(rows, dataset.fit(rows), "scaled")


def begun(name: str, split: Split) -> Any:
    kind = kind_named(name)
    return kind.begin(kind.hyper(), split.train, 4)


def holding(value: Any) -> Any:
    """Return an estimator with this in it."""
    made = LabelEncoder()
    made.held = value
    return made


def again(value: Any) -> Any:
    written = dump_state(holding(value), ())
    assert written is not None
    return load_state(written, ()).held


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 0, 2**70, 0.1, float("inf"), "gr\u00f6\u00dfe\n", [], (), {}),
        ([1, (2.5, None)], {"a": [1], 3: "b"}),
        *(np.float64(0.1), np.float32(0.1), np.int64(7), np.bool_(True), np.str_("a")),
    ],
)
def test_a_value_comes_back_with_its_type(value: Any) -> None:
    found = again(value)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(12.0).reshape(3, 4)[:, ::2],
        np.array(["a", "bcd"]),
        np.array([True, False]),
        np.array(3.5),
        np.empty((0, 4)),
        np.array([1, 2], dtype=">i2"),
    ],
)
def test_an_array_comes_back_as_it_lay_and_can_be_written(array: Any) -> None:
    found = again(array)
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert (found == array).all()
    assert found.flags.writeable
    if array.flags.c_contiguous or array.flags.f_contiguous:
        assert found.flags.c_contiguous == array.flags.c_contiguous


def test_what_is_one_object_comes_back_as_one() -> None:
    for value in (np.zeros(2), np.float64(2), [1], (1,), {"a": 1}):
        one, two = again([value, value])
        assert one is two


def test_what_holds_itself_comes_back() -> None:
    listed: list[Any] = []
    listed.append(listed)
    found = again(listed)
    assert found[0] is found


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        object(),
        print,
        np.array([None]),
        np.zeros(1, [("a", "f8")]),
        np.random.RandomState(1),
        np.longdouble(1),
        1j,
    ],
)
def test_what_does_not_fit_is_left_to_skops(value: Any) -> None:
    assert dump_state(holding(value), ()) is None


@pytest.mark.parametrize(
    ("name", "quick"),
    [("mlp", True), ("sgd", False), ("random_forest", False), ("hist_gradient_boosting", False)],
)
def test_what_is_figures_and_arrays_is_written_quickly(
    split: Split, name: str, quick: bool
) -> None:
    fit = begun(name, split)
    fit.epoch(1)
    assert is_state(fit.dump()) is quick


def test_the_stored_file_is_that_of_skops_alone(split: Split) -> None:
    fit = begun("mlp", split)
    fit.epoch(1)
    assert MLP().artefact(fit.dump()) == canonical(dump_skops(fit.model, None))


def test_skops_is_asked_once_a_training_and_not_once_an_epoch(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    dumps: Callable[..., bytes] = skops.io.dumps
    monkeypatch.setattr(skops.io, "dumps", lambda model: calls.append(model) or dumps(model))
    fit = begun("mlp", split)
    for number in range(1, 6):
        fit.epoch(number)
        fit.dump()
    assert len(calls) == 1


def test_a_type_that_is_not_allowed_is_not_made() -> None:
    model = MLPClassifier((2,)).partial_fit([[0.0], [1.0]], [0, 1], classes=[0, 1])
    del model._random_state
    assert dump_state(model, ()) is None
    content = dump_state(model, MLP.allowed)
    assert content is not None
    with pytest.raises(ModelError, match=r"AdamOptimizer is not allowed"):
        load_state(content, ())


@pytest.mark.parametrize(
    "head",
    [
        b'{"type": "os.system", "state": {}}',
        b'{"type": "sklearn.utils._joblib.Parallel", "state": {}}',
        b'{"type": "sklearn.base.clone", "state": {}}',
        b'{"type": "sklearn.not_there.X", "state": {}}',
        b'{"array": "O", "shape": [1], "order": "C"}',
        b'{"array": "<f8", "shape": [9], "order": "C"}',
        b'{"again": "x"}',
        b'{"again": 7}',
        b'{"list": [' * 5000,
        b'{"list": 1}',
        b"{",
        b"",
    ],
)
def test_what_is_no_checkpoint_is_refused(head: bytes) -> None:
    with pytest.raises(ModelError, match="no checkpoint"):
        load_state(b"handrail-state 1\n" + head + b"\n", ())
