"""Converts text to values: of options, of variables and of `-p KEY=VALUE`."""

from __future__ import annotations

import enum
import json
import types
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import is_dataclass
from datetime import timedelta
from typing import Any, Literal, Union, get_args, get_origin

from handrail.params.model import bare, is_model

_NUMBERS = (bool, int, float, timedelta)
_SEVERAL = (Mapping, list, tuple, set, frozenset)


def from_text(kind: Any, text: str) -> Any:
    """Return the value of the text of an option or a variable.

    If the type accepts text, or the text does not fit, it is returned unchanged, for the model to
    validate. Lists and mappings are JSON.

    Args:
        kind: The type of the field, as `bare` returns it; None if unknown.
        text: The text.
    """
    choices = choices_of(kind)
    if text in choices:
        return choices[text]
    if isinstance(kind, type) and issubclass(kind, _NUMBERS):
        return _number(kind, text)
    return text if takes_text(kind) else _parsed(text)


def from_json(kind: Any, text: str) -> Any:
    """Return the value of the text in `-p KEY=VALUE`, which is JSON or text.

    A number in a field that takes text, such as `-p name=007`, stays the text that was typed.

    Args:
        kind: The type of the field, as `bare` returns it; None if unknown.
        text: The text.
    """
    value = _parsed(text)
    is_number = isinstance(value, bool | int | float)
    if value is text or (is_number and isinstance(kind, type)):
        return from_text(kind, text)
    return choices_of(kind).get(text, value)


def choices_of(kind: Any) -> Mapping[str, Any]:
    """Return the value of each word of a choice; nothing for other types."""
    if get_origin(kind) is Literal:
        values = get_args(kind)
        return {str(each.value if isinstance(each, enum.Enum) else each): each for each in values}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {str(each.value): each.value for each in kind}
    return {}


def takes_text(kind: Any) -> bool:
    """Return whether a value of this type can be given as text."""
    if get_origin(kind) in (Union, types.UnionType):
        return all(takes_text(bare(each)) for each in get_args(kind))
    if get_origin(kind) is Literal:
        return True
    if get_origin(kind) is not None or not isinstance(kind, type) or kind in (Any, object):
        return False
    return not (is_model(kind) or is_dataclass(kind) or issubclass(kind, _SEVERAL))


def _number(kind: type, text: str) -> Any:
    with suppress(ValueError):
        if kind in (int, float):
            return kind(text)
    value = _parsed(text)
    is_flag = isinstance(value, bool)
    fits = isinstance(value, bool | int | float) and is_flag == (kind is bool)
    return value if fits or value is None else text


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
