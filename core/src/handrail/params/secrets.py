"""Secrets among params: their fields, and the variable of each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast, get_args

from handrail.params.model import (
    FromEnv,
    bare,
    fields_of,
    has_fields,
    is_model,
    marker_of,
    model_in,
    paths_of,
    value_at,
)
from handrail.redact import named_secrets

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from handrail.params.model import KeyPath


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
    if marker_of(info, FromEnv) is not None:
        return True
    return model_in(info.annotation) is None and holds_secret(info.annotation)


def secret_fields(model: type[BaseModel]) -> frozenset[str]:
    """Return the names of the fields of `model` that are secrets as a whole."""
    fields_of(model)  # Completes it, if the names that it mentions are defined by now.
    return _secret_fields(model, has_fields(model))


@lru_cache(maxsize=64)
def _secret_fields(model: type[BaseModel], _complete: bool) -> frozenset[str]:
    # Cached, because it looks into the types of all fields and a run asks for it often.
    return frozenset(name for name, info in fields_of(model).items() if is_secret(info))


def secrets_of(
    model: type[BaseModel], prefix: KeyPath = (), seen: tuple[type, ...] = ()
) -> frozenset[KeyPath]:
    """Return the paths of the fields of `model` whose values must not be shown."""
    found: set[KeyPath] = set()
    secret = secret_fields(model)
    for name, info in fields_of(model).items():
        inner = model_in(info.annotation)
        # By its own name too, also where only an alias is read: it may be given so by mistake.
        for path in dict.fromkeys((*paths_of(model, name), (name,))):
            if name in secret:
                found.add((*prefix, *path))
            elif inner is not None and inner not in seen:
                found |= secrets_of(inner, (*prefix, *path), (*seen, model))
    return frozenset(found)


def touches(path: KeyPath, secrets: frozenset[KeyPath]) -> bool:
    """Return whether the value at `path` is a secret, is part of one, or has one in it."""
    return any(path[: len(each)] == each[: len(path)] for each in secrets)


def variable_of(action: str, path: KeyPath, info: FieldInfo | None = None) -> str:
    """Return the variable of a param: that of its marker, or one derived from its path."""
    marker = None if info is None else marker_of(info, FromEnv)
    if marker is not None:
        return marker.variable
    words = "_".join(("HANDRAIL", action, *path)).upper()
    return re.sub("[^A-Z0-9]+", "_", words)


def secret_texts(model: type[BaseModel] | None, params: Any) -> Iterator[str]:
    """Yield each text that is secret among `params`, by its type or by its name.

    Args:
        model: Their model, or None for a mapping.
        params: An instance of the model, or the mapping; what is nested in it is looked into.
    """
    if model is None:
        yield from named_secrets("", params)
        return
    secret = secret_fields(model)
    for name, info in fields_of(model).items():
        value = getattr(params, name, None)
        inner = model_in(info.annotation)
        if name in secret:
            yield from texts_in(value)
        elif inner is not None and isinstance(value, inner):
            yield from secret_texts(inner, value)
        elif name in params.model_fields_set:  # A default is in the code, for everyone to read.
            yield from named_secrets(name, value)


def given_secrets(model: type[BaseModel] | None, values: object) -> Iterator[str]:
    """Yield each text that is secret among values that are not validated yet."""
    for path in () if model is None else secrets_of(model):
        # A value in place of a mapping with secrets counts as a secret too.
        yield from texts_in(value_at(values, path))
    yield from named_secrets("", values)


def texts_in(value: object) -> Iterator[str]:
    """Yield every text in a value, secrets among them revealed."""
    waiting: list[object] = [value]
    seen: dict[int, object] = {}  # With the values, so that no id is used again meanwhile.
    while waiting:
        each: Any = waiting.pop()
        if id(each) in seen:
            continue
        seen[id(each)] = each
        if isinstance(each, str):
            yield each
        elif isinstance(each, bytes):
            yield each.decode(errors="surrogateescape")
        elif hasattr(each, "get_secret_value"):
            revealed = each.get_secret_value()
            waiting.append(str(revealed) if isinstance(revealed, int | float) else revealed)
        elif isinstance(each, Mapping):
            waiting.extend(cast("Mapping[object, object]", each).values())
        elif isinstance(each, list | tuple | set | frozenset):
            waiting.extend(cast("list[object]", each))
        elif hasattr(each, "__dict__"):
            waiting.extend(cast("dict[str, object]", vars(each)).values())
