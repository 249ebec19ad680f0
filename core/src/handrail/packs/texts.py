"""Settings that are text, as on the command line and in variables, read as a model wants them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast, get_args

if TYPE_CHECKING:
    from pydantic import BaseModel

Path = tuple[str, ...]


def variables_of(model: type[BaseModel], path: Path = ()) -> dict[str, Path]:
    """Return the way to each field of `model`, by what its variable is called after the pack."""
    found: dict[str, Path] = {}
    for name, info in model.model_fields.items():
        key = info.alias or name
        here = (*path, key)
        inner = _model_in(info.annotation)
        if inner is not None and inner is not model:
            found |= variables_of(inner, here)
        found["_".join(here).upper()] = here
    return found


def interpreted(model: type[BaseModel] | None, path: Path, text: str) -> Any:
    """Return what `text` means for the field at `path`: the text itself if it fits, else JSON."""
    kind = _annotation(model, path)
    try:
        parsed: Any = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if kind is None:
        return parsed
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - the pack has loaded it

    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError:
        return parsed
    except Exception:  # noqa: BLE001 - a type that only the whole model can read
        return parsed
    return text


def put(values: dict[str, Any], path: Path, value: Any) -> None:
    """Set `value` at `path` in nested tables, making those that are missing."""
    for name in path[:-1]:
        inner: Any = values.get(name)
        if not isinstance(inner, dict):
            inner = values[name] = {}
        values = cast("dict[str, Any]", inner)
    values[path[-1]] = value


def value_at(values: Mapping[str, Any], path: Path, default: Any) -> Any:
    """Return the value at `path` in nested tables, `default` where there is none."""
    found: Any = values
    for name in path:
        if not isinstance(found, Mapping) or name not in found:
            return default
        found = cast("Mapping[str, Any]", found)[name]
    return found


def _annotation(model: type[BaseModel] | None, path: Path) -> Any:
    kind: Any = None
    for name in path:
        if model is None:
            return None
        fields = model.model_fields
        info = fields.get(name) or next(
            (each for each in fields.values() if each.alias == name), None
        )
        kind = None if info is None else info.annotation
        model = _model_in(kind)
    return kind


def _model_in(annotation: Any) -> type[BaseModel] | None:
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and hasattr(kind, "model_fields"):
            return cast("type[BaseModel]", kind)
    return None
