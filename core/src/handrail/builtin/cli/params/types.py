"""Types in the help of a command: choices, placeholders and defaults."""

from __future__ import annotations

import enum
from pathlib import Path, PurePath
from typing import Any, get_args

import click

from handrail.params.conversion import choices_of

_METAVARS: dict[type, str] = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}
_LONGEST = 60  # Characters of a default that are shown.


def click_type(kind: Any) -> click.ParamType[Any]:
    """Return the click type: values stay text, so that all mistakes are reported together."""
    choices = choices_of(kind)
    if choices:
        return click.Choice(list(choices))
    if isinstance(kind, type) and issubclass(kind, PurePath):
        return click.Path()
    return click.STRING


def metavar_of(kind: Any) -> str | None:
    """Return the placeholder of a value in the help; None for a choice, which lists its words."""
    if choices_of(kind):
        return None
    if bool in get_args(kind):  # The value of `bool | Duration` may be left out.
        return f"[{' or '.join(metavar_of(each) or '' for each in get_args(kind)[1:])}]"
    if isinstance(kind, type):
        is_size = hasattr(kind, "human_readable")  # pydantic's ByteSize
        return "SIZE" if is_size else _METAVARS.get(kind, kind.__name__.upper())
    return "VALUE"


def default_text(default: Any) -> str:
    """Return a default as text for the help; empty if it is not worth showing."""
    if default is None or default == "" or default in ([], {}, (), set()):
        return ""
    value: Any = default.value if isinstance(default, enum.Enum) else default
    written = getattr(value, "human_readable", None)  # Of pydantic's ByteSize.
    text = str(value if written is None else written())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
