"""Points of a sweep: values are converted by the params model, and wrong ones are told at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr, model_validator

from handrail import BaseAction
from handrail.derived import check_secrets, with_values
from handrail.errors import ParamsError
from handrail_workers.sweeps.grid import MOST, Grid
from handrail_workers.sweeps.points import check_points, checked_grid


class Hyper(BaseModel):
    rate: float = 0.1
    layers: tuple[int, ...] = (1,)


class Params(BaseModel):
    data: Path
    epochs: int = Field(default=10, ge=1, validation_alias="rounds")
    hyper: Hyper = Hyper()
    token: SecretStr | None = None
    url: str = ""

    @model_validator(mode="after")
    def fits(self) -> Params:
        if self.epochs * self.hyper.rate > 100:
            raise ValueError("too much")
        return self


class TrainAction(BaseAction[Params]):
    """Train."""


class AnyAction(BaseAction[Any]):
    """Without a model."""

    action_name = "anything"


GIVEN = {"data": "x.csv"}


def checked(**over: list[Any]) -> dict[str, Any]:
    named = {name.replace("__", "."): values for name, values in over.items()}
    return dict(checked_grid(TrainAction, GIVEN, Grid(over=named)).over)


def test_values_are_converted_by_the_model() -> None:
    assert checked(rounds=["1", 2.0], hyper__rate=["0.5", 1]) == {
        "rounds": [1, 2],
        "hyper.rate": [0.5, 1.0],
    }
    assert checked(hyper__layers=[[1], ["2", 3]]) == {"hyper.layers": [[1], [2, 3]]}
    assert checked(hyper=[{"rate": 1}]) == {"hyper": [{"rate": 1.0, "layers": [1]}]}


def test_what_only_the_grid_gives_need_not_be_given_otherwise() -> None:
    grid = Grid(over={"data": ["a", "b"]})
    assert checked_grid(TrainAction, {}, grid).over == {"data": ["a", "b"]}


@pytest.mark.parametrize(
    ("over", "path", "text"),
    [
        ({"round": [1]}, "round", "unknown param; did you mean rounds?"),
        ({"rate": [1]}, "rate", "unknown param; did you mean hyper.rate?"),
        ({"hyper.rat": [1]}, "hyper.rat", "unknown param; did you mean hyper.rate"),
        ({"rounds": [1, "many"]}, "rounds", "valid integer"),
        ({"rounds": [1, 0]}, "rounds", "greater than or equal to 1"),
        ({"rounds": [1, 2, "1"]}, "rounds", "has a value twice"),
        ({"rounds": []}, "rounds", "has no values"),
        ({}, "over", "names no param"),
        ({"token": ["a"]}, "token", "is a secret, and cannot be swept"),
        ({"url": ["http://me:pass@host/"]}, "url", "a secret or a password"),
        ({"hyper": [{}], "hyper.rate": [1]}, "hyper.rate", "is a part of hyper"),
        ({"rounds": range(1, MOST + 2)}, "over", "makes 10,001 runs; a sweep has at most 10,000"),
    ],
)
def test_a_wrong_param_or_value_is_told_by_its_name(
    over: dict[str, Any], path: str, text: str
) -> None:
    with pytest.raises(ParamsError) as error:
        checked_grid(TrainAction, GIVEN, Grid(over=over))
    [(found, told), *_] = error.value.fields
    assert found == path
    assert text in told


def test_a_point_that_is_wrong_as_a_whole_is_named() -> None:
    grid = checked_grid(TrainAction, GIVEN, Grid(over={"rounds": [1, 200], "hyper.rate": [0.1, 1]}))
    with pytest.raises(ParamsError) as error:
        list(check_points(TrainAction, GIVEN, grid))
    assert error.value.fields == (("", "too much (at rounds=200  hyper.rate=1.0)"),)


def test_the_params_of_a_point_leave_those_of_others_alone() -> None:
    given = {"data": "x", "hyper": {"layers": [3]}}
    assert with_values(given, {"hyper.rate": 2}) == {
        "data": "x",
        "hyper": {"layers": [3], "rate": 2},
    }
    assert given == {"data": "x", "hyper": {"layers": [3]}}


def test_an_action_without_a_model_takes_any_param() -> None:
    grid = checked_grid(AnyAction, {"a": 1}, Grid(over={"b": [1, "x", True]}))
    assert grid.over == {"b": [1, "x", True]}


def test_secrets_have_to_be_in_variables_that_the_runs_inherit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    params = '{"values": {}, "secrets": {"token": "ACME_TOKEN"}}'
    monkeypatch.setenv("ACME_TOKEN", "x")
    check_secrets("train", params)
    monkeypatch.delenv("ACME_TOKEN")
    with pytest.raises(ParamsError, match=r"token: .* from the variable ACME_TOKEN"):
        check_secrets("train", params)
