"""Labels of local files: the mark of the run that made a file, and the digest of its content.

A label is in the extended attribute `user.handrail`, so it belongs to the file and not to its name:
a link has it too, and a file that takes the place of another brings its own. Programs that edit a
file in place keep its attributes. So a label also has the size and the time of change of the
labelled content; where the file's differ, its content is read and compared with the digest.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from handrail_storage.backend.disk import identity_of

ATTRIBUTE = "user.handrail"

# Linux alone has these calls.
_set: Callable[[str, str, bytes], None] | None = getattr(os, "setxattr", None)
_get: Callable[..., bytes] | None = getattr(os, "getxattr", None)

_UNSUPPORTED = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What is recorded of one file.

    Attributes:
        mark: The run and the step that made it.
        sha256: SHA-256 of its content, in hexadecimal digits.
        size: Bytes of its content.
        mtime_ns: When its content was last changed, in nanoseconds since 1970.
    """

    mark: str
    sha256: str
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, found: os.stat_result, mark: str, sha256: str) -> Label:
        """Return the label for a file as it is now."""
        return cls(mark=mark, sha256=sha256, size=found.st_size, mtime_ns=found.st_mtime_ns)

    @classmethod
    def parse(cls, written: bytes) -> Label | None:
        """Return a label from its written form; None if it is no label."""
        try:
            values: dict[str, Any] = json.loads(written)
            kinds: dict[str, object] = {name: type(value) for name, value in values.items()}
        except (ValueError, AttributeError):
            return None
        return cls(**values) if kinds == _KINDS else None

    def written(self) -> bytes:
        """Return the written form: compact JSON."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    def fits(self, found: os.stat_result) -> bool:
        """Return whether a file is unchanged since it was labelled, by its size and time."""
        return (self.size, self.mtime_ns) == (found.st_size, found.st_mtime_ns)


_KINDS = {"mark": str, "sha256": str, "size": int, "mtime_ns": int}


def set_label(path: str, label: Label) -> bool:
    """Label a file; return False if its file system has no attributes.

    Raises:
        OSError: The attribute cannot be written.
    """
    if _set is None:
        return False
    try:
        _set(path, ATTRIBUTE, label.written())
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        return False
    return True


def label_of(path: str, found: os.stat_result) -> Label | None:
    """Return the label of a regular file; None if it has none, or one of other content.

    Args:
        path: The file.
        found: Its status, as just read.
    """
    label = _attribute(path)
    if label is None:
        return None
    if label.fits(found):
        return label if _is_unchanged(path, found) else None
    is_equal = label.size == found.st_size and _digest(path, found) == label.sha256
    return label if is_equal else None


def _attribute(path: str) -> Label | None:
    if _get is None:
        return None
    # None of these: no attribute, no attributes there, or no right to read the file.
    with suppress(OSError):
        return Label.parse(_get(path, ATTRIBUTE, follow_symlinks=False))
    return None


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
