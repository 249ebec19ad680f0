"""Values are what a frozen dataclass with slots and keywords is, though made later."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from typing import Any, Generic, TypeVar

import pytest

from handrail.frozen import frozen, made, replace, values_of

T = TypeVar("T")


@frozen
class Made(Generic[T]):
    """A value."""

    name: T
    size: int = 0
    parts: list[str] = made(default_factory=list[str])

    @property
    def double(self) -> int:
        return 2 * self.size


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Usual(Generic[T]):
    """A value."""

    name: T
    size: int = 0
    parts: list[str] = dataclasses.field(default_factory=list[str])


@frozen
class One:
    """One field, so that its values are still a tuple."""

    name: str


@frozen
class Own:
    """Compares in its own way."""

    name: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own)

    def __hash__(self) -> int:
        return 7


BOTH: Any = pytest.mark.parametrize("cls", [Made, Usual])


@BOTH
def test_it_takes_what_a_dataclass_takes(cls: Any) -> None:
    """Keywords only; what is missing or unknown is a TypeError; defaults are made anew."""
    value = cls(name="a")
    assert (value.name, value.size, value.parts) == ("a", 0, [])
    assert value.parts is not cls(name="a").parts
    for wrong in ({}, {"name": "a", "sise": 1}):
        with pytest.raises(TypeError, match=r"__init__\(\)"):
            cls(**wrong)
    with pytest.raises(TypeError):
        cls("a")


@BOTH
def test_it_compares_and_prints_as_a_dataclass_does(cls: Any) -> None:
    """Equal by class and fields, hashable where the fields are, shown with their names."""
    assert cls(name="a") == cls(name="a") != cls(name="b")
    assert cls(name="a") != dataclasses.replace(cls(name="a"), size=1)
    assert cls(name="a").__eq__("a") is NotImplemented
    assert hash(cls(name="a", parts=())) == hash(("a", 0, ()))
    with pytest.raises(TypeError, match="unhashable"):
        hash(cls(name="a"))
    assert repr(cls(name="a")) == f"{cls.__name__}(name='a', size=0, parts=[])"


@BOTH
def test_it_cannot_be_changed(cls: Any) -> None:
    """Neither set nor deleted, and no other attribute is taken."""
    value = cls(name="a")
    with pytest.raises(dataclasses.FrozenInstanceError, match="name"):
        value.name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError, match="name"):
        del value.name
    assert not hasattr(value, "__dict__")


@BOTH
def test_tools_know_it_as_a_dataclass(cls: Any) -> None:
    """`dataclasses`, `copy`, `pickle` and `inspect` do with it what they do with any other."""
    value = cls(name="a", size=2, parts=["x"])
    assert dataclasses.is_dataclass(cls)
    assert [each.name for each in dataclasses.fields(value)] == ["name", "size", "parts"]
    assert dataclasses.asdict(value) == {"name": "a", "size": 2, "parts": ["x"]}
    assert dataclasses.replace(value, size=3) == cls(name="a", size=3, parts=["x"])
    for again in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert again == value
    shown = list(inspect.signature(cls).parameters)
    assert shown == ["name", "size", "parts"]


def test_it_is_replaced_without_dataclasses() -> None:
    """`replace` and `values_of` tell of the fields, and properties stay."""
    value = replace(Made(name="a"), size=4)
    assert values_of(value) == {"name": "a", "size": 4, "parts": []}
    assert value.double == 8
    assert Made.__doc__ == "A value."
    assert (Made.__qualname__, Made.__module__) == ("Made", __name__)
    assert hash(One(name="a")) == hash(("a",))
    assert (Own(name="a"), hash(Own(name="a"))) == (Own(name="b"), 7)


def test_nothing_is_made_before_it_is_used() -> None:
    """A class gets its `__init__` with its first instance, and its fields when somebody asks."""

    @frozen
    class Late:
        name: str

    first = vars(Late)["__init__"]
    assert Late(name="a").name == "a"
    assert vars(Late)["__init__"] is not first
    assert not isinstance(vars(Late)["__dataclass_fields__"], dict)
    dataclasses.fields(Late)
    assert isinstance(vars(Late)["__dataclass_fields__"], dict)
