"""Values are what a dataclass with slots is."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import weakref
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import pytest

from handrail.frozen import as_json, from_json, frozen, record, replace, values_of

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


@frozen
class Derived(Made[str]):
    """A value with the fields of its base class, too."""

    seen: list[str] = dataclasses.field(default_factory=list[str], compare=False)
    secret: str = dataclasses.field(default="x", repr=False)
    wanted: int = dataclasses.field()


@frozen(eq=False, kw_only=False)
class Thing:
    """A value that is not compared, and takes its fields by place."""

    name: str
    size: int = 1


@record
class Changing:
    """An object that can be changed."""

    __slots__ = ("__weakref__",)

    name: str
    parts: list[str] = dataclasses.field(default_factory=list[str])


def test_fields_come_from_the_base_classes_too() -> None:
    """Whichever of the classes had a value first."""
    assert Made(name="b").parts == ()
    one, other = (Derived(name="a", wanted=1) for _ in range(2))
    assert values_of(one) == {
        "name": "a",
        "size": 0,
        "parts": (),
        "seen": [],
        "secret": "x",
        "wanted": 1,
    }
    one.seen.append("by itself")
    assert other.seen == []
    assert one == other != Made(name="a")
    assert repr(other) == "Derived(name='a', size=0, parts=(), seen=[], wanted=1)"
    with pytest.raises(TypeError, match="wanted"):
        Derived(name="a")  # type: ignore[call-arg]


def test_values_can_be_taken_by_place_and_told_apart_by_identity() -> None:
    """As requests and planned steps are."""
    assert repr(Thing("a")) == "Thing(name='a', size=1)"
    assert Thing("a") != Thing("a")
    assert len({Thing("a"), Thing("a")}) == 2
    with pytest.raises(AttributeError, match="size"):
        Thing("a").size = 2  # type: ignore[misc]


def test_a_record_can_be_changed_and_is_compared_by_identity() -> None:
    """It has no other attributes than its fields."""
    one, other = Changing("a"), Changing(name="a")
    one.name = "b"
    one.parts.append("x")
    assert (one.name, one.parts, other.parts) == ("b", ["x"], [])
    assert one != replace(one, name="b")
    assert weakref.ref(one)() is one
    with pytest.raises(AttributeError, match="sise"):
        one.sise = 1  # type: ignore[attr-defined]


def test_dataclasses_know_their_fields() -> None:
    """`replace`, `asdict` and `fields` of the standard library take them, whatever came first."""
    for value in (Made(name="a"), Derived(name="a", wanted=1), Changing("a")):
        names = [field.name for field in dataclasses.fields(value)]
        assert names == list(values_of(value))
        assert dataclasses.asdict(value) == values_of(value)
        assert dataclasses.replace(value, name="b").name == "b"


def test_nothing_is_written_until_a_value_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """To define a class compiles no code, and to make values compiles it once."""
    written: list[str] = []

    def counted(code: str, space: dict[str, Any]) -> None:
        written.append(code)
        exec(code, space)

    monkeypatch.setattr("handrail.frozen.exec", counted, raising=False)

    @frozen
    class Late:
        """A value."""

        name: str

    assert written == []
    assert [Late(name=name).name for name in "ab"] == ["a", "b"]
    assert len(written) == 1


def test_a_class_may_have_any_private_names_of_its_own() -> None:
    """What is noted of a class to make its values does not hide them."""

    @frozen
    class Counting:
        """A value."""

        name: str

        def _count(self) -> str:
            return self.name

    assert [Counting(name=name)._count() for name in "ab"] == ["a", "b"]


class Pair(NamedTuple):
    """A named tuple in a value."""

    left: int
    right: str = "r"


@frozen
class Inner:
    """A value in a value."""

    name: str
    share: float | None = None


@frozen
class Outer:
    """A value of all kinds that have a JSON form."""

    word: Literal["a", "b"]
    pairs: tuple[Pair, ...] = ()
    two: tuple[int, str] = (1, "x")
    inner: Inner | None = None
    named: Mapping[str, Inner] = MappingProxyType({})
    anything: Any = None


def test_a_value_comes_back_from_its_json() -> None:
    """Whatever is in it; keys that are not known are ignored."""
    value = Outer(
        word="b",
        pairs=(Pair(1), Pair(2, "s")),
        inner=Inner(name="i", share=1),
        named={"n": Inner(name="m")},
        anything=[{"x": [None]}],
    )
    text = json.dumps({**as_json(value), "later": 1})
    assert from_json(Outer, json.loads(text)) == value


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("word", "c"),
        ("pairs", [["1"]]),
        ("pairs", [[1, "r", 2]]),
        ("two", [1]),
        ("inner", {"name": 1}),
        ("inner", {}),
        ("inner", []),
        ("named", {"n": None}),
        ("named", []),
    ],
)
def test_what_is_not_the_json_of_a_value_is_refused(name: str, wrong: Any) -> None:
    """In any place."""
    with pytest.raises((ValueError, TypeError)):
        from_json(Outer, {"word": "a", name: wrong})
