"""Params are validated with one readable line for each thing that is wrong."""

from __future__ import annotations

import dataclasses
import datetime
import traceback
from typing import Annotated, Generic, TypeVar

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from handrail import BaseAction, FromEnv, Option, action
from handrail.errors import ActionError, ParamsError, ParamsNeededError
from handrail.params.context import params_argument
from handrail.params.validation import unchecked, validated


def partial(model, params, action):
    return validated(model, params, action, partly=True)


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


class Swapped(BaseAction[P], Generic[Q, P]):
    """A generic base whose first parameter is not the params."""


@pytest.mark.parametrize(
    ("bases", "expected"),
    [
        ((BaseAction[UploadParams],), UploadParams),
        ((Between[UploadParams, int],), UploadParams),
        ((Swapped[Target, UploadParams],), UploadParams),
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

    class BelowOwn(Own):
        pass

    assert Same.params_model is UploadParams
    assert Own.params_model is Target
    assert BelowOwn.params_model is Target


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


@dataclasses.dataclass
class NoModel:
    """A dataclass, which cannot be validated like a model."""

    a: int = 1


def test_params_that_are_no_model_are_refused_when_the_action_is_made():
    """A dataclass as params, however it is given, is an error that says what to derive from."""
    with pytest.raises(ActionError, match="NoModel, which is no pydantic model"):

        class Wrong(BaseAction[NoModel]):
            pass

    with pytest.raises(ActionError, match="NoModel, which is no pydantic model"):
        action("named", [], params=NoModel)


def test_a_model_named_by_a_text_is_found_or_told():
    """BaseAction["Name"] finds a model of the module, and says what to do when there is none."""

    class Found(BaseAction["UploadParams"]):
        pass

    assert Found.params_model is UploadParams
    with pytest.raises(ActionError, match="'Missing', which is not defined yet"):

        class Lost(BaseAction["Missing"]):
            pass


class Aliased(BaseModel):
    """Fields that are called otherwise when they are given."""

    kind: str = Field("raw", alias="type")
    size: int = Field(1, validation_alias=AliasChoices("size_kb", "kb"))
    deep: int = Field(1, validation_alias=AliasPath("outer", "inner"))


def test_a_name_that_pydantic_would_ignore_is_told():
    """A field that goes by an alias only is not taken by its name, which would lose the value."""
    with pytest.raises(ParamsError) as error:
        validated(Aliased, {"kind": "x", "kb": 2}, "upload")
    assert error.value.fields == (("kind", "unknown param; this one is called type"),)
    made = validated(Aliased, {"type": "x", "kb": 2, "outer": {"inner": 3}}, "upload")
    assert (made.kind, made.size, made.deep) == ("x", 2, 3)


def test_a_value_that_is_missing_deep_inside_is_not_another_one_of_that_name():
    """Without `outer`, its `inner` has the default, whatever the `inner` beside it is."""

    class Beside(BaseModel):
        deep: int = Field(1, validation_alias=AliasPath("outer", "inner"))
        inner: int = 2
        needed: int

    made = [unchecked(Beside, {"inner": 3}), partial(Beside, {"inner": 3}, "upload")]
    assert [(each.deep, each.inner) for each in made] == [(1, 3), (1, 3)]


class Strict(BaseModel, extra="forbid"):
    """Says itself that it takes nothing else."""

    parts: int = 1
    rate: ByteSize | None = None
    inner: Strict | None = None


def test_a_model_that_forbids_others_says_what_was_meant():
    """A misspelt name is told with near ones, also where pydantic refuses it, at any depth."""
    with pytest.raises(ParamsError) as error:
        validated(Strict, {"partz": 2, "inner": {"inner": {"reat": 1}}, "other": 3}, "upload")
    assert error.value.fields == (
        ("inner.inner.reat", "unknown param; did you mean rate?"),
        ("partz", "unknown param; did you mean parts?"),
        ("other", "unknown param"),
    )


@pytest.mark.parametrize("given", ["abc", "3 foos"])
def test_a_size_that_is_none_says_what_one_looks_like(given):
    """Not how it would have been parsed."""
    with pytest.raises(ParamsError) as error:
        validated(Strict, {"rate": given}, "upload")
    told = f"is not a size, such as 500kB or 20MiB (given: {given!r})"
    assert error.value.fields == (("rate", told),)


def test_unknown_params_are_found_in_nested_models():
    """A misspelt name inside a nested model is told with its path; pydantic would ignore it."""
    with pytest.raises(ParamsError) as error:
        validated(UploadParams, {"source": "a", "target": {"bucket": "b", "prats": 2}}, "upload")
    assert error.value.fields == (("target.prats", "unknown param; did you mean parts?"),)


def test_what_a_validator_raises_is_told_without_pydantics_prefix():
    """A ValueError reads as its author wrote it; another exception is named, not a traceback."""

    class Picky(BaseModel):
        a: int = 1

        @model_validator(mode="after")
        def check(self):
            if self.a == 1:
                raise ValueError("a must not be 1")
            raise RuntimeError("no table\nsecond line")

    with pytest.raises(ParamsError) as error:
        validated(Picky, {}, "picky")
    assert error.value.fields == (("", "a must not be 1"),)
    for check in (validated, partial):
        with pytest.raises(ParamsError) as error:
            check(Picky, {"a": 2}, "picky")
        assert error.value.fields == (("", "Picky raised RuntimeError: no table"),)


def test_a_model_that_contains_itself_is_fine():
    """Secrets and unknown names of a recursive model are looked for once."""
    made = validated(Tree, {"child": {"key": "x"}}, "tree")
    assert made.child.key.get_secret_value() == "x"
    with pytest.raises(ParamsError, match=r"child\.kye: unknown param"):
        validated(Tree, {"child": {"kye": "x"}}, "tree")


class Tree(BaseModel):
    """A model that contains itself."""

    key: SecretStr = SecretStr("")
    child: Tree | None = None


def test_a_long_value_is_shortened():
    """A megabyte that is of the wrong type is not repeated in the message."""
    with pytest.raises(ParamsError) as error:
        validated(UploadParams, {"source": ["x" * 1_000_000]}, "upload")
    assert len(str(error.value)) < 300


class Inside(BaseModel):
    """A nested model with a secret."""

    token: SecretStr

    @field_validator("token")
    @classmethod
    def check(cls, token):
        int(token.get_secret_value())
        return token


class Guarded(BaseModel):
    """Secrets in every place that they can be in."""

    inside: Inside | None = None
    many: list[SecretStr] = []
    by_name: dict[str, SecretStr] = {}
    models: list[Inside] = []
    either: Inside | int | None = None
    marked: Annotated[str, FromEnv("ACME")] = ""


@pytest.mark.parametrize(
    "given",
    [
        {"inside": {"token": "hunter2"}},
        {"inside": ["hunter2"]},
        {"inside": "hunter2"},
        {"many": [["hunter2"]]},
        {"many": "hunter2"},
        {"by_name": {"a": ["hunter2"]}},
        {"models": [{"token": "hunter2"}]},
        {"models": [["hunter2"]]},
        {"either": {"token": "hunter2"}},
        {"marked": ["hunter2"]},
    ],
)
@pytest.mark.parametrize("check", [validated, partial])
def test_no_secret_is_shown_wherever_it_is(given, check):
    """Nested secrets, and what stands in their place, appear neither in errors nor tracebacks."""
    with pytest.raises(ParamsError) as error:
        check(Guarded, given, "guarded")
    assert "hunter" not in "".join(traceback.format_exception(error.value))


class Wanted(BaseModel):
    """Params of which a plan may need some."""

    count: int
    other: str
    day: datetime.date | None = None
    target: Target
    lazy: list[int] = Field(default_factory=lambda: [1 // 0])

    @property
    def double(self):
        return self.count * 2

    def plus(self, more):
        return self.count + more


def test_known_params_read_as_the_model_would_hold_them():
    """With others missing, given text becomes the type of its field, in nested models too."""
    given = {"count": "3", "day": "2024-05-06", "target": {"parts": "7"}}
    params = partial(Wanted, given, "want")
    assert (params.count, params.day) == (3, datetime.date(2024, 5, 6))
    assert params.target.parts == 7
    assert (params.double, params.plus(1)) == (6, 4)
    with pytest.raises(ParamsNeededError, match=r"needs the param 'target\.bucket'"):
        _ = params.target.bucket
    with pytest.raises(ParamsNeededError, match="needs the param 'other'"):
        params.model_dump()
    with pytest.raises(ZeroDivisionError):
        _ = params.lazy


def test_a_wrong_value_is_refused_also_where_the_model_cannot_be_asked():
    """A given value is checked by its type even when a default of the model raises."""
    with pytest.raises(ParamsError) as error:
        partial(Wanted, {"count": "x"}, "want")
    assert [path for path, _ in error.value.fields] == ["count"]


def test_what_a_field_with_a_default_lacks_may_be_missing_too():
    """The model says that it is missing, though it needs no value for the field around it."""

    class Inner(BaseModel):
        bucket: str

    class Outer(BaseModel):
        target: Inner = Field(default_factory=dict, validate_default=True)

    assert partial(Outer, {}, "outer").target == {}


def test_an_action_without_a_model_wants_a_mapping():
    """Without a model, params that are no mapping are refused in one line."""
    with pytest.raises(ParamsError, match="expected a mapping, not int"):
        BaseAction(3, packs=())
