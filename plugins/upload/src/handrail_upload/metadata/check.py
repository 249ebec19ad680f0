"""Checks a sheet before it is opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from itertools import islice
from pathlib import Path

from handrail.suggest import did_you_mean
from handrail_upload.metadata.sheet import Sheet

_MOST_NAMES = 1000
_SAVE = "save it as .xlsx or .csv in a spreadsheet"
_INSTEAD = {
    ".xls": _SAVE,
    ".xlsm": _SAVE,
    ".xlsb": _SAVE,
    ".ods": _SAVE,
    ".json": "write one object on each line, and call the file .jsonl",
    ".txt": "call it .csv if commas separate its columns, .tsv if tabs do",
    ".gz": "unpack it",
    ".zip": "unpack it",
}


def check_file(sheet: Sheet, extensions: Collection[str]) -> None:
    """Check that a sheet is a file, is neither empty nor too large, and has a known extension.

    Raises:
        MetadataError: The check failed; the message lists the known formats.
    """
    known = f"known formats: {', '.join(extensions)}"
    try:
        found = sheet.path.stat()
    except FileNotFoundError as error:
        raise sheet.error("there is no such file", _near(sheet.path)) from error
    except OSError as error:
        raise sheet.error(f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # A NUL in the path.
        raise sheet.error(f"cannot be read: {error}") from error
    if stat.S_ISDIR(found.st_mode):
        raise sheet.error("is a folder, not a file", known)
    if not stat.S_ISREG(found.st_mode):
        raise sheet.error("is not a regular file", "copy its content into one")
    if not found.st_size:
        raise sheet.error("is empty", "a sheet begins with the names of its columns")
    if found.st_size > sheet.limits.max_bytes:
        raise sheet.exceeds("max_bytes", f"has {found.st_size:,} bytes")
    extension = sheet.path.suffix.lower()
    if extension not in extensions:
        what = f"{extension} is no format" if extension else "has no extension, so no format"
        raise sheet.error(f"{what} that can be read", _INSTEAD.get(extension, ""), known)


def _near(path: Path) -> str:
    try:
        with os.scandir(path.parent) as entries:
            return did_you_mean(path.name, [entry.name for entry in islice(entries, _MOST_NAMES)])
    except OSError:
        return f"there is no folder {path.parent} either"
