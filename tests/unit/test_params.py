"""Params are validated with one readable line for each thing that is wrong."""

from __future__ import annotations

import traceback
from typing import Generic, TypeVar

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from handrail import BaseAction, Option
from handrail.errors import ParamsError, ParamsNeededError
from handrail.params import params_argument, partial, validated


class Target(BaseModel):
    """A nested model."""

    bucket: str
    parts: int = 4


class UploadParams(BaseModel):
    """Params with a required field, a default, an alias and a nested model."""

    source: str
    limit: int = Field(10, ge=1)
    target: Target | None = None
    kind: str = Field("raw", alias="type")


P = TypeVar("P")
Q = TypeVar("Q")


class Between(BaseAction[P], Generic[P, Q]):
    """A generic base between an action and BaseAction."""


@pytest.mark.parametrize(
    ("bases", "expected"),
    [
        ((BaseAction[UploadParams],), UploadParams),
        ((Between[UploadParams, int],), UploadParams),
        ((BaseAction,), None),
        ((BaseAction[dict],), None),
    ],
)
def test_the_model_comes_from_the_generic_argument(bases, expected):
    """The params model is the argument given to BaseAction, through generic bases too."""
    import types

    made = types.new_class("Made", bases)
    assert params_argument(made, BaseAction) is expected
    assert made.params_model is expected


def test_a_subclass_inherits_or_overrides_the_model():
    """A subclass has its base's model unless it names one of its own."""

    class Base(BaseAction[UploadParams]):
        pass

    class Same(Base):
        pass

    class Own(Base):
        params_model = Target

    assert Same.params_model is UploadParams
    assert Own.params_model is Target


def test_a_model_or_a_mapping_will_do():
    """An instance is kept as it is, a mapping is validated."""
    given = UploadParams(source="a")
    assert validated(UploadParams, given, "upload") is given
    assert validated(UploadParams, {"source": "a", "limit": "3"}, "upload").limit == 3


def test_every_mistake_has_a_line_of_its_own():
    """Missing, wrong and unknown params are reported together, each with its path."""
    with pytest.raises(ParamsError) as error:
        validated(UploadParams, {"limit": "many", "target": {"parts": 0.5}, "sorce": "a"}, "upload")
    fields = dict(error.value.fields)
    assert fields["source"] == "is required"
    assert "valid integer" in fields["limit"]
    assert "'many'" in fields["limit"]
    assert fields["target.bucket"] == "is required"
    assert fields["sorce"] == "unknown param; did you mean source?"
    assert error.value.exit_code == 2
    assert "  source: is required" in str(error.value)


def test_a_model_that_allows_extra_params_takes_them():
    """A model that says what happens to extra params is obeyed."""

    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")

    assert validated(Open, {"anything": 1}, "open").anything == 1


def test_an_alias_is_a_known_param():
    """A field may be given by its alias."""
    assert validated(UploadParams, {"source": "a", "type": "b"}, "upload").kind == "b"


@pytest.mark.parametrize("given", [[1], "text", 3, Target(bucket="b")])
def test_something_else_is_refused(given):
    """What is neither the model nor a mapping is refused in one line."""
    with pytest.raises(ParamsError, match="expected UploadParams or a mapping"):
        validated(UploadParams, given, "upload")


def test_an_empty_model_is_fine():
    """An action without params needs none."""

    class Nothing(BaseModel):
        pass

    assert validated(Nothing, None, "nothing") == Nothing()


def test_planning_may_leave_params_out_until_they_are_read():
    """With params missing, known ones and defaults read as usual, and missing ones raise."""
    params = partial(UploadParams, {"limit": 3}, "upload")
    assert params.limit == 3
    assert params.kind == "raw"
    with pytest.raises(ParamsNeededError, match="needs the param 'source'") as error:
        _ = params.source
    assert "give it: --source ..." in error.value.ways_out
    with pytest.raises(AttributeError):
        _ = params.nonsense


def test_planning_still_refuses_wrong_params():
    """A given param is checked, even where others are missing."""
    with pytest.raises(ParamsError) as error:
        partial(UploadParams, {"limit": 0}, "upload")
    assert [path for path, _ in error.value.fields] == ["limit"]


@pytest.mark.parametrize("names", [(), ("limit",), ("-n", "limit")])
def test_an_option_marker_needs_names_with_dashes(names):
    """Option("...") takes option names."""
    with pytest.raises(ValueError, match="Option takes names"):
        Option(*names)


def test_a_secret_is_never_shown():
    """A wrong secret is told without its value, also in what caused the error."""

    class Inner(BaseModel):
        key: SecretStr = Field(min_length=9)

    class Guarded(BaseModel):
        token: SecretStr | None = Field(None, min_length=9)
        inner: Inner | None = None

    given = {"token": "hunter2", "inner": {"key": "hunter3"}}
    with pytest.raises(ParamsError) as error:
        validated(Guarded, given, "guarded")
    shown = "".join(traceback.format_exception(error.value))
    assert "token" in shown
    assert "inner.key" in shown
    assert "hunter" not in shown
