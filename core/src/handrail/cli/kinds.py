"""What a type looks like on the command line, and what text stands for in it."""

from __future__ import annotations

import enum
import types
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Literal, Union, get_args, get_origin

import click

from handrail.fields import bare
from handrail.params import is_model

_METAVARS: dict[type, str] = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}
_LONGEST = 60  # Characters of a default that are shown.


def items_of(kind: Any) -> tuple[bool, Any]:
    """Return whether `kind` holds several items, and the type of one."""
    origin = get_origin(kind)
    if origin in (list, set, frozenset, Sequence, Collection, Iterable):
        return True, bare((get_args(kind) or (str,))[0])
    if origin is tuple and get_args(kind)[1:] == (Ellipsis,):
        return True, bare(get_args(kind)[0])
    if kind in (list, set, frozenset):
        return True, str
    return False, kind


def has_option(kind: Any) -> bool:
    """Return whether text can stand for a value of this type; `-p` takes JSON for the rest."""
    item = items_of(kind)[1]
    if is_union(item):
        return all(has_option(bare(each)) and not items_of(each)[0] for each in get_args(item))
    if get_origin(item) is Literal:
        return True
    if get_origin(item) is not None or is_model(item) or item in (dict, Any, object):
        return False
    return isinstance(item, type)


def is_union(kind: Any) -> bool:
    """Return whether a value may be of one of several types."""
    return get_origin(kind) in (Union, types.UnionType)


def choices_of(kind: Any) -> Mapping[str, Any]:
    """Return what each word of a choice stands for; nothing for other types."""
    if get_origin(kind) is Literal:
        values = get_args(kind)
        return {str(each.value if isinstance(each, enum.Enum) else each): each for each in values}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {str(each.value): each.value for each in kind}
    return {}


def from_text(kind: Any, text: str) -> Any:
    """Return what `text` stands for; text that does not fit stays, for the model to refuse."""
    found = choices_of(kind).get(text)
    if found is not None:
        return found
    if kind is int or kind is float:
        try:
            return kind(text)
        except ValueError:
            return text
    return text


def from_json(kind: Any, value: Any, text: str) -> Any:
    """Return what `text` stands for, which may be JSON for `value`.

    A number in a field that takes text, such as `-p name=007`, stays the text that was typed.
    """
    if isinstance(value, bool | int | float) and isinstance(kind, type) and not is_model(kind):
        typed = issubclass(kind, bool | int | float) and not issubclass(kind, enum.Enum)
        return (
            value
            if typed or kind in (dict, list, set, frozenset, object)
            else (from_text(kind, text))
        )
    return choices_of(kind).get(text, value)


def click_type(kind: Any) -> Any:
    """Return the click type: values stay text, so that all mistakes are reported together."""
    choices = choices_of(kind)
    if choices:
        return click.Choice(list(choices))
    if isinstance(kind, type) and issubclass(kind, PurePath):
        return click.Path()
    return click.STRING


def metavar_of(kind: Any) -> str | None:
    """Return what stands for a value in the help; None for a choice, which lists its words."""
    if choices_of(kind):
        return None
    if isinstance(kind, type):
        is_size = hasattr(kind, "human_readable")  # pydantic's ByteSize
        return "SIZE" if is_size else _METAVARS.get(kind, kind.__name__.upper())
    return "VALUE"


def default_text(default: Any) -> str:
    """Return a default as the help shows it; nothing where there is nothing worth showing."""
    if default is None or default == "" or default in ([], {}, (), set()):
        return ""
    value: Any = default.value if isinstance(default, enum.Enum) else default
    written = getattr(value, "human_readable", None)  # Of pydantic's ByteSize.
    text = str(value if written is None else written())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
