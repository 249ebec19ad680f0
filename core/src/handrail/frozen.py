"""Classes of values that are cheap to define: like dataclasses with slots, at lower cost.

A command defines dozens of them, and makes few values of most. A dataclass writes and compiles its
methods when it is defined, 3.6 million instructions for one that is frozen; here all classes share
theirs, but for `__init__`, which is written with the first value of a class: 0.15 million
(callgrind, Python 3.11). An import of pydantic takes 340 million.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache, partial
from types import MappingProxyType, NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    TypeVar,
    Union,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import Field, field
else:
    field = None

__all__ = ["as_json", "from_json", "frozen", "record", "replace", "values_of"]

T = TypeVar("T")


NOTHING: Mapping[Any, Any] = MappingProxyType({})
"""An empty mapping for defaults, which all instances share."""


@overload
def frozen(cls: type[T], /) -> type[T]: ...
@overload
def frozen(*, eq: bool = True, kw_only: bool = True) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(
    eq_default=True, frozen_default=True, kw_only_default=True, field_specifiers=(field,)
)
def frozen(cls: type[T] | None = None, /, *, eq: bool = True, kw_only: bool = True) -> Any:
    """Make a class of immutable values with slots, by default with keyword-only arguments.

    Its fields are its annotations, and those of base classes that are frozen, too. They may have
    defaults, and `dataclasses.field` with a default, a `default_factory`, `repr` or `compare`.
    `__post_init__` may check them; `ClassVar` and `InitVar` are not supported.

    Args:
        cls: The class.
        eq: Whether values are compared by their fields, and not by their identity.
        kw_only: Whether arguments are only taken by name.
    """
    parts = (_Immutable, _Equal, _Value) if eq else (_Immutable, _Value)
    made = partial(_made, parts=parts, kw_only=kw_only)
    return made if cls is None else made(cls)


@dataclass_transform(eq_default=False, field_specifiers=(field,))
def record(cls: type[T], /) -> type[T]:
    """Make a class of objects with slots, which can be changed, and are told apart by identity.

    Its fields are those of `frozen`; arguments are taken by place or by name.
    """
    return _made(cls, parts=(_Value,), kw_only=False)


def replace(value: T, /, **changes: Any) -> T:
    """Return a copy of a value of a `frozen` class with some fields changed."""
    return type(value)(**{**values_of(value), **changes})


def values_of(value: object) -> dict[str, Any]:
    """Return the fields of a value of a `frozen` class, by name."""
    return {name: getattr(value, name) for name in names_of(type(value))}


def names_of(cls: type) -> tuple[str, ...]:
    """Return the names of the fields of a `frozen` class."""
    return cast("tuple[str, ...]", cast("Any", cls)._names)


def as_json(value: object) -> Any:
    """Return the JSON form of a value; that of a `frozen` class has its fields by name."""
    if isinstance(value, _Value):
        return {name: as_json(each) for name, each in values_of(value).items()}
    if isinstance(value, dict | MappingProxyType):
        items = cast("Mapping[str, Any]", value).items()
        return {name: as_json(each) for name, each in items}
    if isinstance(value, tuple | list):
        return [as_json(each) for each in cast("list[Any]", value)]
    return value


@overload
def from_json(kind: type[T], value: Any) -> T: ...
@overload
def from_json(kind: Any, value: Any) -> Any: ...
def from_json(kind: Any, value: Any) -> Any:
    """Return the value of a type that has this JSON form; see `as_json`.

    Args:
        kind: The type: a `frozen` class or a named tuple with such types, text, a number, a truth
            value, a union, a `Literal`, a tuple, or a list or mapping.
        value: The JSON. Keys that a class does not have are ignored; it has its defaults for those
            that are missing.

    Raises:
        ValueError: It is not the form of such a value.
        TypeError: A key without a default is missing.
    """
    origin, args = get_origin(kind) or kind, get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, UnionType):
        return _first(args, value)
    if isinstance(value, list) and isinstance(origin, type):
        return _from_list(origin, args, cast("Any", value))
    if isinstance(value, dict) and isinstance(origin, type):
        return _from_dict(origin, args, cast("Any", value))
    found: type = type(cast("object", value))
    is_float = kind is float and found is int
    if not (value in args if origin is Literal else is_float or found is kind):
        raise ValueError(f"{found.__name__} in place of {getattr(kind, '__name__', kind)}")
    return cast("Any", value)


def _first(kinds: tuple[Any, ...], value: Any) -> Any:
    # If none fits, the error is that of the last one.
    *others, last = sorted(kinds, key=lambda kind: kind is not NoneType)
    for kind in others:
        with suppress(ValueError, TypeError):
            return from_json(kind, value)
    return from_json(last, value)


def _from_list(origin: Any, args: tuple[Any, ...], items: list[Any]) -> Any:
    kinds = args[:1] * len(items)
    if hasattr(origin, "_fields"):
        kinds = tuple(_kinds_of(origin).values())[: len(items)]
        return origin(*(from_json(*each) for each in zip(kinds, items, strict=True)))
    if issubclass(origin, tuple):
        kinds = kinds if args[1:] == (...,) else args
        return tuple([from_json(*each) for each in zip(kinds, items, strict=True)])
    if not issubclass(list, origin):
        raise ValueError(f"list in place of {origin.__name__}")
    return items if args in ((), (Any,)) else [from_json(args[0], each) for each in items]


def _from_dict(origin: Any, args: tuple[Any, ...], fields: dict[str, Any]) -> Any:
    if issubclass(origin, _Value):
        kinds = _kinds_of(origin)
        known = [name for name in names_of(origin) if name in fields]
        return origin(**{name: from_json(kinds[name], fields[name]) for name in known})
    if not issubclass(dict, origin):
        raise ValueError(f"dict in place of {origin.__name__}")
    kind = args[1] if args else Any
    return {name: from_json(kind, each) for name, each in fields.items()}


@cache
def _kinds_of(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


# Attributes that `type` creates for each class.
_PER_CLASS = ("__dict__", "__weakref__")


def _made(cls: type[T], /, *, parts: tuple[type, ...], kw_only: bool) -> type[T]:
    space = {name: each for name, each in vars(cls).items() if name not in _PER_CLASS}
    own = tuple(cls.__annotations__)
    inherited: Any = cls
    names = (*getattr(inherited, "_names", ()), *own)
    defaults = {name: space.pop(name) for name in own if name in space}
    defaults = {**getattr(inherited, "_defaults", {}), **defaults}
    fields: Any = {name: each for name, each in defaults.items() if _is_field(each)}
    space.setdefault("__init__", _Value.__init__)
    space |= {
        "__qualname__": cls.__qualname__,
        "__slots__": (*space.get("__slots__", ()), *own),
        "__dataclass_fields__": _FIELDS,
        "_names": names,
        "_defaults": defaults,
        "_shown": tuple(each for each in names if each not in fields or fields[each].repr),
        "_compared": tuple(each for each in names if each not in fields or fields[each].compare),
        "_kw_only": kw_only,
    }
    bases = (*(base for base in cls.__bases__ if base is not object), *parts)
    return cast("type[T]", cast("Any", type(cls))(cls.__name__, bases, space))


class _Fields:
    """The fields as those of a dataclass, for `dataclasses.replace`, `asdict` and `fields`."""

    def __get__(self, value: object, owner: Any) -> dict[str, Field[Any]]:
        from dataclasses import dataclass  # noqa: PLC0415 - rarely asked for

        kinds: dict[str, Any] = {
            name: each
            for part in reversed(cast("type", owner).__mro__)
            for name, each in getattr(part, "__annotations__", {}).items()
        }
        space: dict[str, Any] = {
            **owner._defaults,
            "__annotations__": {name: kinds[name] for name in owner._names},
        }
        alike: Any = dataclass(kw_only=owner._kw_only)(type(owner.__name__, (), space))
        owner.__dataclass_fields__ = alike.__dataclass_fields__
        return cast("dict[str, Field[Any]]", alike.__dataclass_fields__)


_FIELDS = _Fields()


class _Value:
    """A base class of all classes that are made here."""

    __slots__ = ()
    _names: ClassVar[tuple[str, ...]]
    _shown: ClassVar[tuple[str, ...]]
    _defaults: ClassVar[dict[str, Any]]
    _kw_only: ClassVar[bool]

    def __init__(self, /, *values: Any, **given: Any) -> None:
        owner: Any = next(each for each in type(self).__mro__ if "_names" in vars(each))
        owner.__init__ = written = owner._initializer()
        written(self, *values, **given)

    @classmethod
    def _initializer(cls) -> Callable[..., None]:
        space: dict[str, Any] = {}
        taken: list[str] = []
        sets: list[str] = []
        for name in cls._names:
            default, factory = _default_of(cls._defaults, name)
            value = name
            if factory is not _NONE:
                default = space
                space[f"make_{name}"] = factory
                value = f"make_{name}() if {name} is default_{name} else {name}"
            if default is not _NONE:
                space[f"default_{name}"] = default
            taken.append(name if default is _NONE else f"{name}=default_{name}")
            if issubclass(cls, _Immutable):
                space[f"set_{name}"] = getattr(cls, name).__set__
                sets.append(f"set_{name}(self, {value})")
            else:
                sets.append(f"self.{name} = {value}")
        if hasattr(cls, "__post_init__"):
            sets.append("self.__post_init__()")
        if cls._kw_only and taken:
            taken.insert(0, "*")
        exec(f"def __init__(self, {', '.join(taken)}): {'; '.join(sets) or 'pass'}", space)
        made: Any = space["__init__"]
        made.__qualname__ = f"{cls.__qualname__}.__init__"
        return cast("Callable[..., None]", made)

    def __repr__(self) -> str:
        fields = (f"{name}={getattr(self, name)!r}" for name in self._shown)
        return f"{type(self).__qualname__}({', '.join(fields)})"

    def __reduce__(self) -> tuple[Any, ...]:
        # By default, `copy` and `pickle` would set the fields, which is not always allowed.
        return partial(type(self), **values_of(self)), ()


class _Equal:
    """Compares by fields."""

    __slots__ = ()
    _compared: ClassVar[tuple[str, ...]]

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self._compared)

    def __hash__(self) -> int:
        return hash(tuple([getattr(self, name) for name in self._compared]))


class _Immutable:
    """Cannot be changed."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot assign to field {name!r} of {type(self).__qualname__}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete field {name!r} of {type(self).__qualname__}")


_NONE: Any = object()  # Where there is no default, and no factory of defaults.


def _is_field(default: object) -> bool:
    return type(default).__name__ == "Field"


def _default_of(defaults: Mapping[str, Any], name: str) -> tuple[Any, Any]:
    """Return the default of a field, and what makes one."""
    given = defaults.get(name, _NONE)
    if not _is_field(given):
        return given, _NONE
    from dataclasses import MISSING  # noqa: PLC0415 - imported where the field was declared

    return tuple(
        _NONE if each is MISSING else each for each in (given.default, given.default_factory)
    )
