"""The sets that scikit-learn brings: complete, offline, with the labels that people know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.datasets

from handrail_train.data import BUNDLED, Choice, Source, load_dataset


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_set_is_what_scikit_learn_has(name: str) -> None:
    dataset = load_dataset(Source.parse(name), Choice(target="target"))
    theirs: Any = getattr(sklearn.datasets, f"load_{name}")()
    assert dataset.table.column_names == list(theirs.feature_names)
    found = np.column_stack([each.to_numpy() for each in dataset.table.read().columns])
    assert (found == theirs.data).all()
    if "target_names" not in theirs:
        assert dataset.target.task == "regression"
        assert (dataset.values == theirs.target).all()
        return
    named = theirs.target_names[theirs.target]
    labels = dataset.target.labels[dataset.values]
    assert [str(each) for each in labels] == [str(each) for each in named]
    assert list(dataset.target.classes) == sorted(dataset.target.classes)
