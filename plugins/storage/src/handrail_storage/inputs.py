"""Checks the inputs of a run: for validators of params, and for `check_inputs` of actions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

from handrail.errors import HandrailError
from handrail_storage.texts import one_line

__all__ = ["checked", "missing"]

T = TypeVar("T")


def checked(value: T, parse: Callable[[T], object]) -> T:
    """Return a value of a param if it can be parsed.

    Raises:
        ValueError: It cannot; the error of `parse` with its ways out, in one line.
    """
    try:
        parse(value)
    except HandrailError as error:
        raise ValueError(one_line(error)) from error
    return value


def missing(
    kind: Literal["file", "folder"],
    name: str,
    path: str | os.PathLike[str],
    shown: str | None = None,
) -> Iterator[tuple[str, str]]:
    """Yield the name of a param and why what it names cannot be read; else nothing.

    Args:
        kind: What it has to name. A file may be a special one, such as a pipe.
        name: The dotted path of the param.
        path: What it names.
        shown: That for people, if it is another text.
    """
    found = os.fspath(path)
    told = shown or found
    folder = os.path.isdir(found)
    if not os.path.exists(found):
        yield name, f"there is no {kind} {told}"
    elif folder != (kind == "folder"):
        yield name, f"{told} is no {kind}"
    elif not os.access(found, os.R_OK | (os.X_OK if folder else 0)):
        yield name, f"the {kind} {told} cannot be read"
