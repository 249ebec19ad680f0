"""Checks and prepares the path of a journal's file and its folder."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from pathlib import Path

from handrail.atomic import OWN_FOLDER
from handrail.builtin.sqlite.failures import convert_os_errors
from handrail.errors import JournalError, NotFoundError
from handrail.trust import Distrust, distrust

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
