"""Labels of local files: the mark of the run that made a file, and the digest of its content.

A label is in the extended attribute `user.handrail`, so it belongs to the file and not to its name:
a link has it too, and a file that takes the place of another brings its own. It is set before the
file gets its name.

Where there are no attributes it is in a file of its own, a sidecar, in
`.handrail-target/marks/<SHA-256 of the key>/`. That is named after the identity of the labelled
file, so it says nothing of others under the same key; it is flushed before the file gets its name.

Programs that edit a file in place keep its attributes and its identity as to the inode. So a label
also has a stamp of the size and the time of change of the labelled content; where those of the file
differ, its content is read and compared with the digest.

A label is written as 64 bytes if its mark allows, else as JSON. On ext4, 64 bytes fit into an inode
of the usual size; more would take a block of the disk for each file.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from handrail.frozen import as_json, from_json, frozen
from handrail_storage.backend.disk import FOLDER, identity_of, make_folders, write_shared
from handrail_storage.backend.names import run_of
from handrail_storage.backend.small import marks_of

ATTRIBUTE = "user.handrail"

# Linux alone has these calls.
_set: Callable[[str | int, str, bytes], None] | None = getattr(os, "setxattr", None)
_get: Callable[..., bytes] | None = getattr(os, "getxattr", None)

_SOON = 3600  # Seconds within which a labelled file gets its name.
_UNSUPPORTED = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


# The steps that a packed label can name, by their place: never change the order.
_STEPS = ("", "upload_files")
_PACKED = struct.Struct(">B8s16s7s32s")  # The step, the epoch, the run, the stamp and the digest.
_STAMPS = 1 << 56
_SPREAD = 0x9E3779B97F4A7D  # Odd, so that no two sizes below 2**56 give the same stamp.


@frozen
class Label:
    """What is recorded of one file.

    Attributes:
        mark: The run and the step that made it.
        sha256: SHA-256 of its content, in hexadecimal digits.
        stamp: Stands for the size and the time of change of the content; see `stamp_of`.
    """

    mark: str
    sha256: str
    stamp: int

    @classmethod
    def of(cls, found: os.stat_result, mark: str, sha256: str) -> Label:
        """Return the label for a file as it is now."""
        return cls(mark=mark, sha256=sha256, stamp=stamp_of(found.st_size, found.st_mtime_ns))

    @classmethod
    def parse(cls, written: bytes) -> Label | None:
        """Return a label from its written form; None if it is no label."""
        if len(written) == _PACKED.size and 0 < written[0] < len(_STEPS):
            number, epoch, run, stamp, sha256 = _PACKED.unpack(written)
            mark = f"c1:{epoch.hex()}:{_spelled(run.hex())}/{_STEPS[number]}"
            return cls(mark=mark, sha256=sha256.hex(), stamp=int.from_bytes(stamp, "big"))
        with suppress(ValueError, TypeError):
            return from_json(cls, json.loads(written))
        return None

    def written(self) -> bytes:
        """Return the written form."""
        packed = _packed_mark(self.mark)
        if packed is not None:
            stamp, sha256 = self.stamp.to_bytes(7, "big"), bytes.fromhex(self.sha256)
            return _PACKED.pack(*packed, stamp, sha256)
        return json.dumps(as_json(self), separators=(",", ":")).encode()

    def fits(self, found: os.stat_result) -> bool:
        """Return whether a file is unchanged since it was labelled, by its size and time."""
        return self.stamp == stamp_of(found.st_size, found.st_mtime_ns)


def stamp_of(size: int, mtime_ns: int) -> int:
    """Return a number of 56 bits for the size and the time of change of a file.

    If only one of them differs, so does the number, unless the times are a multiple of 2**56 ns
    apart, which is more than two years.
    """
    return (mtime_ns + size * _SPREAD) % _STAMPS


@lru_cache(maxsize=8)
def _packed_mark(mark: str) -> tuple[int, bytes, bytes] | None:
    """Return the parts of a mark that fit into a packed label; None if they do not."""
    found = _PACKABLE.fullmatch(mark)
    if found is None:
        return None
    epoch, run, step = found.groups()
    return _STEPS.index(step), bytes.fromhex(epoch), bytes.fromhex(run.replace("-", ""))


_PACKABLE = re.compile(
    "c1:([0-9a-f]{16}):([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/"
    f"({'|'.join(_STEPS[1:])})"
)


def _spelled(run: str) -> str:
    return f"{run[:8]}-{run[8:12]}-{run[12:16]}-{run[16:20]}-{run[20:]}"


class Labels:
    """The labels of the files in one target.

    Args:
        root: Path of the target.
        inside: Returns the path of a key, after checking that no folder leads out of the target.
    """

    def __init__(self, root: str, inside: Callable[[str], str]) -> None:
        self._folder = os.path.join(root, FOLDER, "marks")
        self._inside = inside

    def set(self, file: str | int, key: str, label: Label) -> None:
        """Label a file that is about to get the name of a key.

        Args:
            file: The present name of the file, or its descriptor.
            key: The key.
            label: The label.

        Raises:
            OSError: The label cannot be written.
        """
        if not _set_attribute(file, label):
            found = os.fstat(file) if isinstance(file, int) else os.lstat(file)
            _write_lasting(os.path.join(self._folder_of(key), _name(found)), label.written())

    def of(self, path: str, key: str, found: os.stat_result) -> Label | None:
        """Return the label of a regular file; None if it has none, or one of other content.

        Args:
            path: The file.
            key: Its key.
            found: Its status, as just read.
        """
        label = _attribute(path)
        if label is None:
            return self._beside(path, key, found)
        if label.fits(found):
            return label if _is_unchanged(path, found) else None
        return label if _digest(path, found) == label.sha256 else None

    def carry(self, path: str, key: str, name: str, copy: str) -> None:
        """Label a link to a file, or a copy of it, that is about to get the name of another key.

        Args:
            path: The file.
            key: Its key.
            name: The other key.
            copy: The present name of the link or of the copy, which has the attributes.

        Raises:
            OSError: The label cannot be written.
        """
        if _attribute(copy) is None:
            label = self._beside(path, key, os.lstat(path))
            if label is not None:
                found = os.lstat(copy)
                self.set(copy, name, Label.of(found, label.mark, label.sha256))

    def has_sidecars(self) -> bool:
        """Return whether any label is in a sidecar."""
        return os.path.isdir(self._folder)

    def drop(self, key: str, found: os.stat_result) -> None:
        """Remove the sidecars of a file that does not have the name of a key any more."""
        if self.has_sidecars():
            with suppress(OSError):
                if os.path.samestat(os.lstat(self._inside(key)), found):
                    return
            folder = self._folder_of(key)
            for sidecar in _paths(folder):
                if os.path.basename(sidecar).startswith(f"{found.st_ino:x}-"):
                    _unlink(sidecar)
            self._prune(folder)

    def sweep(self, path: str, key: str, run: str | None) -> None:
        """Remove the sidecars of files of a run that never got the name of a key.

        Those of other runs are removed once they are too old for files that are about to get it.

        Args:
            path: The file under the key, if any.
            key: The key.
            run: The run; None if nobody else gives files this name.
        """
        if self.has_sidecars():
            folder = self._folder_of(key)
            there = self._there(path, key)
            for sidecar in _paths(folder):
                label = _parsed(sidecar)
                is_needless = label != there or sidecar.endswith(".tmp")
                if is_needless and (run is None or _is_of(label, run) or _is_old(sidecar)):
                    _unlink(sidecar)
            self._prune(folder)

    def _there(self, path: str, key: str) -> Label | None:
        with suppress(OSError):
            return self._beside(path, key, os.lstat(path))
        return None

    def _beside(self, path: str, key: str, found: os.stat_result) -> Label | None:
        """Return the label of a file from its sidecar, or from one of a file with equal content."""
        if not self.has_sidecars():
            return None
        folder = self._folder_of(key)
        label = _parsed(os.path.join(folder, _name(found)))
        if label is not None:
            return label if _is_unchanged(path, found) else None
        others = [each for each in map(_parsed, _paths(folder)) if each is not None]
        digest = _digest(path, found) if others else None
        return next((each for each in others if each.sha256 == digest), None)

    def _folder_of(self, key: str) -> str:
        return os.path.dirname(self._inside(f"{FOLDER}/{marks_of(key)}/label"))

    def _prune(self, folder: str) -> None:
        """Remove the folder of a key and those above it, if they are empty."""
        with suppress(OSError):
            for each in (folder, self._folder, os.path.dirname(self._folder)):
                os.rmdir(each)


def _set_attribute(file: str | int, label: Label) -> bool:
    """Label a file; return False if its file system has no attributes."""
    if _set is None:
        return False
    try:
        _set(file, ATTRIBUTE, label.written())
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        return False
    return True


def _attribute(path: str) -> Label | None:
    if _get is None:
        return None
    # None of these: no attribute, no attributes there, or no right to read the file.
    with suppress(OSError):
        return Label.parse(_get(path, ATTRIBUTE, follow_symlinks=False))
    return None


def _write_lasting(path: str, content: bytes) -> None:
    """Write a sidecar; its name appears once its content is on the disk."""
    while True:
        make_folders(os.path.dirname(path))
        # Another run may remove the folder while it is empty.
        with suppress(FileNotFoundError):
            write_shared(Path(path), content)
            return


def _is_of(label: Label | None, run: str) -> bool:
    return label is not None and run_of(label.mark) == run


def _is_old(sidecar: str) -> bool:
    with suppress(OSError):
        return time.time() - os.lstat(sidecar).st_mtime > _SOON
    return False


def _paths(folder: str) -> list[str]:
    with suppress(OSError):
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    return []


def _unlink(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


def _parsed(path: str) -> Label | None:
    with suppress(OSError), open(path, "rb") as file:
        return Label.parse(file.read())
    return None


def _name(found: os.stat_result) -> str:
    return "-".join(f"{each:x}" for each in (found.st_ino, found.st_size, found.st_mtime_ns))


def _is_unchanged(path: str, found: os.stat_result) -> bool:
    """Return whether a name still leads to the same content."""
    with suppress(OSError):
        return identity_of(os.lstat(path)) == identity_of(found)
    return False


def _digest(path: str, found: os.stat_result) -> str | None:
    """Return the SHA-256 of a file; None if it changes meanwhile, or cannot be read."""
    with suppress(OSError), open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if identity_of(os.fstat(file.fileno())) == identity_of(found):
            return digest
    return None
