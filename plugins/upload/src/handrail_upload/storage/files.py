"""Writes the content of files: copied by the kernel where that is faster."""

from __future__ import annotations

import errno
import hashlib
import os
import threading

from handrail_upload.digests import BLOCK, Digest
from handrail_upload.manifest import SourceFile
from handrail_upload.pace import StoppedError
from handrail_upload.reading import Reading
from handrail_upload.storage.disk import begin_flush, copy_range, make_folders
from handrail_upload.storage.sending import Sending

_WHOLE = BLOCK  # Up to this size a file is read at once; the kernel copies larger ones.
_STEP = 8 * BLOCK  # Bytes that the kernel copies between two looks at whether to stop.


def create(temporary: str) -> int:
    """Create a temporary file in its folder, and return its descriptor."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(temporary, flags, 0o666)
    except FileNotFoundError:
        make_folders(os.path.dirname(temporary))
    except FileExistsError:
        # Left by an earlier attempt of this run. It may be linked to an object of that attempt, so
        # it must not be written to.
        os.unlink(temporary)
    return os.open(temporary, flags, 0o666)


def write(fd: int, file: SourceFile, sending: Sending) -> str:
    """Write the content of a source file, and return its SHA-256, in hexadecimal digits.

    Raises:
        OSError: The file cannot be written.
        SourceError: The source file has changed.
        StoppedError: The transfer was stopped.
    """
    if file.size <= _WHOLE:
        content = sending.whole(file)
        _write_all(fd, content)
        return hashlib.sha256(content).hexdigest()
    reading = sending.reading(file, Digest(etag=False))
    # The kernel would copy what is written between its look at a place and that of the thread.
    if sending.pace.limited or sending.as_it_is or sending.source is not None:
        for part in reading.parts(_WHOLE, lambda: None):
            _write_all(fd, part)
    else:
        _let_the_kernel_copy(fd, reading, sending)
    return reading.digest.sha256


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
    copied = 0
    try:
        with reading.opened() as source:
            while not failed and (count := copy_range(source, fd, _STEP)):
                # Or the disk would have nothing to do before all is copied.
                begin_flush(fd, copied, count)
                copied += count
                if sending.stop.is_set():
                    raise StoppedError
            os.fsync(fd)
        hashing.join()
    finally:
        over.set()
        hashing.join()
    if failed:
        raise failed[0]
    if copied != reading.file.size:
        raise OSError(errno.EIO, f"{copied} of {reading.file.size} bytes arrived")


def _write_all(fd: int, content: bytes) -> None:
    written = os.write(fd, content)
    while written < len(content):
        written += os.write(fd, memoryview(content)[written:])
