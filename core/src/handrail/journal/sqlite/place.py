"""Where the file of a journal may be, and the folder around it."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from handrail.errors import JournalError, NotFoundError
from handrail.journal.sqlite.failures import told_of_system
from handrail.settings.trust import Distrust, distrust

FOLDER = ".handrail"
OTHER = "name another file: --journal PATH"

# SQLite wants one kernel: what shares memory and locks between machines does it differently.
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


def prepare(path: Path, *, create: bool) -> None:
    """Make an empty file at `path`, and its folder, unless they are there.

    Raises:
        NotFoundError: There is none, and none is to be made.
        JournalError: No journal can be there, or it is not to be trusted.
    """
    refuse_foreign(path)
    with told_of_system(path):
        if path.is_dir():
            raise JournalError(f"{path} is a folder, not a journal", ways_out=(OTHER,))
        if path.exists():
            refuse_network(path)
            return
        if not create:
            raise NotFoundError(f"there is no journal at {path}: no run was kept there")
        refuse_network(path)
        _make_folder(path.parent)
        with contextlib.suppress(FileExistsError):
            # The files that SQLite puts beside it get the same permissions.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def foreign(path: Path) -> Distrust | None:
    """Return why a journal is not to be trusted: for itself, its folder, or what SQLite replays."""
    beside = (f"{path}{end}" for end in ("-wal", "-shm", "-journal"))
    folder = (path.parent,) if path.parent.name == FOLDER else ()
    return next(filter(None, map(distrust, (*folder, path, *beside))), None)


def refuse_foreign(path: Path) -> None:
    """Refuse a journal that others may have written.

    Raises:
        JournalError: It is not to be trusted.
    """
    found = foreign(path)
    if found is not None:
        raise JournalError(found.message, ways_out=(*found.ways_out, f"or {OTHER}"))


def refuse_network(path: Path, mounts: str | None = None) -> None:
    """Refuse a file that other machines may have open, too.

    Args:
        path: The file; it need not be there.
        mounts: What is mounted, as in /proc/mounts.

    Raises:
        JournalError: It is on a network file system.
    """
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return  # Not Linux: we take its word.
    kind = _kind(path.resolve(), mounts)
    if kind.removeprefix("fuse.") in _NETWORK:
        raise JournalError(
            f"{path} is on a network file system ({kind}), where SQLite is not safe",
            ways_out=(
                "use a file on a disk of this machine: --journal PATH",
                "or a database server: --journal postgresql://user@host/database",
            ),
        )


def _kind(path: Path, mounts: str) -> str:
    best, found = -1, ""
    for line in mounts.splitlines():
        words = line.split(" ")
        if len(words) < 3:
            continue
        point = Path(_OCTAL.sub(lambda match: chr(int(match[1], 8)), words[1]))
        # What is mounted later over the same folder hides what was there.
        if len(point.parts) >= best and path.is_relative_to(point):
            best, found = len(point.parts), words[2]
    return found


def _make_folder(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    except FileExistsError:
        # A folder of somebody's own stays as it is.
        if folder.name != FOLDER or (folder / ".gitignore").exists():
            return
        folder.chmod(0o700)
    (folder / ".gitignore").write_text("*\n", encoding="ascii")
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    # SQLite does this for what it makes itself; without it, power loss may take the folder.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
