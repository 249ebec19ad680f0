"""Tolerance: how far an upload goes on without files that change, or that cannot be sent."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from handrail.errors import add_ways_out
from handrail_storage import count_text
from handrail_upload.errors import FileChangedError, SourceError, StorageError
from handrail_upload.manifest import LEFT_OUT, SourceFile
from handrail_upload.params import UploadParams
from handrail_upload.reading import as_it_is_now

_STABLE = 2  # Attempts at a file that nobody writes to meanwhile.
_ATTEMPTS = 6  # Attempts at a file in all.

# Of the target: it refuses one name, and may take all others.
_NUMBERS = (errno.EACCES, errno.EPERM, errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG, errno.ELOOP)
_CODES = (
    *("AccessDenied", "PermissionDenied", "KeyTooLong", "InvalidArgument", "EntityTooLarge"),
    *("InvalidObjectName", "InvalidRequest"),
)


def most_of(most: int | str, files: int) -> int:
    """Return a number of files, or a share such as `1%` of so many, as a number."""
    if isinstance(most, int):
        return most
    return int(Fraction(most.removesuffix("%")) * files / 100)


class Tolerance:
    """Decides for each file that changes, or that cannot be sent; for several threads.

    Args:
        options: The params.
        files: The number of files that were found.
        failed: The number of those that have failed before.
        now_of: Returns a file as it is now; None if it is gone.

    Attributes:
        on_changed: What is done about a file that changes: `fail`, `skip` or `take`.
    """

    def __init__(
        self,
        options: UploadParams,
        files: int,
        failed: int = 0,
        now_of: Callable[[SourceFile], SourceFile | None] = as_it_is_now,
    ) -> None:
        self.on_changed = options.on_changed
        self._most = most_of(options.max_failed_files, files)
        self._failed = failed
        self._now_of = now_of
        self._first = ""
        self._lock = threading.Lock()

    def settle(
        self,
        file: SourceFile,
        act: Callable[[SourceFile, bool], SourceFile],
        leave: Callable[[SourceFile, str], SourceFile] | None = None,
    ) -> SourceFile:
        """Return what `act` makes of a file, or the file as left out.

        Args:
            file: The file.
            act: Receives the file, and whether it is taken as it is, even if it is written to.
            leave: Returns the file as left out, for a reason.

        Raises:
            FileChangedError: The file has changed, and such a file is not to be left out.
            SourceError: Too many files cannot be read.
            StorageError: The storage failed, or refused too many files.
        """
        leave, how = leave or left_out, ""
        for attempt in range(_ATTEMPTS):
            try:
                return act(file, attempt >= _STABLE)
            except FileChangedError as error:
                if self.on_changed == "fail":
                    raise
                how = error.how
                now = self._now_of(file) if self.on_changed == "take" else None
                if now is None:
                    return leave(file, how)
                file = now
            except (SourceError, StorageError) as error:
                self._count(error)
                return leave(file, error.message.removeprefix(f"{file.key}: "))
        return leave(file, how)

    def _count(self, error: SourceError | StorageError) -> None:
        """Count a file that cannot be sent; raise the error if that is one too many."""
        if isinstance(error, StorageError) and not _is_of_key(error):
            raise error
        with self._lock:
            self._failed += 1
            self._first = self._first or error.message
            if self._failed <= self._most:
                return
        if not self._most:
            add_ways_out(error, "leave up to so many such files out:  --max-failed-files 5")
            raise error
        raise type(error)(
            f"{count_text(self._failed, 'file')} cannot be sent, and up to {self._most:,} may be "
            f"left out; the first: {self._first}",
            ways_out=error.ways_out,
        ) from error


def left_out(file: SourceFile, why: str) -> SourceFile:
    """Return a file as one without which the run goes on."""
    return replace(file, state=LEFT_OUT, problem=why, sha256=None, etag=None, version=None)


def _is_of_key(error: StorageError) -> bool:
    """Return whether a storage has refused one key, so that it may take others."""
    if isinstance(error.__cause__, OSError) and error.__cause__.errno is not None:
        return error.__cause__.errno in _NUMBERS
    return not error.passing and not error.no_place and error.reason.startswith(_CODES)
