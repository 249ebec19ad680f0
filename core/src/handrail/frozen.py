"""Values that never change: what `@dataclass(frozen=True, slots=True, kw_only=True)` makes, later.

To make a dataclass takes the better part of a millisecond, and a command that lists packs knows
dozens of them. Here the methods that all can share are written once, `__init__` is made with the
first instance, and what `dataclasses` asks for when it asks. Instances behave the same.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast, dataclass_transform

if TYPE_CHECKING:
    from dataclasses import Field
    from inspect import Signature

T = TypeVar("T")

_REQUIRED: Any = object()


class _Made:
    """Stands for a default that is made anew for each instance."""

    __slots__ = ("default_factory",)

    def __init__(self, default_factory: Callable[[], Any]) -> None:
        self.default_factory = default_factory


def made(*, default_factory: Callable[[], T]) -> T:
    """Declare a field whose default is made anew for each instance."""
    return cast("T", _Made(default_factory))


@dataclass_transform(
    eq_default=True, frozen_default=True, kw_only_default=True, field_specifiers=(made,)
)
def frozen(cls: type[T]) -> type[T]:
    """Make a class whose instances are values: keyword arguments only, slots, never changed.

    Its own annotations are its fields: no `ClassVar` among them, and no fields in a base. An
    `__eq__` of the class itself stays, and then `__hash__` is its own affair, too.
    """
    space = dict(vars(cls))
    names = tuple(space.get("__annotations__") or cls.__annotations__)
    defaults = {name: space.pop(name, _REQUIRED) for name in names}
    for gone in ("__dict__", "__weakref__"):
        space.pop(gone, None)
    if "__eq__" not in space:
        space |= {"__eq__": _equal, "__hash__": _hashed}
    space |= {
        "__qualname__": cls.__qualname__,
        "__slots__": names,
        "__init__": _first_init,
        "__match_args__": (),
        "__dataclass_fields__": _Fields(),
        "__signature__": _Signature(),
        "_frozen_defaults": defaults,
        "_frozen_values": _values_of(names),
    }
    for name, method in _SHARED.items():
        space.setdefault(name, method)
    again: type[T] = cast("Any", type(cls))(cls.__name__, cls.__bases__, space)
    return again


def replace(value: T, /, **changes: Any) -> T:
    """Return a copy of a value that was made here, with some of its fields changed."""
    made_here: Any = value
    return cast("T", made_here.__replace__(**changes))


def values_of(value: object) -> dict[str, Any]:
    """Return the fields of a value that was made here, by name."""
    made_here: Any = value
    return dict(zip(made_here._frozen_defaults, made_here._frozen_values(made_here), strict=True))


def _values_of(names: tuple[str, ...]) -> Any:
    """Return what takes an instance and returns the values of its fields, as a tuple."""
    if len(names) > 1:
        return staticmethod(attrgetter(*names))

    def values(self: object) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in names)

    return staticmethod(values)


def _first_init(self: Any, /, **given: Any) -> None:
    _complete(_owner(self.__class__))(self, **given)


def _complete(cls: Any) -> Any:
    """Give a class the `__init__` for its fields, written as source as `dataclasses` does."""
    arguments: list[str] = []
    lines: list[str] = []
    space: dict[str, Any] = {"_set": object.__setattr__, "_unset": _REQUIRED}
    for number, (name, default) in enumerate(cls._frozen_defaults.items()):
        value = name
        if default is _REQUIRED:
            arguments.append(name)
        elif isinstance(default, _Made):
            arguments.append(f"{name}=_unset")
            space[f"_make_{number}"] = default.default_factory
            value = f"_make_{number}() if {name} is _unset else {name}"
        else:
            arguments.append(f"{name}=_default_{number}")
            space[f"_default_{number}"] = default
        lines.append(f"    _set(_self, {name!r}, {value})\n")
    exec(f"def __init__(_self, *, {', '.join(arguments)}):\n{''.join(lines)}", space)
    written = space["__init__"]
    written.__module__, written.__qualname__ = cls.__module__, f"{cls.__qualname__}.__init__"
    cls.__init__ = written
    return written


def _owner(cls: type) -> Any:
    """Return the class that was made here, of which `cls` may be a subclass."""
    return next(each for each in cls.__mro__ if "_frozen_defaults" in vars(each))


class _Fields:
    """What `dataclasses` knows a dataclass by; made by itself when it asks."""

    def __get__(self, instance: object, cls: type) -> dict[str, Field[Any]]:
        from dataclasses import dataclass, field  # noqa: PLC0415 - see above

        owner = _owner(cls)
        space: dict[str, Any] = {
            "__module__": owner.__module__,
            "__annotations__": owner.__annotations__,
        }
        for name, default in owner._frozen_defaults.items():
            if isinstance(default, _Made):
                space[name] = field(default_factory=default.default_factory)
            elif default is not _REQUIRED:
                space[name] = default
        twin: Any = dataclass(frozen=True, kw_only=True)(type(owner.__name__, (), space))
        owner.__dataclass_params__ = twin.__dataclass_params__
        owner.__dataclass_fields__ = twin.__dataclass_fields__
        found: dict[str, Field[Any]] = twin.__dataclass_fields__
        return found


class _Signature:
    """What `inspect` shows of a class; made when it asks."""

    def __get__(self, instance: object, cls: type) -> Signature | None:
        from inspect import signature  # noqa: PLC0415 - see above

        owner = _owner(cls)
        known: Any = cls
        if known.__init__ is not owner.__init__:
            return None  # A subclass that takes something else.
        whole = signature(_complete(owner))
        return whole.replace(parameters=list(whole.parameters.values())[1:])


def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self._frozen_values(self) == other._frozen_values(other)


def _hashed(self: Any) -> int:
    return hash(self._frozen_values(self))


def _shown(self: Any) -> str:
    fields = (f"{name}={getattr(self, name)!r}" for name in self._frozen_defaults)
    return f"{type(self).__qualname__}({', '.join(fields)})"


def _refuse_set(self: Any, name: str, value: Any) -> None:
    from dataclasses import FrozenInstanceError  # noqa: PLC0415 - see above

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: Any, name: str) -> None:
    from dataclasses import FrozenInstanceError  # noqa: PLC0415 - see above

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> tuple[Any, ...]:
    """Return what `copy` and `pickle` keep."""
    values: tuple[Any, ...] = self._frozen_values(self)
    return values


def _restore(self: Any, state: tuple[Any, ...]) -> None:
    for name, value in zip(self._frozen_defaults, state, strict=True):
        object.__setattr__(self, name, value)


def _replaced(self: Any, /, **changes: Any) -> Any:
    return type(self)(**{**values_of(self), **changes})


_SHARED: dict[str, Any] = {
    "__repr__": _shown,
    "__setattr__": _refuse_set,
    "__delattr__": _refuse_delete,
    "__getstate__": _state,
    "__setstate__": _restore,
    "__replace__": _replaced,
}
