"""Names of local files: given, taken over and copied, with and without links."""

from __future__ import annotations

import errno
import os
import shutil

from handrail_storage.backend.disk import beside, flush_folder, identity_of
from handrail_storage.errors import TakenError
from handrail_storage.stored import Listed

NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)
"""The errors of a file system without hard links."""

GONE = (FileNotFoundError, NotADirectoryError)

_DESCRIPTORS = "/proc/self/fd"


def _nameless() -> int:
    """Return the flag for files without a name, which get one by means of /proc; 0 for none.

    Linux alone has them, and before 6.0 it left out the umask where there are no ACLs.
    """
    flag: int = getattr(os, "O_TMPFILE", 0)
    usable = flag and int(os.uname().release.partition(".")[0]) >= 6 and os.path.isdir(_DESCRIPTORS)
    return flag if usable else 0


_NAMELESS = _nameless()

OURS = ".handrail-tmp-"
"""What the temporary name of a file has between its key and the run that writes it."""

COPY = "copy"
"""In place of a run in the temporary name of a copy."""

SECOND = ".second"
"""The suffix of a further name of a file, until that takes the place of another one."""


def temporary_of(path: str, run: str) -> str:
    """Return the path under which a run writes a file that gets the name `path`."""
    # There has to be room for the suffix of a further name.
    return beside(path, f"{OURS}{run}{SECOND}").removesuffix(SECOND)


def run_of(mark: str) -> str:
    """Return the run that a mark names, `<run>/<step>` or `c1:<epoch>:<run>/<step>`."""
    return mark.partition("/")[0].rpartition(":")[2]


def create_nameless(folder: str) -> tuple[int, str] | None:
    """Create a file without a name in a folder, of which a kill leaves nothing.

    Returns:
        Its descriptor, and a path for `give_name`; None if that is not possible, such as in a
        folder that does not exist.
    """
    if not _NAMELESS:
        return None
    try:
        fd = os.open(folder, os.O_WRONLY | _NAMELESS | os.O_CLOEXEC, 0o666)
    except OSError:
        return None
    return fd, f"{_DESCRIPTORS}/{fd}"


def give_name(staged: str, path: str) -> None:
    """Link a file to a name that must be free.

    Raises:
        TakenError: The name is taken.
        OSError: The link failed.
    """
    try:
        if staged.startswith(_DESCRIPTORS):
            # A link to the file, which is only followed if there is a descriptor of a folder, too.
            os.link(staged, path, src_dir_fd=0, follow_symlinks=True)
        else:
            os.link(staged, path)
    except FileExistsError:
        raise TakenError from None
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        # Without links, no call can check and rename atomically; a file created in between is
        # replaced.
        if os.path.lexists(path):
            raise TakenError from None
        os.rename(staged, path)


def take_place(staged: str, path: str, expected: Listed) -> os.stat_result:
    """Rename a further name of a file over another file, while that is still the expected one.

    Returns:
        The status of the other file.

    Raises:
        TakenError: The other file has changed, or is gone.
        OSError: The replacement failed.
    """
    second = f"{staged}{SECOND}"
    unlink(second)
    try:
        os.link(staged, second)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        second = staged
    try:
        there = os.lstat(path)
        if identity_of(there) != expected.identity:
            raise TakenError
        os.replace(second, path)
    except GONE:
        raise TakenError from None
    finally:
        if second != staged:
            unlink(second)  # Renaming a file to another name of itself does nothing.
    return there


def link_or_copy(path: str, other: str) -> None:
    """Give a file a further name; without links, copy it with its attributes and its times.

    Raises:
        OSError: Neither is possible.
    """
    try:
        os.link(path, other)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        shutil.copy2(path, other)
        flush_folder(other)


def unlink(path: str) -> None:
    """Remove a name; a missing one is ignored, also by a read-only file system.

    Raises:
        OSError: The name cannot be removed.
    """
    if os.path.lexists(path):
        os.unlink(path)
