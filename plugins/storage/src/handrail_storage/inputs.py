"""Checks that the inputs of a run are there, for `check_inputs` of actions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Literal

__all__ = ["missing"]


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
