"""Values are what a frozen dataclass with slots and keywords is."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any, Generic, TypeVar

import pytest

from handrail.frozen import frozen, replace, values_of

T = TypeVar("T")


@frozen
class Made(Generic[T]):
    """A value."""

    name: T
    size: int = 0
    parts: tuple[str, ...] = ()

    @property
    def double(self) -> int:
        return 2 * self.size


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Usual(Generic[T]):
    """A value."""

    name: T
    size: int = 0
    parts: tuple[str, ...] = ()


BOTH: Any = pytest.mark.parametrize("cls", [Made, Usual])


@BOTH
def test_it_takes_what_a_dataclass_takes(cls: Any) -> None:
    """Keywords only; what is missing or unknown is a TypeError that names it."""
    value = cls(name="a")
    assert (value.name, value.size, value.parts) == ("a", 0, ())
    with pytest.raises(TypeError, match=r"__init__\(\).*'name'"):
        cls()
    with pytest.raises(TypeError, match=r"__init__\(\).*'sise'"):
        cls(name="a", sise=1)
    with pytest.raises(TypeError):
        cls("a")


@BOTH
def test_it_compares_and_prints_as_a_dataclass_does(cls: Any) -> None:
    """Equal by class and fields, hashable where the fields are, shown with their names."""
    assert cls(name="a") == cls(name="a") != cls(name="b")
    assert cls(name="a").__eq__("a") is NotImplemented
    assert hash(cls(name="a")) == hash(("a", 0, ()))
    with pytest.raises(TypeError, match="unhashable"):
        hash(cls(name=[]))
    assert repr(cls(name="a")) == f"{cls.__name__}(name='a', size=0, parts=())"


@BOTH
def test_it_cannot_be_changed(cls: Any) -> None:
    """Neither set nor deleted, and no other attribute is taken."""
    value = cls(name="a")
    with pytest.raises(AttributeError, match="name"):
        value.name = "b"
    with pytest.raises(AttributeError, match="name"):
        del value.name
    assert not hasattr(value, "__dict__")


@BOTH
def test_it_can_be_copied_and_sent_to_another_process(cls: Any) -> None:
    """As the problems of an error are."""
    value = cls(name="a", size=2, parts=["x"])
    for again in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert again == value
        assert type(again) is cls


def test_a_changed_copy_is_made_of_its_fields() -> None:
    """`replace` and `values_of` know the fields, and what else the class has stays."""
    value = replace(Made(name="a"), size=4)
    assert values_of(value) == {"name": "a", "size": 4, "parts": ()}
    assert value.double == 8
    assert (Made.__doc__, Made.__qualname__, Made.__module__) == ("A value.", "Made", __name__)
