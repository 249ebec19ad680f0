"""Params: what is wrong is told before anything begins, with the way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from handrail import ParamsError
from handrail_train import DefaultTrainAction, TrainParams


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"data": "photo.png"}, r"photo.png is no table.*a file that ends in \.csv, \.tsv"),
        ({"data": "california_housing"}, "a set that scikit-learn brings: breast_cancer"),
        ({"data": "iriz"}, "did you mean iris"),
        ({"data": "ftp://x/y.csv"}, "no source is known as ftp://"),
        ({"data": "iris", "table": "x"}, "iris is no database"),
        ({"data": "postgresql://u:hunter7@h/d", "target": "y"}, "a secret in the data.*PGPASSWORD"),
        ({"data": "iris", "column": ["zip=postcode"]}, "zip=postcode.*category, number"),
        ({"data": "iris", "split_group": "a", "split_time": "b"}, "not both"),
        ({"data": "iris", "folds": 1}, "--folds needs 2 or more"),
        ({"data": "flowers.csv"}, "say which column has the classes or numbers: --target COLUMN"),
        ({"data": "iris", "target": "x"}, "iris has its own target"),
        ({"data": "iris", "features": ["a"], "drop": ["b"]}, "not both"),
        ({"data": "iris", "kind": "mpl"}, "known as 'mpl'; there are .*did you mean mlp"),
        ({"data": "iris", "hyper": {"alhpa": 1}}, "alhpa is unknown; .*handrail models kinds mlp"),
        ({"data": "iris", "hyper": {"alpha": -1}}, "alpha: Input should be greater than"),
        ({"data": "iris", "hyper": {"hidden": [0]}}, r"hidden\.0: Input should be greater than 0"),
        ({"data": "iris", "epochs": 0}, "greater than 0"),
        ({"data": "iris", "test_share": 1}, "less than 1"),
        ({"data": "iris", "patience": 3, "validation_share": 0}, "needs a validation share"),
        ({"data": "iris", "name": "My Model"}, "small letters"),
        ({"data": "iris", "store": "ftp://x"}, "no storage is known as ftp://"),
        ({"data": "iris", "store": "s3://id:hunter7@bucket"}, "a secret in the store.*AWS_SECRET"),
        ({"data": "iris", "hyper": {"learning_rate": float("inf")}}, "learning_rate: .*finite"),
        ({"data": "iris", "tolerance": float("inf")}, "finite"),
        ({"data": "iris", "epoch": 3}, "epoch"),
    ],
)
def test_what_makes_no_sense_is_told(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ParamsError, match=f"(?s){said}") as error:
        DefaultTrainAction(given, packs=())
    assert "secret@" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("iris", "iris"),
        ("./My Flowers (2).csv", "my-flowers-2"),
        ("x/Ümläut.csv", "ml-ut"),
        ("_.csv", "model"),
    ],
)
def test_a_model_is_named_after_its_data(data: str, name: str) -> None:
    target = None if data == "iris" else "kind"
    assert TrainParams(data=data, target=target).model_name == name


def test_hyper_parameters_are_completed_by_their_defaults() -> None:
    found = TrainParams(data="iris", hyper={"alpha": 0.5}).hyper_parameters().model_dump()
    assert found["alpha"] == 0.5
    assert found["hidden"] == [100]


def test_the_params_can_be_made_again_from_their_values(params: Callable[..., Any]) -> None:
    made = TrainParams(**params(hyper={"alpha": 0.5}))
    assert TrainParams.model_validate(made.model_dump()) == made
