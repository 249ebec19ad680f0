"""Where the file of a journal may be, and what fails there: errors of SQLite and the system."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from handrail.atomic import OWN_FOLDER
from handrail.errors import JournalDamagedError, JournalError, NotFoundError
from handrail.trust import Distrust, distrust

_FULL = (errno.ENOSPC, errno.EDQUOT)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_PRIMARY = 0xFF  # The lowest byte of SQLite's extended error codes is the primary code.
# SQLite also raises the second, for its own messages about damaged names.
ERRORS = (sqlite3.Error, UnicodeDecodeError)
_ANOTHER = "or use another file: --journal PATH"
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
READ_ONLY = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@contextmanager
def convert_os_errors(path: Path) -> Generator[None, None, None]:
    """Convert an OSError in the block to a JournalError about the journal at `path`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _full(path) from error
        if error.errno in _DENIED:
            raise unwritable(path, str(error.strerror), error.filename) from error
        raise JournalError(
            f"the journal {path} cannot be used: {error.strerror or error}", ways_out=(_ANOTHER,)
        ) from error


def journal_error(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> JournalError:
    """Return the JournalError for an SQLite error of the journal at `path`."""
    if isinstance(error, UnicodeDecodeError):
        return _damaged(path, "its tables have names that are no text")
    # Errors of the driver itself, such as for a closed connection, have no code.
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    primary = code & _PRIMARY
    if primary == sqlite3.SQLITE_FULL or (primary == sqlite3.SQLITE_IOERR and not _room(path)):
        return _full(path)
    if primary in READ_ONLY:
        return _full(path) if not _room(path) else unwritable(path, str(error))
    if primary in _BUSY:
        return JournalError(
            f"the journal {path} is locked: another process has been writing to it for too long",
            ways_out=(f"see which process has it open: fuser -v {path}",),
        )
    if primary in _DAMAGED:
        if primary == sqlite3.SQLITE_NOTADB:
            return JournalError(f"{path} is not a journal: {error}", ways_out=(_ANOTHER,))
        return _damaged(path, str(error))
    if primary == sqlite3.SQLITE_IOERR:
        ways_out = "see what the system says of its disk:  dmesg"
    else:
        ways_out = _ANOTHER
    return JournalError(f"the journal {path} cannot be used: {error}", ways_out=(ways_out,))


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an SQLite error tells that the file is damaged."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & _PRIMARY in _DAMAGED


def _full(path: Path) -> JournalError:
    return JournalError(
        f"the disk with the journal {path} is full",
        ways_out=("make room on it; what was committed before is safe",),
    )


def unwritable(path: Path, reason: str, place: str | None = None) -> JournalError:
    """Return the error for a journal that cannot be written; `place` is what stops it."""
    place = place or str(path)
    return JournalError(
        f"the journal {path} cannot be written: {reason}",
        ways_out=(f"make {place} and its folder writable for this user", _ANOTHER),
    )


def _damaged(path: Path, reason: str) -> JournalError:
    name = shlex.quote(str(path))
    return JournalDamagedError(
        f"the journal {path} is damaged: {reason}",
        ways_out=(
            f"copy it before you try anything:  cp {name}* /a/safe/place",
            f"see what can still be read:  handrail doctor --journal {name}",
            f"save that:  sqlite3 {name} .recover | sqlite3 recovered.db",
            f"then begin a new one:  mv {name} {shlex.quote(f'{path}.damaged')}",
        ),
    )


def _room(path: Path) -> bool:
    try:
        # A few free blocks may remain on a full disk.
        return os.statvfs(path.parent).f_bavail > 8
    except (OSError, AttributeError):
        return True


_BESIDE = "the locks of its runs and the log of SQLite"
OTHER = "name another file: --journal PATH"

# SQLite needs the shared memory and the locks of one kernel, so these file systems are refused.
_NETWORK = frozenset(
    (
        *("9p", "afs", "afpfs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs"),
        *("gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "pvfs2", "smb2", "smb3"),
        *("smbfs", "ceph-fuse", "davfs2", "gcsfuse", "goofys", "mount_s3", "rclone", "s3fs"),
        *("sshfs", "mountpoint-s3"),
    )
)
_OCTAL = re.compile(r"\\([0-7]{3})")
_MOUNTS = Path("/proc/self/mounts")


def resolved(path: str | os.PathLike[str]) -> Path:
    """Return `path` with links resolved, because locks and SQLite's log are beside the real file.

    Raises:
        JournalError: A link is broken, or the name cannot be trusted.
    """
    given = Path(os.path.expanduser(path)).absolute()
    refuse_foreign(given)
    with convert_os_errors(given):
        for each in (given, *given.parents):
            if each.is_symlink() and not each.exists():
                raise JournalError(
                    f"{each} is a broken link: {os.readlink(each)} does not exist",
                    ways_out=(f"remove it: rm {shlex.quote(str(each))}", f"or {OTHER}"),
                )
    return Path(os.path.realpath(given))


def prepare(path: Path, *, create: bool) -> None:
    """Create an empty file at `path`, and its folder, unless they exist.

    Args:
        path: The file, with links resolved.
        create: Whether to create a missing file.

    Raises:
        NotFoundError: The file does not exist or is empty, and `create` is false.
        JournalError: A journal cannot be at this place, or the file cannot be trusted.
    """
    refuse_foreign(path)
    with convert_os_errors(path):
        if path.is_dir():
            raise JournalError(f"{path} is a folder, not a journal", ways_out=(OTHER,))
        if path.exists():
            refuse_mount(path)
            _refuse_links(path)
            if not create and _is_empty(path):
                raise NotFoundError(
                    f"the journal {path} is empty: no run was recorded there, or it was cut off",
                    ways_out=("if there were runs, put back a backup", OTHER),
                )
            return
        if not create:
            raise NotFoundError(f"there is not a journal at {path}: no run was recorded there")
        refuse_mount(path)
        if make_folder(path.parent):
            (path.parent / ".gitignore").write_text("*\n", encoding="ascii")
        with contextlib.suppress(FileExistsError):
            # SQLite gives the same permissions to the files that it creates beside it.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _is_empty(path: Path) -> bool:
    # What was committed may still be in the log of SQLite only.
    return not any(os.path.exists(x) and os.path.getsize(x) for x in (path, f"{path}-wal"))


def foreign(path: Path) -> Distrust | None:
    """Return why a journal cannot be trusted: its file, its folder, or SQLite's log; or None."""
    beside = (f"{path}{end}" for end in ("-wal", "-shm", "-journal"))
    folder = (path.parent,) if path.parent.name == OWN_FOLDER else ()
    return next(filter(None, map(distrust, (*folder, path, *beside))), None)


def refuse_foreign(path: Path) -> None:
    """Check that only trusted users could have written the journal.

    Raises:
        JournalError: The journal cannot be trusted.
    """
    found = foreign(path)
    if found is not None:
        raise JournalError(found.message, ways_out=(*found.ways_out, f"or {OTHER}"))


def refuse_mount(path: Path, mounts: str | None = None) -> None:
    """Check that the file is on a local file system, and not mounted apart from its folder.

    Args:
        path: The file, with links resolved; it need not exist.
        mounts: The mounts, in the format of /proc/mounts; by default, the current ones.

    Raises:
        JournalError: The file is on a network file system, or is itself a mount point.
    """
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return  # Not Linux: cannot be checked.
    point, kind = _mount(path, mounts)
    if kind.removeprefix("fuse.") in _NETWORK:
        raise JournalError(
            f"{path} is on a network file system ({kind}), where SQLite is not safe",
            ways_out=(
                "use a file on a disk of this machine: --journal PATH",
                "or a database server: --journal postgresql://user@host/database",
            ),
        )
    if point == path:
        raise JournalError(
            f"{path} is mounted without its folder, where {_BESIDE} have to be",
            ways_out=(f"mount the folder instead: {path.parent}", f"or {OTHER}"),
        )


def _refuse_links(path: Path) -> None:
    links = path.stat().st_nlink
    if links > 1:
        name, new = shlex.quote(str(path)), shlex.quote(f"{path}.new")
        raise JournalError(
            f"{path} has {links} hard links, but {_BESIDE} need a single name",
            ways_out=(
                f"find the others and remove them: find / -samefile {name}",
                f"or replace it by a copy: cp {name} {new} && mv {new} {name}",
            ),
        )


def _mount(path: Path, mounts: str) -> tuple[Path, str]:
    """Return the mount point of a file's file system, and the file system's type."""
    found, kind = Path(), ""
    for line in mounts.splitlines():
        words = line.split(" ")
        if len(words) < 3:
            continue
        point = Path(_OCTAL.sub(lambda match: chr(int(match[1], 8)), words[1]))
        # A later mount over the same folder hides the earlier one.
        if len(point.parts) >= len(found.parts) and path.is_relative_to(point):
            found, kind = point, words[2]
    return found, kind


def make_folder(folder: Path) -> bool:
    """Create a folder for this user alone, durably; return False if it exists, and stays."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return False
    sync(folder.parent)
    return True


def sync(folder: Path) -> None:
    """Make the entries of a folder durable."""
    # SQLite syncs only its own files; without this, a power failure may lose the folder.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
