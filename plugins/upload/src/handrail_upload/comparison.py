"""Compares the files of a manifest with the stored objects."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import repeat

from handrail.frozen import frozen
from handrail_upload.digests import BLOCK
from handrail_upload.manifest import (
    FOUND,
    LEFT_OUT,
    NEW,
    REPLACE,
    SKIPPED,
    UNCHANGED,
    Manifest,
    SourceFile,
)
from handrail_upload.params import Compare, IfExists
from handrail_upload.progress import Progress
from handrail_upload.storage import Listed, Sending, Storage, Stored
from handrail_upload.tolerance import Tolerance

_READERS = 4  # Files whose content is compared at a time.
_ASKERS = 32  # The same, where their source is asked for each.
_LOOKERS = 4  # Pages of objects that are looked at at a time.

_Page = tuple[int, int, Callable[[], Mapping[str, Listed]]]


@frozen
class Comparison:
    """Decides for each file whether it is new, replaces an object, is unchanged, or is skipped.

    Attributes:
        storage: The target.
        if_exists: The policy for existing objects.
        compare: The method of comparison.
        sending: The pace of reading, and the stop flag.
        progress: Counts files that need not be sent.
        tolerance: Decides for files that change, or cannot be read.
        trusting: Whether a file that the files cache knows is not read again.
    """

    storage: Storage
    if_exists: IfExists
    compare: Compare
    sending: Sending
    progress: Progress
    tolerance: Tolerance
    trusting: bool = False

    def run(self, manifest: Manifest) -> Iterator[SourceFile]:
        """Judge all files that were found, and keep that in the manifest; yield conflicts.

        A conflict is a file that cannot be stored, as its key is taken; its `problem` says by what.

        Raises:
            StorageError: The storage failed or refused.
            SourceError: A file has changed, or cannot be read.
        """
        for first, last, looked in self._looked_at(manifest):
            there = looked()
            settled = 0
            if self.trusting and there:
                settled, size = manifest.settle_known(first, last, there)
                self.progress.add(size, settled)
            kept: list[SourceFile] = []
            conflicts: list[int] = []
            if settled < len(there):
                left = manifest.files(FOUND, first=first, last=last)
                for judged in self._each([each for each in left if each.key in there], there):
                    if judged.problem is not None and judged.state != LEFT_OUT:
                        conflicts.append(judged.id)
                        yield judged
                        continue
                    kept.append(judged)
                    if judged.state in (UNCHANGED, SKIPPED, LEFT_OUT):
                        self.progress.add(judged.size, 1)
            if kept:
                manifest.update(kept)
            if settled <= last - first:
                manifest.settle(NEW, first, last, but=conflicts)

    def _looked_at(self, manifest: Manifest) -> Iterator[_Page]:
        """Yield the first and the last number of each page of files, and a look at what is there.

        Where requests take time, the next pages are looked at meanwhile.
        """
        if self.storage.local:
            for page in manifest.numbered_keys(FOUND):
                keys = [key for _, key in page]
                yield page[0][0], page[-1][0], partial(self.storage.glance, keys)
            return
        ahead = deque[_Page]()
        with ThreadPoolExecutor(_LOOKERS, thread_name_prefix="handrail-look") as pool:
            try:
                for page in manifest.numbered_keys(FOUND):
                    looking = pool.submit(self.storage.glance, [key for _, key in page])
                    ahead.append((page[0][0], page[-1][0], looking.result))
                    if len(ahead) > _LOOKERS:
                        yield ahead.popleft()
                yield from ahead
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _each(self, files: list[SourceFile], there: Mapping[str, Listed]) -> Iterator[SourceFile]:
        local = self.storage.local and not self.sending.threads
        if local and all(each.size <= BLOCK for each in files):
            # To hand a small file to another thread takes as long as to read it.
            yield from (self._tolerantly(each, there) for each in files)
            return
        with ThreadPoolExecutor(_ASKERS if self.sending.threads else _READERS) as pool:
            try:
                yield from pool.map(self._tolerantly, files, repeat(there))
            except BaseException:
                self.sending.stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _tolerantly(self, file: SourceFile, there: Mapping[str, Listed]) -> SourceFile:
        found = there.get(file.key)
        return self.tolerance.settle(file, lambda now, _as_it_is: self.judge(now, found))

    def judge(self, file: SourceFile, there: Listed | None) -> SourceFile:
        """Return the file in its new state; one that is a conflict has a problem."""
        if there is None:
            return replace(file, state=NEW)
        if there.size < 0:
            return replace(file, problem="what is there is no file")
        if self.if_exists == "skip":
            return replace(file, state=SKIPPED)
        if self.if_exists == "error":
            return replace(file, problem="something is stored there")
        same, sha256 = self._same(file, there)
        if same:
            return file.settled(UNCHANGED, sha256, there.etag, there.version, file.size)
        if self.if_exists == "overwrite":
            return replace(file, state=REPLACE)
        return replace(file, problem="something else is stored there")

    def _same(self, file: SourceFile, there: Listed) -> tuple[bool, str | None]:
        if there.size != file.size:
            return False, None
        if self.compare == "size":
            known = self.storage.stat(there.key) if self.storage.local else there
            return True, known.sha256 if isinstance(known, Stored) else None
        return self.has_content(file, there)

    def has_content(self, file: SourceFile, there: Listed) -> tuple[bool, str | None]:
        """Return whether an object of its size has the content of a file, and its SHA-256."""
        source = self.sending.source
        known = None if source is None else source.compared(file, there, self.storage)
        if known is not None:
            return known
        digest = self.storage.digest_for(file.size, self.sending.part_size)
        self.sending.reading(file, digest, counted=False).through(self.sending.stop)
        return self.storage.equals(there, digest, file), digest.sha256
