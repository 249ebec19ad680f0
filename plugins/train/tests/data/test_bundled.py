"""The sets that scikit-learn brings: complete, offline, with the labels that people know."""

from __future__ import annotations

from typing import Any

import pytest
import sklearn.datasets

from handrail_train.data import BUNDLED, load_examples
from handrail_train.errors import DataError


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_set_is_what_scikit_learn_has(name: str) -> None:
    examples = load_examples(name).examples
    theirs: Any = getattr(sklearn.datasets, f"load_{name}")()
    assert (examples.features == theirs.data).all()
    named = theirs.target_names[theirs.target]
    assert [str(each) for each in examples.labels] == [str(each) for each in named]
    assert examples.classes.tolist() == sorted(examples.classes.tolist())
    assert examples.columns == tuple(theirs.feature_names)


def test_no_part_of_a_bundled_set_is_chosen() -> None:
    with pytest.raises(DataError, match="with all of its columns"):
        load_examples("iris", drop=["petal width (cm)"])
