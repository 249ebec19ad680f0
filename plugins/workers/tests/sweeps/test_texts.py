"""`--over NAME=VALUES`: lists and commas are values of the type of the param."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import click
import pytest
from pydantic import BaseModel

from handrail.derived import DottedParams
from handrail_workers.sweeps.over import check_given_once, grid_from


class Inner(BaseModel):
    rate: float = 0.1


class Params(BaseModel):
    epochs: int = 10
    name: str = "a"
    maybe: int | None = None
    price: Decimal = Decimal(1)
    kind: Literal["fast", "good"] = "fast"
    flag: bool = False
    layers: list[int] = []
    inner: Inner = Inner()


PARAMS = DottedParams(Params)


def read(*texts: str) -> dict[str, Any]:
    return dict(grid_from(texts, PARAMS, sample=None, seed=0).over)


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("epochs=10,20", "epochs", [10, 20]),
        ("epochs = 10 , 20 ", "epochs", [10, 20]),
        ("epochs=[10, 20]", "epochs", [10, 20]),
        ("maybe=null,2", "maybe", [None, 2]),
        ("inner.rate=1e-3,1e-2", "inner.rate", [0.001, 0.01]),
        ("name=a,b", "name", ["a", "b"]),
        ("name=007,08", "name", ["007", "08"]),
        ('name=["a,b", "c"]', "name", ["a,b", "c"]),
        ("kind=fast,good", "kind", ["fast", "good"]),
        ("flag=true,false", "flag", [True, False]),
        ("layers=[[1], [1, 2]]", "layers", [[1], [1, 2]]),
        ("epochs=ten,20", "epochs", ["ten", 20]),  # For the model to refuse.
    ],
)
def test_values_have_the_type_of_their_param(text: str, name: str, values: list[Any]) -> None:
    assert read(text) == {name: values}
    assert [type(each) for each in read(text)[name]] == [type(each) for each in values]


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["epochs"], "takes NAME=VALUES"),
        (["=1"], "takes NAME=VALUES"),
        (["a..b=1"], "takes NAME=VALUES"),
        (["epochs="], "has no values"),
        (["epochs=[]"], "has no values"),
        (["epochs=[1,"], "is not a JSON list"),
        (["epochs=1,,2"], "no value between two commas"),
        (["epochs=1", "epochs=2"], "is given twice"),
    ],
)
def test_what_cannot_be_read_is_told(texts: list[str], told: str) -> None:
    with pytest.raises(click.UsageError, match=told):
        read(*texts)


def test_a_param_has_values_from_one_place() -> None:
    check_given_once({"inner": {}, "name": "x"}, ["inner.rate", "epochs"], str)
    with pytest.raises(click.UsageError, match="epochs has a value by --epochs, and others"):
        check_given_once({"epochs": 1}, ["epochs"], "--{}".format)
    with pytest.raises(click.UsageError, match=r"inner.rate has a value by --inner-rate"):
        check_given_once({"inner": {"rate": None}}, ["inner.rate"], lambda _: "--inner-rate")


def test_an_action_without_params_has_none_to_sweep() -> None:
    with pytest.raises(click.UsageError, match="the action takes no params"):
        grid_from(["a=1"], DottedParams(None), sample=None, seed=0)
