"""Checks that the inputs of a run are there, for `check_inputs` of actions."""

from __future__ import annotations

import os
from collections.abc import Iterator

__all__ = ["missing_file", "missing_folder"]


def missing_folder(
    name: str, path: str | os.PathLike[str], shown: str | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the name of a param and why it names no folder that can be read; else nothing.

    Args:
        name: The dotted path of the param.
        path: The folder that it names.
        shown: The folder for people, if that is another text.
    """
    found = os.fspath(path)
    if not os.path.isdir(found):
        yield name, _wrong(found, "folder", shown)
    elif not os.access(found, os.R_OK | os.X_OK):
        yield name, f"the folder {shown or found} cannot be read"


def missing_file(
    name: str, path: str | os.PathLike[str], shown: str | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the name of a param and why it names no file that can be read; else nothing.

    Args:
        name: The dotted path of the param.
        path: The file that it names.
        shown: The file for people, if that is another text.
    """
    found = os.fspath(path)
    if not os.path.exists(found) or os.path.isdir(found):
        yield name, _wrong(found, "file", shown)
    elif not os.access(found, os.R_OK):
        yield name, f"the file {shown or found} cannot be read"


def _wrong(path: str, kind: str, shown: str | None) -> str:
    if os.path.exists(path):
        return f"{shown or path} is no {kind}"
    return f"there is no {kind} {shown or path}"
