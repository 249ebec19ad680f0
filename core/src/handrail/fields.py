"""The fields of a params model: what each is called when it is given, and which hold secrets."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Union, cast, get_args, get_origin

from handrail.masks import HIDDEN
from handrail.names import did_you_mean
from handrail.params import FromEnv, is_model

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

PathOf = tuple[str, ...]
"""The way to a value through nested mappings."""


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of `model`, after looking up names that are defined below it."""
    if not model.__pydantic_complete__:
        model.model_rebuild(raise_errors=False)
    return model.model_fields


def paths_of(model: type[BaseModel], name: str) -> tuple[PathOf, ...]:
    """Return where a value for the field `name` is looked for, the preferred place first."""
    config: Mapping[str, Any] = cast("Mapping[str, Any]", model.model_config)
    alias: Any = model.model_fields[name].validation_alias
    if alias is None or config.get("validate_by_alias") is False:
        return ((name,),)
    choices: list[Any] = getattr(alias, "choices", [alias])
    ways = [(way,) if isinstance(way, str) else tuple(way.path) for way in choices]
    paths = [way for way in ways if all(isinstance(part, str) for part in way)]
    if config.get("populate_by_name") or config.get("validate_by_name") or not paths:
        paths.append((name,))
    return tuple(paths)


def bare(annotation: Any) -> Any:
    """Return a type without `Annotated`, `NewType`, a name made by `type`, and `None`."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, types.UnionType):
            rest = [each for each in get_args(annotation) if each is not type(None)]
            if len(rest) != 1:
                return Union[tuple(rest)]  # noqa: UP007 - made at run time
            annotation = rest[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that a field holds, directly or as an optional one."""
    kind = bare(annotation)
    return kind if is_model(kind) else None


def holds_secret(annotation: Any, seen: tuple[Any, ...] = ()) -> bool:
    """Return whether a value of this type has a secret anywhere in it."""
    kind = bare(annotation)
    if hasattr(kind, "get_secret_value"):
        return True
    if is_model(kind):
        return kind not in seen and any(
            is_secret(info) or holds_secret(info.annotation, (*seen, kind))
            for info in fields_of(kind).values()
        )
    return any(holds_secret(each, seen) for each in get_args(kind))


def is_secret(info: FieldInfo) -> bool:
    """Return whether a field as a whole is a secret: read from a variable, and never shown.

    A nested model that has secrets is none itself; a list or a choice of such models is.
    """
    if any(isinstance(entry, FromEnv) for entry in info.metadata):
        return True
    return model_in(info.annotation) is None and holds_secret(info.annotation)


def secrets_of(
    model: type[BaseModel], prefix: PathOf = (), seen: tuple[type, ...] = ()
) -> frozenset[PathOf]:
    """Return the paths of the fields of `model` whose values must not be shown."""
    found: set[PathOf] = set()
    for name, info in fields_of(model).items():
        inner = model_in(info.annotation)
        for path in paths_of(model, name):
            if is_secret(info):
                found.add((*prefix, *path))
            elif inner is not None and inner not in seen:
                found |= secrets_of(inner, (*prefix, *path), (*seen, model))
    return frozenset(found)


def touches(path: PathOf, secrets: frozenset[PathOf]) -> bool:
    """Return whether the value at `path` is a secret, is part of one, or has one in it."""
    return any(path[: len(each)] == each[: len(path)] for each in secrets)


def masked(text: str, values: object, secrets: frozenset[PathOf]) -> str:
    """Return `text` without the secrets that are among `values`."""
    for path in secrets:
        # What stands where a mapping with a secret was meant is a secret as well.
        for secret in _texts(value_at(values, path)):
            text = text.replace(secret, HIDDEN)
    return text


def value_at(values: object, path: PathOf, missing: object = None) -> Any:
    """Return the value at `path`; what stands in its way where that is no mapping."""
    for part in path:
        if not isinstance(values, Mapping):
            return values
        values = cast("Mapping[object, object]", values).get(part, missing)
    return values


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield from filter(None, (value,))
    elif isinstance(value, Mapping):
        for each in cast("Mapping[object, object]", value).values():
            yield from _texts(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in cast("list[object]", value):
            yield from _texts(each)


def unknown_fields(
    model: type[BaseModel], values: Mapping[str, Any], prefix: str = ""
) -> list[tuple[str, str]]:
    """Return `(path, message)` for each value that no field takes, in nested models too.

    A model that says itself what happens to extra values, forbids, allows or ignores them, is left
    alone.
    """
    fields = fields_of(model)
    known = {path[0]: name for name in fields for path in reversed(paths_of(model, name))}
    found: list[tuple[str, str]] = []
    for key, value in values.items():
        if key in known:
            inner = model_in(fields[known[key]].annotation)
            if inner is not None and isinstance(value, Mapping):
                nested = cast("Mapping[str, Any]", value)
                found += unknown_fields(inner, nested, f"{prefix}{key}.")
        elif model.model_config.get("extra") is None:
            found.append((f"{prefix}{key}", _unknown(model, str(key), known)))
    return found


def unknown_message(model: type[BaseModel], path: Sequence[int | str]) -> str:
    """Return what to say of a value at `path` that `model`, or one in it, forbids."""
    inner: type[BaseModel] | None = model
    for part in path[:-1]:
        field = None if inner is None else fields_of(inner).get(str(part))
        inner = None if field is None else model_in(field.annotation)
    if inner is None:
        return "unknown param"
    known = {each[0]: name for name in fields_of(inner) for each in reversed(paths_of(inner, name))}
    return _unknown(inner, str(path[-1]), known)


def _unknown(model: type[BaseModel], key: str, known: Mapping[str, str]) -> str:
    if key in model.model_fields:
        return f"unknown param; this one is called {'.'.join(paths_of(model, key)[0])}"
    return " ".join(filter(None, ("unknown param;", did_you_mean(key, known)))).rstrip(";")
