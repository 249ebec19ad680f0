"""Immutable values: `@dataclass(frozen=True, slots=True, kw_only=True)` at lower cost.

A listing of packs knows two dozen classes of values. Were they dataclasses, a warm `handrail packs`
would take 272 million instructions instead of 220 (callgrind, 50 packs among 1000 distributions,
Python 3.11): `dataclasses` writes methods for each class, and here all of them share theirs, but
for `__init__`, which is written when the first value of a class is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, cast, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ClassVar

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
    again._defaults = defaults
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
    _defaults: ClassVar[dict[str, Any]]

    def __init__(self, /, **given: Any) -> None:
        # Written for a class when its first value is made: most are only defined in a run.
        written: Any = self._initializer()
        type(self).__init__ = written  # type: ignore[method-assign]
        written(self, **given)

    @classmethod
    def _initializer(cls) -> Callable[..., None]:
        names = cast("tuple[str, ...]", cls.__slots__)
        space: dict[str, Any] = {f"default_{name}": each for name, each in cls._defaults.items()}
        space |= {f"set_{name}": getattr(cls, name).__set__ for name in names}
        taken = [f"{name}=default_{name}" if name in cls._defaults else name for name in names]
        sets = [f"set_{name}(self, {name})" for name in names]
        given = f", *, {', '.join(taken)}" if taken else ""
        exec(f"def __init__(self, /{given}): {'; '.join(sets) or 'pass'}", space)
        made: Any = space["__init__"]
        made.__qualname__ = f"{cls.__qualname__}.__init__"
        return cast("Callable[..., None]", made)

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
