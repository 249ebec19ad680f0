"""Reads a source file once, hashes it, and detects changes since it was found."""

from __future__ import annotations

import os
import queue
import shlex
import stat
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from handrail import SourceChangedError
from handrail_storage import count_text
from handrail_upload.digests import BLOCK, Digest
from handrail_upload.errors import FileChangedError, SourceError
from handrail_upload.manifest import LATEST, SourceFile
from handrail_upload.pace import Pace

WRITTEN, VANISHED = "it was written to", "it vanished during the upload"
_GREW, _SHRANK = "it grew", "it shrank"
CHANGES = (_GREW, _SHRANK, WRITTEN, VANISHED)
"""How a file may change that was found; see `FileChangedError.how`."""

_AHEAD = 1  # Parts that are read and hashed while others are being sent.


def read_whole(
    file: SourceFile, pace: Pace, on_read: Callable[[int], None], *, as_it_is: bool = False
) -> bytes:
    """Return the content of a file that fits into memory; it is unchanged since it was found.

    Args:
        file: The file, as it was found.
        pace: Limits the bandwidth, and stops.
        on_read: Called with the size, before the last check.
        as_it_is: Whether to return as many bytes as it had, even if it is written to.

    Raises:
        FileChangedError: The file was deleted, or has changed.
        SourceError: It cannot be read.
        StoppedError: The transfer was stopped.
    """
    # Not by a `Reading`, which takes as long as the system calls of a small file.
    size = file.size
    fd = _open(file)
    try:
        if not as_it_is:
            _check(file, fd)
        pace.take(size)
        # One byte more than there should be, so that a file that grew is noticed.
        most = size if as_it_is else size + 1
        content = block = os.read(fd, most)
        while block and len(content) < size:
            block = os.read(fd, most - len(content))
            content += block
        on_read(len(content))
        if not as_it_is:
            _check(file, fd)
    except OSError as error:
        raise _unreadable(file, error) from error
    finally:
        os.close(fd)
    _check_size(file, len(content))
    return content


class Reading:
    """One pass over the content of a source file.

    Args:
        file: The file, as it was found.
        pace: Limits the bandwidth, and stops.
        digest: Receives the content.
        on_read: Called with the size of each block.
        as_it_is: Whether to read as many bytes as it had, even if it is written to.
    """

    def __init__(
        self,
        file: SourceFile,
        pace: Pace,
        digest: Digest,
        on_read: Callable[[int], None],
        *,
        as_it_is: bool = False,
    ) -> None:
        self.file = file
        self._as_it_is = as_it_is
        self.digest = digest
        self._pace = pace
        self._on_read = on_read

    @contextmanager
    def opened(self) -> Generator[int]:
        """Open the file and yield its descriptor; check before and after that it is unchanged.

        Raises:
            FileChangedError: The file was deleted, or has changed.
            SourceError: It cannot be read.
        """
        fd = _open(self.file)
        try:
            self._check(fd)
            yield fd
            self._check(fd)
        finally:
            os.close(fd)

    def through(self, over: threading.Event) -> None:
        """Read all of the content only to hash it; stops when `over` is set."""
        with self.opened() as fd:
            while not over.is_set() and self._read(fd, BLOCK):
                pass
            if not over.is_set():
                self._check_whole()

    def parts(self, size: int, before_last: Callable[[], None]) -> Iterator[bytes]:
        """Yield the content in parts of `size` bytes, reading ahead in a thread of its own.

        Args:
            size: Bytes of each part; the last one may be smaller.
            before_last: Called in that thread, before the last part is given out.
        """
        ready: queue.Queue[bytes | BaseException | None] = queue.Queue(_AHEAD)
        done = threading.Event()

        def read() -> None:
            last: BaseException | None = None
            try:
                for part in self._held_back(size, done, before_last):
                    ready.put(part)
            except BaseException as error:  # noqa: BLE001 - raised where the parts are taken
                last = error
            ready.put(last)

        thread = threading.Thread(target=read, name="handrail-read", daemon=True)
        thread.start()
        try:
            while (part := ready.get()) is not None:
                if isinstance(part, BaseException):
                    raise part
                yield part
        finally:
            done.set()
            while thread.is_alive():
                with suppress(queue.Empty):
                    ready.get(timeout=0.01)

    def _held_back(
        self, size: int, done: threading.Event, before_last: Callable[[], None]
    ) -> Iterator[bytes]:
        held = b""
        with self.opened() as fd:
            while not done.is_set() and (part := self._part(fd, size)):
                if held:
                    yield held
                held = part
            if done.is_set():
                return
            self._check_whole()
        before_last()
        yield held

    def _part(self, fd: int, size: int) -> bytes:
        """Read one part; less than `size` bytes at the end of the file only."""
        blocks: list[bytes] = []
        missing = size
        while missing and (block := self._read(fd, min(BLOCK, missing))):
            self._pace.take(len(block))
            blocks.append(block)
            missing -= len(block)
        return b"".join(blocks)

    def _check(self, fd: int) -> None:
        if not self._as_it_is:
            _check(self.file, fd)

    def _check_whole(self) -> None:
        """Check what was read to its end, before the source is closed."""
        _check_size(self.file, self.digest.size)

    def _block(self, fd: int, count: int) -> bytes:
        try:
            return os.read(fd, count)
        except OSError as error:
            raise _unreadable(self.file, error) from error

    def _read(self, fd: int, count: int) -> bytes:
        if self._as_it_is:
            count = min(count, self.file.size - self.digest.size)
        block = self._block(fd, count)
        self.digest.update(block)
        if self.digest.size > self.file.size:
            raise _changed(self.file, _GREW)
        self._on_read(len(block))
        return block


def _open(file: SourceFile) -> int:
    try:
        # O_NONBLOCK: a pipe that took the place of the file must not hang the run.
        return os.open(file.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _unreadable(file, error) from error


def _check(file: SourceFile, fd: int) -> None:
    now = os.fstat(fd)
    if now.st_size != file.size or now.st_mtime_ns != file.mtime:
        how = _difference(file, now)
        if how:
            raise _changed(file, how)


def _check_size(file: SourceFile, size: int) -> None:
    if size != file.size:
        raise _changed(file, resized(file, size))


def resized(file: SourceFile, size: int) -> str:
    """Return how a file differs from the size that it had; empty if it does not."""
    if size == file.size:
        return ""
    return _GREW if size > file.size else _SHRANK


def changed(message: str, how: str) -> FileChangedError:
    """Return the error for a file that has changed or vanished since it was found."""
    ways_out = ["leave such files out:  --on-changed skip"]
    if how != VANISHED:
        ways_out.insert(0, "try again once nothing writes to it any more")
        ways_out.append("take them as they are:  --on-changed take")
    return FileChangedError(message, how=how, ways_out=ways_out)


def _changed(file: SourceFile, how: str) -> FileChangedError:
    return changed(f"{file.name} changed during the upload: {how}", how)


def _unreadable(file: SourceFile, error: OSError) -> SourceError:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return changed(f"{file.name}: {VANISHED}", VANISHED)
    return SourceError(f"{file.name}: it cannot be read: {error.strerror}")


def as_it_is_now(file: SourceFile) -> SourceFile | None:
    """Return a file with the size and the time that it has now; None if there is no such file."""
    try:
        now = os.stat(file.path)
    except OSError:
        return None
    if not stat.S_ISREG(now.st_mode):
        return None
    return replace(file, size=now.st_size, mtime=min(now.st_mtime_ns, LATEST))


def check_unchanged(files: Iterable[SourceFile], run: str) -> None:
    """Check that files are unchanged, by size and time, before the run goes on with them.

    Raises:
        SourceChangedError: A file has changed or was deleted.
    """
    count, first, ways_out = 0, "", list[str]()
    for file in files:
        how = _change_of(file)
        if not how:
            continue
        count += 1
        first = first or f"{file.name}: {how}"
        if how == WRITTEN and not ways_out:
            whole, rest = divmod(file.mtime, 10**9)
            time = f"touch -d @{whole}.{rest:09} {shlex.quote(file.path)}"
            ways_out.append(f"where only the time differs:  {time}")
    if count:
        more = f", and {count - 1:,} more" if count > 1 else ""
        raise SourceChangedError(
            f"{count_text(count, 'file')} to be sent changed since the run began: {first}{more}",
            ways_out=(*ways_out, *going_on_without(run)),
        )


def going_on_without(run: str) -> tuple[str, str]:
    """Return the ways in which a run goes on although files have changed."""
    resume = f"handrail resume {run} --on-changed"
    return f"go on without such files:  {resume} skip", f"or as they are now:  {resume} take"


def _change_of(file: SourceFile) -> str:
    try:
        return _difference(file, os.stat(file.path))
    except OSError as error:
        return f"it is not there any more ({error.strerror})"


def _difference(file: SourceFile, now: os.stat_result) -> str:
    """Return how a file differs from its recorded state; empty if it does not."""
    rewritten = "" if min(now.st_mtime_ns, LATEST) == file.mtime else WRITTEN
    return resized(file, now.st_size) or rewritten
