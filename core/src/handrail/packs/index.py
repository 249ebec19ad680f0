"""Which packs are installed, from metadata only.

The records are kept in a file, which is believed only when it fits what is installed. When it does
not, the distributions that mention us are read; what is unusual is left to `importlib_metadata`.
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
        path: Folders and archives to look in; `sys.path` by default.
        cache: Folder for the file that keeps the index; None keeps nothing.
    """
    folder = default_folder(os.environ) if cache == "default" else cache
    others = path is None and has_other_finders()
    # Other things than strings can be on the path, and the import system passes them over.
    searched: list[str] = list(filter(_is_text, sys.path if path is None else path))
    now = look(searched)
    file = None if folder is None or others else index_file(folder, searched)
    kept = None if file is None else restore(file, searched, now)
    if kept is not None:
        return kept
    # What reads metadata is not needed where an index is believed.
    from handrail.packs.reading import Reading  # noqa: PLC0415

    reading = Reading(path=searched, now=now, with_others=others)
    records = reading.records()
    # What changed while we read it, or hangs on folders that we cannot watch, is not kept.
    if file is not None and reading.can_be_kept and look(searched) == now:
        keep(file, searched, now, reading.watched, records)
    return records


def _is_text(entry: object) -> bool:
    return isinstance(entry, str)
