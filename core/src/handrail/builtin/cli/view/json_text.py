"""Converts any result of a step or an action to valid JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, cast

_DEEPEST = 50  # Levels of a document that are written out.


def to_json(document: Any, *, indent: int | None = None) -> str:
    """Return `document` as valid JSON; unknown types become text."""
    try:
        return json.dumps(document, default=_known, indent=indent, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(_cleaned(document, ()), indent=indent, allow_nan=False)


def _cleaned(value: Any, around: tuple[int, ...]) -> Any:
    """Return `value`, inside those `around` it, without values that JSON lacks."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if id(value) in around or len(around) == _DEEPEST:
        return "..."
    within = (*around, id(value))
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {_key(key): _cleaned(each, within) for key, each in items}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(each, within) for each in cast("list[object]", value)]
    return _cleaned(_known(value), within)


def _key(key: object) -> str:
    return key if isinstance(key, str) else _text(key)


def _known(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(cast("Mapping[object, object]", value))
    if isinstance(value, set | frozenset | tuple):
        return list(cast("set[object]", value))
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        try:
            return dump(mode="json")
        except Exception:  # noqa: BLE001 - third-party code may raise anything
            return _text(value)
    return _text(value)


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - third-party code may raise anything
        return f"<{type(value).__name__}>"
