"""Reads a source file once, hashes it, and detects changes since it was found."""

from __future__ import annotations

import os
import queue
import shlex
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress

from handrail import SourceChangedError
from handrail_storage import count_text
from handrail_upload.digests import BLOCK, Digest
from handrail_upload.errors import SourceError
from handrail_upload.manifest import LATEST, SourceFile
from handrail_upload.pace import Pace

_WRITTEN = "it was written to"
_AHEAD = 1  # Parts that are read and hashed while others are being sent.


class Reading:
    """One pass over the content of a source file.

    Args:
        file: The file, as it was found.
        pace: Limits the bandwidth, and stops.
        digest: Receives the content.
        on_read: Called with the size of each block.
    """

    def __init__(
        self, file: SourceFile, pace: Pace, digest: Digest, on_read: Callable[[int], None]
    ) -> None:
        self.file = file
        self.digest = digest
        self._pace = pace
        self._on_read = on_read

    @contextmanager
    def opened(self) -> Generator[int]:
        """Open the file and yield its descriptor; check before and after that it is unchanged.

        Raises:
            SourceError: The file was deleted, cannot be read, or has changed.
        """
        fd = self._open()
        try:
            self._check(fd)
            yield fd
            self._check(fd)
        finally:
            os.close(fd)

    def _open(self) -> int:
        try:
            # O_NONBLOCK: a pipe that took the place of the file must not hang the run.
            return os.open(self.file.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise SourceError(f"{self.file.name}: {_gone(error)}") from error

    def whole(self) -> bytes:
        """Return the content, which fits into memory."""
        size = self.file.size
        fd = self._open()  # Not by `opened`, which takes as long as two system calls.
        try:
            self._check(fd)
            self._pace.take(size)
            # One byte more than there should be, so that a file that grew is noticed.
            content = block = self._read(fd, size + 1)
            while block and len(content) < size:
                block = self._read(fd, size + 1 - len(content))
                content += block
            self._check(fd)
        finally:
            os.close(fd)
        self._check_size()
        return content

    def through(self, over: threading.Event) -> None:
        """Read all of the content only to hash it; stops when `over` is set."""
        with self.opened() as fd:
            while not over.is_set() and self._read(fd, BLOCK):
                pass
            if not over.is_set():
                self._check_size()

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
            self._check_size()
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

    def _read(self, fd: int, count: int) -> bytes:
        try:
            block = os.read(fd, count)
        except OSError as error:
            raise SourceError(f"{self.file.name}: {_gone(error)}") from error
        self.digest.update(block)
        if self.digest.size > self.file.size:
            raise self._changed("it grew")
        self._on_read(len(block))
        return block

    def _check_size(self) -> None:
        if self.digest.size != self.file.size:
            raise self._changed("it shrank")

    def _check(self, fd: int) -> None:
        now = os.fstat(fd)
        if now.st_size != self.file.size or now.st_mtime_ns != self.file.mtime:
            how = _difference(self.file, now)
            if how:
                raise self._changed(how)

    def _changed(self, how: str) -> SourceError:
        return SourceError(
            f"{self.file.name} changed during the upload: {how}",
            ways_out=("upload it again once nothing writes to it any more",),
        )


def check_unchanged(files: Iterable[SourceFile]) -> None:
    """Check that files are unchanged, by size and time.

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
        if how == _WRITTEN and not ways_out:
            whole, rest = divmod(file.mtime, 10**9)
            time = f"touch -d @{whole}.{rest:09} {shlex.quote(file.path)}"
            ways_out.append(f"where only the time differs:  {time}")
    if count:
        more = f", and {count - 1:,} more" if count > 1 else ""
        raise SourceChangedError(
            f"{count_text(count, 'file')} to be sent changed since the run began: {first}{more}",
            ways_out=ways_out,
        )


def _change_of(file: SourceFile) -> str:
    try:
        return _difference(file, os.stat(file.path))
    except OSError as error:
        return f"it is not there any more ({error.strerror})"


def _difference(file: SourceFile, now: os.stat_result) -> str:
    """Return how a file differs from its recorded state; empty if it does not."""
    if now.st_size != file.size:
        return "it grew" if now.st_size > file.size else "it shrank"
    return "" if min(now.st_mtime_ns, LATEST) == file.mtime else _WRITTEN


def _gone(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "it vanished during the upload"
    return f"it cannot be read: {error.strerror}"
