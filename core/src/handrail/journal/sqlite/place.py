"""Where the file of a journal may be, and the folder around it."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from pathlib import Path

from handrail.errors import JournalError, NotFoundError
from handrail.journal.sqlite.failures import told_of_system
from handrail.settings.atomic import OWN_FOLDER
from handrail.settings.trust import Distrust, distrust

_BESIDE = "the locks of its runs and the log of SQLite"
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


def resolved(path: str | os.PathLike[str]) -> Path:
    """Return the file that `path` leads to: locks, and SQLite's log, lie beside it.

    Raises:
        JournalError: A link on the way leads nowhere, or the name is not to be trusted.
    """
    given = Path(os.path.expanduser(path)).absolute()
    refuse_foreign(given)
    with told_of_system(given):
        for each in (given, *given.parents):
            if each.is_symlink() and not each.exists():
                raise JournalError(
                    f"{each} is a link to {os.readlink(each)}, where nothing is",
                    ways_out=(f"remove it: rm {shlex.quote(str(each))}", f"or {OTHER}"),
                )
    return Path(os.path.realpath(given))


def prepare(path: Path, *, create: bool) -> None:
    """Make an empty file at `path`, and its folder, unless they are there.

    Args:
        path: The file, without links on the way.
        create: Whether to make it.

    Raises:
        NotFoundError: There is none, and none is to be made.
        JournalError: No journal can be there, or it is not to be trusted.
    """
    refuse_foreign(path)
    with told_of_system(path):
        if path.is_dir():
            raise JournalError(f"{path} is a folder, not a journal", ways_out=(OTHER,))
        if path.exists():
            refuse_mount(path)
            _refuse_links(path)
            return
        if not create:
            raise NotFoundError(f"there is no journal at {path}: no run was kept there")
        refuse_mount(path)
        _make_folder(path.parent)
        with contextlib.suppress(FileExistsError):
            # The files that SQLite puts beside it get the same permissions.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def foreign(path: Path) -> Distrust | None:
    """Return why a journal is not to be trusted: for itself, its folder, or what SQLite replays."""
    beside = (f"{path}{end}" for end in ("-wal", "-shm", "-journal"))
    folder = (path.parent,) if path.parent.name == OWN_FOLDER else ()
    return next(filter(None, map(distrust, (*folder, path, *beside))), None)


def refuse_foreign(path: Path) -> None:
    """Refuse a journal that others may have written.

    Raises:
        JournalError: It is not to be trusted.
    """
    found = foreign(path)
    if found is not None:
        raise JournalError(found.message, ways_out=(*found.ways_out, f"or {OTHER}"))


def refuse_mount(path: Path, mounts: str | None = None) -> None:
    """Refuse a file that other machines may have open too, or that is mounted without its folder.

    Args:
        path: The file, without links on the way; it need not be there.
        mounts: What is mounted, as in /proc/mounts.

    Raises:
        JournalError: It is on a network file system, or has a mount of its own.
    """
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return  # Not Linux: we take its word.
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
            f"{path} has {links} names, and {_BESIDE} go by one",
            ways_out=(
                f"remove the others, which are found so: find / -samefile {name}",
                f"or make it a file of its own: cp {name} {new} && mv {new} {name}",
            ),
        )


def _mount(path: Path, mounts: str) -> tuple[Path, str]:
    """Return where the file system of a file is mounted, and its kind."""
    found, kind = Path(), ""
    for line in mounts.splitlines():
        words = line.split(" ")
        if len(words) < 3:
            continue
        point = Path(_OCTAL.sub(lambda match: chr(int(match[1], 8)), words[1]))
        # What is mounted later over the same folder hides what was there.
        if len(point.parts) >= len(found.parts) and path.is_relative_to(point):
            found, kind = point, words[2]
    return found, kind


def _make_folder(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return  # Somebody's own stays as it is.
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
