"""Writes files atomically, so that they survive a loss of power."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from handrail_storage.backend.contents import Content, content_of
from handrail_storage.caller import ANYBODY, Caller
from handrail_storage.errors import StorageError
from handrail_storage.stored import Identity

FOLDER = ".handrail-target"
"""The folder in a target for the claims of runs, and for what they have set aside."""

_LONGEST = 255  # Bytes of a file name, on all usual file systems.


def write_lasting(path: Path, content: bytes | Content) -> None:
    """Write or replace a file, and wait until the disk has it.

    Raises:
        OSError: The file cannot be written.
    """
    path.unlink(missing_ok=True)  # Otherwise the target of a link would be written.
    with path.open("xb") as file:
        content_of(content).write_to(file)
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, flush it, and give it its name.

    A loss of power may still take the name back, until `flush_folder`.

    Raises:
        OSError: The file cannot be written.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    write_lasting(temporary, content)
    os.replace(temporary, path)


def write_shared(path: Path, content: bytes | Content) -> None:
    """Write a file below `.handrail-target` for all who may use the target; see `write_whole`.

    Raises:
        OSError: The file cannot be written.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    write_lasting(temporary, content)
    with suppress(PermissionError):
        temporary.chmod(stat.S_IMODE(path.parent.stat().st_mode) & 0o666)
    os.replace(temporary, path)
    flush_folder(path.parent)


def make_folders(folder: str) -> None:
    """Create a folder and those above it.

    Those below `.handrail-target` get the mode of the target: whoever may store objects there has
    to be able to claim them, whatever the umask of the first user is.

    Raises:
        OSError: A folder cannot be created.
    """
    above, own, _ = f"{folder}/".partition(f"/{FOLDER}/")
    if not own or not os.path.isdir(above):
        os.makedirs(folder, exist_ok=True)
        return
    missing: list[str] = []
    while folder != above and not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    # With a sticky bit, the claims of one user could not be freed by others.
    mode = stat.S_IMODE(os.stat(above).st_mode) & ~stat.S_ISVTX
    for each in reversed(missing):
        with suppress(FileExistsError):
            os.mkdir(each)
            os.chmod(each, mode)


def flush_folder(folder: str | Path) -> None:
    """Wait until the disk has the names in a folder.

    Raises:
        OSError: The folder cannot be flushed.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def flush_file(path: Path) -> None:
    """Flush a file and its name, so that they survive a loss of power.

    Raises:
        OSError: The file cannot be flushed.
    """
    flush_folder(path)
    flush_folder(path.parent)


def beside(path: str, suffix: str) -> str:
    """Return `path` with a suffix; a name that becomes too long is replaced by its digest."""
    folder, name = os.path.split(path)
    if len(os.fsencode(name)) + len(suffix) > _LONGEST:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    return os.path.join(folder, f"{name}{suffix}")


def identity_of(found: os.stat_result) -> Identity:
    """Return values that distinguish a file from its later replacements and changes."""
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def sha256_of(content: bytes | Path) -> str:
    """Return the SHA-256 of a content, in hexadecimal digits."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def disk_error(error: OSError, about: str, url: str, caller: Caller = ANYBODY) -> StorageError:
    """Return an error of the operating system as a StorageError with the way out."""
    another = f"give another {caller.noun}"
    ways = {
        errno.ENOSPC: f"free some space, or {another}",
        errno.EDQUOT: f"free some space, or {another}",
        errno.EACCES: f"give the folder to {caller.user}, or {another}",
        errno.EROFS: another,
    }
    said = error.strerror or str(error)
    return caller.error(f"{about}: {said} (at {url})", ways_out=(ways.get(error.errno or 0, ""),))
