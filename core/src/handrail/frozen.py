"""Immutable values: `@dataclass(frozen=True, slots=True, kw_only=True)` at lower cost.

A listing of packs knows two dozen classes of values. Were they dataclasses, a warm `handrail packs`
would take 272 million instructions instead of 220 (callgrind, 50 packs among 1000 distributions,
Python 3.11): `dataclasses` writes methods for each class, and here all of them share theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, cast, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ClassVar

    _Setter = Callable[[object, Any], None]

T = TypeVar("T")


NOTHING: Mapping[Any, Any] = MappingProxyType({})
"""An empty mapping for defaults, which all instances share."""


@dataclass_transform(eq_default=True, frozen_default=True, kw_only_default=True)
def frozen(cls: type[T]) -> type[T]:
    """Make a class of immutable values with slots and keyword-only arguments.

    Its fields are its own annotations; `ClassVar`, and fields in a base class, are not supported.
    """
    space = {name: each for name, each in vars(cls).items() if name not in _PER_CLASS}
    names = tuple(cls.__annotations__)
    defaults = {name: space.pop(name) for name in names if name in space}
    space |= {"__qualname__": cls.__qualname__, "__slots__": names}
    bases = (*(base for base in cls.__bases__ if base is not object), _Value)
    again: Any = cast("Any", type(cls))(cls.__name__, bases, space)
    # Look up the setters once, instead of by name for each instance.
    setters: dict[str, _Setter] = {name: again.__dict__[name].__set__ for name in names}
    again._required = [(name, setters[name]) for name in names if name not in defaults]
    again._optional = [(name, setters[name], default) for name, default in defaults.items()]
    return cast("type[T]", again)


def replace(value: T, /, **changes: Any) -> T:
    """Return a copy of a value of a `frozen` class with some fields changed."""
    return type(value)(**{**values_of(value), **changes})


def values_of(value: object) -> dict[str, Any]:
    """Return the fields of a value of a `frozen` class, by name."""
    names: tuple[str, ...] = cast("Any", value).__slots__
    return {name: getattr(value, name) for name in names}


# Attributes that `type` creates for each class.
_PER_CLASS = ("__dict__", "__weakref__")


class _Value:
    """The base class of all `frozen` classes."""

    __slots__ = ()
    _required: ClassVar[list[tuple[str, _Setter]]]
    _optional: ClassVar[list[tuple[str, _Setter, Any]]]

    def __init__(self, /, **given: Any) -> None:
        take = given.pop
        try:
            for name, put in self._required:
                put(self, take(name))
        except KeyError as missing:
            raise TypeError(f"{type(self).__qualname__}.__init__() misses {missing}") from None
        for name, put, default in self._optional:
            put(self, take(name, default))
        if given:
            unknown = ", ".join(map(repr, given))
            raise TypeError(f"{type(self).__qualname__}.__init__() does not know {unknown}")

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values_of(self) == values_of(other)

    def __hash__(self) -> int:
        return hash(tuple(values_of(self).values()))

    def __repr__(self) -> str:
        fields = (f"{name}={each!r}" for name, each in values_of(self).items())
        return f"{type(self).__qualname__}({', '.join(fields)})"

    def __reduce__(self) -> tuple[Any, ...]:
        # By default, `copy` and `pickle` would set the fields, which is not allowed.
        return partial(type(self), **values_of(self)), ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot assign to field {name!r} of {type(self).__qualname__}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete field {name!r} of {type(self).__qualname__}")
