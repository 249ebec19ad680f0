"""Files without a name, for what does not fit into memory.

They are gone when they are closed, and with the process, however it ends: no run has to remove one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO

from handrail_train.errors import DataError


def scratch_file(folder: Path | None = None) -> IO[bytes]:
    """Return an empty file without a name.

    Args:
        folder: The folder on whose disk it is, or one that would be below it; by default, that for
            temporary files, which may be in memory.

    Raises:
        DataError: It cannot be made.
    """
    place = None if folder is None else folder.absolute()
    while place is not None and not place.is_dir():
        place = place.parent
    try:
        try:
            return tempfile.TemporaryFile(dir=place)
        except PermissionError:
            return tempfile.TemporaryFile()
    except OSError as error:
        raise unwritten(error) from error


def unwritten(error: OSError) -> DataError:
    """Return the error for a scratch file that cannot be written."""
    return DataError(
        f"the table does not fit into memory, and cannot be kept on disk: {error.strerror}",
        ways_out=("free some space", "or give a --state-folder on another disk"),
    )
