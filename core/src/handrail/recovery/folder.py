"""Changes to the working folder of a recorded run, in which its relative paths start."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from handrail.errors import NotFoundError
from handrail.settings.trust import distrust

if TYPE_CHECKING:
    from handrail.journal.records import RunRow


def enter(row: RunRow, folder: str | os.PathLike[str] | None, way: str) -> None:
    """Make the folder of a run the working folder.

    Args:
        row: The run.
        folder: The folder to use instead, or None.
        way: The way out that names another folder.

    Raises:
        NotFoundError: The folder cannot be entered, or belongs to a user who is not trusted.
    """
    target = row.cwd if folder is None else os.fspath(folder)
    with contextlib.suppress(OSError):
        if os.path.samefile(os.curdir, target):
            return  # Keep its name, which may be shorter, and spare other threads.
    found = None if folder is not None else distrust(target)
    # In a folder that everyone may write, files are checked one by one. Entering a folder of an
    # untrusted user would mean trusting it.
    if found is not None and found.owner:
        raise NotFoundError(
            f"run {row.number} ran in {target}, which belongs to {found.owner} now",
            ways_out=(f"if it should:  {way.replace('PATH', target)}", *found.ways_out),
        )
    try:
        os.chdir(target)
    except OSError as error:
        if folder is not None:
            raise NotFoundError(f"{target} cannot be entered: {error.strerror}") from error
        raise NotFoundError(
            f"run {row.number} ran in {target}, which cannot be entered: {error.strerror}",
            ways_out=(
                "its paths lead from there: put the folder back, then try again",
                f"or name the one that they lead from now:  {way}",
            ),
        ) from error


@contextmanager
def working_in(row: RunRow, folder: str | os.PathLike[str] | None) -> Generator[None, None, None]:
    """Make the folder of a run the working folder for the block.

    Raises:
        NotFoundError: The folder cannot be entered.
    """
    before: str | None = None
    with contextlib.suppress(OSError):  # The previous folder may be gone.
        before = os.getcwd()
    enter(row, folder, "folder=PATH")
    try:
        yield
    finally:
        if before is not None and before != os.getcwd():
            os.chdir(before)
