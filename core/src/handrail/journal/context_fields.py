"""Encodes the fields of a context as JSON, for a durable run, and restores them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from inspect import get_annotations
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, cast, get_args, get_origin, get_type_hints

from handrail.context import INTERCEPT, LINK, OPTIONS, RECORDER, BaseStepContext
from handrail.errors import ContextError, describe
from handrail.journal.damage import decode

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_REPLACED = "\\ufffd"  # Pydantic's replacement for text that is not valid Unicode, in JSON.
_PLAIN = (str, int, bool)
_OWN_MODULE = BaseStepContext.__module__
_OURS = frozenset(each.name for each in fields(BaseStepContext)) | {
    *(LINK, RECORDER, OPTIONS, INTERCEPT),
    "__orig_class__",  # Set by typing where the class was called as MyContext[MyParams](...).
}


class ContextFields:
    """Encodes the fields that a context class declares, except transient ones.

    A field declared with `field(metadata={"transient": True})` is not stored; the `restore` of a
    step recreates it. `params` is transient too, and is recreated from the recorded params.

    Args:
        cls: The class of the context.
        transient: Names of further transient fields, those filled from secret params.

    Raises:
        ContextError: The type of a field cannot be stored, or contains a secret.
    """

    def __init__(self, cls: type[BaseStepContext], transient: frozenset[str] = frozenset()) -> None:
        self._cls = cls
        self._kinds: dict[str, Any] = {}
        self._adapters: dict[str, TypeAdapter[Any]] = {}
        self._transient: set[str] = set()
        self._odd: set[str] = set()  # Fields for which the fast path failed once.
        stored: list[str] = []
        for each in fields(cls):
            if each.name in _OURS:
                continue
            if each.metadata.get("transient") or each.name == "params" or each.name in transient:
                self._transient.add(each.name)
            else:
                stored.append(each.name)
        hints = _hints(cls, stored)
        for name in stored:
            self._kinds[name] = kind = hints.get(name, Any)
            if not _is_json(kind):  # Others can be stored: their adapters wait for such a value.
                self._adapters[name] = _adapter(cls, name, kind)
        self._known = _OURS | self._transient | set(self._kinds)

    def encode(self, context: BaseStepContext, before: Mapping[str, str]) -> dict[str, str]:
        """Return the JSON of each field that differs from `before`.

        Raises:
            ContextError: A field cannot be encoded, or the context has an undeclared attribute.
        """
        values = context.__dict__
        if len(values) > len(self._known) or not values.keys() <= self._known:
            unknown = sorted(values.keys() - self._known)
            if unknown:
                raise ContextError(
                    f"{self._cls.__qualname__}.{unknown[0]} is not a declared field, so a durable "
                    "run would lose it",
                    ways_out=(
                        f"declare it:  {unknown[0]}: TYPE = field(...)",
                        "or, if it cannot be stored:  field(metadata={'transient': True})",
                    ),
                )
        changed: dict[str, str] = {}
        for name, kind in self._kinds.items():
            if name not in values:
                continue
            try:
                text = _as_it_is(kind, values[name]) or self._encode(name, values[name])
            except Exception as error:
                raise ContextError(
                    f"{self._cls.__qualname__}.{name} cannot be stored: {describe(error)}",
                    ways_out=(
                        "give it a value of its declared type, or "
                        "field(metadata={'transient': True})",
                    ),
                ) from error
            if before.get(name) != text:
                changed[name] = text
        return changed

    def _adapter(self, name: str) -> TypeAdapter[Any]:
        if name not in self._adapters:
            self._adapters[name] = _adapter(self._cls, name, self._kinds[name])
        return self._adapters[name]

    def _encode(self, name: str, value: Any) -> str:
        adapter = self._adapter(name)
        if name not in self._odd:
            # Ten times as fast, but it fails on text that is not valid Unicode, and turns NaN
            # into null.
            with suppress(Exception):
                encoded = adapter.dump_json(value, warnings="error")
                if encoded.isascii() and b"null" not in encoded:
                    return encoded.decode("ascii")
            self._odd.add(name)
        try:
            plain = adapter.dump_python(value, mode="json", warnings="error")
        except UnicodeEncodeError:
            return _with_odd_keys(adapter.dump_python(value, warnings="error"))
        text = json.dumps(plain, separators=(",", ":"))
        if _REPLACED in text:
            as_it_is = adapter.dump_python(value, warnings="error")
            if _has_odd_key(as_it_is):
                return _with_odd_keys(as_it_is)
        return text

    def restore(self, context: BaseStepContext, stored: Mapping[str, str], run: int) -> None:
        """Set the fields of `context` to the stored values of the run with the number `run`.

        Raises:
            JournalDamagedError: A stored value is not JSON.
            ContextError: A stored value no longer matches the type of its field.
        """
        for name, text in stored.items():
            if name not in self._kinds:
                continue  # The field was removed after the run began.
            plain = decode(text, object, run, f"the value of the context's '{name}'")
            try:
                # None is a common initial value in fields whose type does not allow it.
                value = None if plain is None else self._adapter(name).validate_python(plain)
            except Exception as error:
                raise ContextError(
                    f"what the journal has for {self._cls.__qualname__}.{name} does not fit it "
                    f"any more: {describe(error)}",
                    ways_out=("install the version of the code that began this run",),
                ) from error
            object.__setattr__(context, name, value)


def _is_json(kind: Any) -> bool:
    """Return whether a type consists of types of JSON, so that it can surely be stored."""
    if kind is Any or kind in (*_PLAIN, float, type(None)):
        return True
    parts: tuple[Any, ...] = get_args(kind)
    return get_origin(kind) in (dict, list, Union, UnionType) and all(map(_is_json, parts))


def _as_it_is(kind: Any, value: Any) -> str | None:
    """Return the JSON of a value that most fields begin with; None for others, which take longer.

    It is the JSON that pydantic leads to, without the serializer of its type.
    """
    given = cast("type[object]", type(value))
    if given is dict or given is list:
        return json.dumps(value) if not value and get_origin(kind) is given else None
    fits = kind is Any or kind is given
    if not fits and get_origin(kind) in (Union, UnionType):
        fits = given in get_args(kind)
    return json.dumps(value) if fits and (given in _PLAIN or value is None) else None


def _has_odd_key(value: Any) -> bool:
    """Return whether `value` has a dict with a key that is not valid Unicode (an odd file name)."""
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", cast("object", value)).items()
        return any(
            (isinstance(key, str) and key.encode(errors="replace").decode() != key)
            or _has_odd_key(each)
            for key, each in items
        )
    if isinstance(value, list | tuple):
        return any(map(_has_odd_key, cast("list[Any]", cast("object", value))))
    return False


def _with_odd_keys(value: Any) -> str:
    """Return JSON made without pydantic, which rejects or replaces keys that are not Unicode."""
    try:
        return json.dumps(value, separators=(",", ":"))
    except TypeError as error:
        raise ValueError(
            "one of its keys is not valid Unicode, and its values have no JSON form"
        ) from error


def _hints(cls: type[BaseStepContext], names: Collection[str]) -> dict[str, Any]:
    """Return the types of the fields called `names`; the others may be known to checkers only."""
    hints: dict[str, Any] = {}
    for part in reversed(cls.__mro__):
        # Skip our base class: its annotations name imports that only type checkers see.
        if part.__module__ == _OWN_MODULE:
            continue
        try:
            own = {name: kind for name, kind in get_annotations(part).items() if name in names}
            bare = type(part.__name__, (), {"__annotations__": own, "__module__": part.__module__})
            hints.update(get_type_hints(bare, include_extras=True))
        except Exception as error:
            raise ContextError(
                f"the types of the fields of {part.__qualname__} cannot be read: {describe(error)}",
                ways_out=("import what they name outside of `if TYPE_CHECKING:`",),
            ) from error
    return hints


def _adapter(cls: type[BaseStepContext], name: str, kind: Any) -> TypeAdapter[Any]:
    from pydantic import PydanticUserError, TypeAdapter  # noqa: PLC0415 - only durable runs need it

    if _holds_secret(kind):
        raise ContextError(
            f"{cls.__qualname__}.{name} contains a secret, which is never stored",
            ways_out=("declare it with field(metadata={'transient': True})",),
        )
    try:
        try:
            # Otherwise NaN becomes null in values whose declared type is not float.
            return TypeAdapter(kind, config={"ser_json_inf_nan": "constants"})
        except PydanticUserError:  # A model has its own configuration.
            return TypeAdapter(kind)
    except Exception as error:
        shown = getattr(kind, "__qualname__", str(kind))
        raise ContextError(
            f"{cls.__qualname__}.{name} is declared as {shown}, which cannot be stored",
            ways_out=(
                "declare it with field(metadata={'transient': True}), and recreate it in "
                "restore() of the step that creates it",
            ),
        ) from error


def _holds_secret(kind: Any, seen: tuple[Any, ...] = ()) -> bool:
    """Return whether a type is or contains a secret type, also in models and dataclasses."""
    if hasattr(kind, "get_secret_value"):
        return True
    if kind in seen:
        return False
    parts: list[Any] = list(get_args(kind))
    if is_dataclass(kind) or hasattr(kind, "model_fields"):
        try:
            parts += get_type_hints(cast("Any", kind)).values()
        except Exception:  # noqa: BLE001 - creating the adapter reports the error
            return False
    return any(_holds_secret(each, (*seen, cast("Any", kind))) for each in parts)
