"""Files with temporary, final and second names."""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import suppress

from handrail_storage import TakenError
from handrail_storage.backend import NO_LINKS, beside, identity_of
from handrail_upload.digests import BLOCK
from handrail_upload.pace import StoppedError
from handrail_upload.reading import Reading
from handrail_upload.storage.disk import copy_range
from handrail_upload.storage.sending import Sending

_WHOLE = BLOCK  # Up to this size a file is read at once; the kernel copies larger ones.
_STEP = 8 * BLOCK  # Bytes that the kernel copies between two looks at whether to stop.


def create(temporary: str) -> int:
    """Create a temporary file in its folder, and return its descriptor."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(temporary, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(temporary), exist_ok=True)
    except FileExistsError:
        # Left by an earlier attempt of this run. It may be linked to an object of that attempt, so
        # it must not be written to.
        os.unlink(temporary)
    return os.open(temporary, flags, 0o666)


def write(fd: int, reading: Reading, sending: Sending) -> None:
    """Write the content of `reading`.

    Raises:
        OSError: The file cannot be written.
        SourceError: The source file has changed.
        StoppedError: The transfer was stopped.
    """
    if reading.file.size <= _WHOLE:
        _write_all(fd, reading.whole())
    elif sending.pace.limited:
        for part in reading.parts(_WHOLE, lambda: None):
            _write_all(fd, part)
    else:
        _let_the_kernel_copy(fd, reading, sending)


def _let_the_kernel_copy(fd: int, reading: Reading, sending: Sending) -> None:
    """Copy inside the kernel while a thread hashes; a change between the two is noticed."""
    failed: list[BaseException] = []
    over = threading.Event()

    def read() -> None:
        try:
            reading.through(over)
        except BaseException as error:  # noqa: BLE001 - raised below, where it belongs
            failed.append(error)

    hashing = threading.Thread(target=read, name="handrail-hash", daemon=True)
    hashing.start()
    try:
        with reading.opened() as source:
            while not failed and copy_range(source, fd, _STEP):
                if sending.stop.is_set():
                    raise StoppedError
            os.fsync(fd)  # Writing it out takes about as long as the rest of the hashing.
        hashing.join()
    finally:
        over.set()
        hashing.join()
    if failed:
        raise failed[0]


def give_name(temporary: str, path: str) -> None:
    """Link a file to its final name.

    Raises:
        TakenError: The name is taken.
        OSError: The link failed.
    """
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise TakenError from None
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _claim(path)
        os.replace(temporary, path)


def _claim(path: str) -> None:
    """Reserve a name on file systems without links; fails too if it is taken."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except FileExistsError:
        raise TakenError from None


def take_place(temporary: str, path: str, expected: tuple[int, ...] | None) -> None:
    """Replace another file, atomically.

    Args:
        temporary: The file.
        path: The name.
        expected: The identity of the other file; None for any.

    Raises:
        TakenError: The other file has changed meanwhile.
        OSError: The replacement failed.
    """
    second = beside(path, f".new-{temporary.rpartition('.tmp-')[2]}")
    with suppress(FileNotFoundError):
        os.unlink(second)  # Left by an earlier attempt of this run.
    try:
        os.link(temporary, second)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        second = temporary
    if expected is not None and _identity_at(path) != tuple(expected):
        raise TakenError  # The undo removes the file beside it.
    os.replace(second, path)


def _identity_at(path: str) -> tuple[int, ...] | None:
    with suppress(FileNotFoundError):
        return identity_of(os.stat(path))
    return None


def keep_copy(path: str, other: str) -> None:
    """Give a file a second name; without links, make a copy.

    Raises:
        OSError: Neither is possible.
    """
    try:
        os.link(path, other)
    except FileExistsError:
        # By an earlier attempt, which had not yet replaced the file; another program may have
        # since.
        if not os.path.samefile(path, other):
            _link_anew(path, other)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if not os.path.lexists(other):
            _copy(path, other)


def _link_anew(path: str, other: str) -> None:
    half = beside(path, f".half-{other.rpartition('.aside-')[2]}")
    with suppress(FileNotFoundError):
        os.unlink(half)
    try:
        os.link(path, half)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return  # It is a copy, which is never the same file.
    os.replace(half, other)


def _copy(path: str, other: str) -> None:
    """Copy a file with its times; the name appears once the content is complete."""
    half = beside(path, f".half-{other.rpartition('.aside-')[2]}")
    with open(path, "rb") as source, open(half, "wb") as out:
        while copy_range(source.fileno(), out.fileno(), _STEP):
            pass
        os.fsync(out.fileno())
    shutil.copystat(path, half)
    os.replace(half, other)


def _write_all(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
