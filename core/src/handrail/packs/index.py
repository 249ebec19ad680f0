"""Finds the installed packs from metadata alone, with an index file as a cache.

The index is used only if it matches the installed distributions. Otherwise the distributions that
mention us are read; metadata in an unusual form are left to `importlib_metadata`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from handrail.packs.record import PackRecord
from handrail.packs.snapshot import has_other_finders, look
from handrail.packs.store import default_folder, index_file, keep, restore

if TYPE_CHECKING:
    from pathlib import Path


def read_index(
    path: Sequence[str] | None = None, *, cache: Path | Literal["default"] | None = "default"
) -> tuple[PackRecord, ...]:
    """Return a record of every installed pack, sorted by id; imports none of them.

    The status of a record is `on` or `broken` here.

    Args:
        path: Folders and archives to search; by default, `sys.path`.
        cache: Folder for the index file; None for no index.
    """
    folder = default_folder(os.environ) if cache == "default" else cache
    others = path is None and has_other_finders()
    # `sys.path` may contain objects that are not strings; the import system ignores them.
    searched: list[str] = list(filter(_is_text, sys.path if path is None else path))
    now = look(searched)
    file = None if folder is None or others else index_file(folder, searched)
    kept = None if file is None else restore(file, searched, now)
    if kept is not None:
        return kept
    # Imported here, because it is not needed if the index is valid.
    from handrail.packs.reading import Reading  # noqa: PLC0415

    reading = Reading(path=searched, now=now, with_others=others)
    records = reading.records()
    # Store the index only if nothing changed meanwhile and every later change can be detected.
    if file is not None and reading.can_be_kept and look(searched) == now:
        keep(file, searched, now, reading.watched, records)
    return records


def _is_text(entry: object) -> bool:
    return isinstance(entry, str)
