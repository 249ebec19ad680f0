"""Collects the files that a transfer has stored: flushes them, then notes them in the manifest."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

from handrail_upload.manifest import Manifest, SourceFile
from handrail_upload.storage import Storage

SOON = 1.0
"""Seconds after which stored objects are noted, even if there are few."""

_RARELY = 5.0  # Seconds, where objects have to be flushed: each flush holds up what is stored then.


class Made:
    """Collects stored files; from time to time flushes them, then notes them.

    The disk flushes some while others are stored. Use it in a `with` statement, which waits for the
    last flush.
    """

    def __init__(self, storage: Storage, manifest: Manifest) -> None:
        self._storage = storage
        self._manifest = manifest
        self._files: list[SourceFile] = []
        self._since = time.monotonic()
        self._pause = _RARELY if storage.local else SOON
        self._flusher = ThreadPoolExecutor(1, thread_name_prefix="handrail-flush")
        self._under_way: tuple[Future[None], list[SourceFile]] | None = None

    def __enter__(self) -> Made:
        return self

    def __exit__(self, *_: object) -> None:
        self._flusher.shutdown(wait=True, cancel_futures=True)

    def add(self, file: SourceFile) -> None:
        """Take one file in its current state.

        Raises:
            StorageError: Earlier files cannot be flushed.
        """
        self._files.append(file)
        if len(self._files) >= self._storage.batch or time.monotonic() - self._since > self._pause:
            self._flush()

    def settle(self) -> None:
        """Flush the collected files, and note their states.

        Raises:
            StorageError: Files cannot be flushed.
        """
        self._flush()
        self._note()

    def _flush(self) -> None:
        """Begin to flush the collected files, once those before them are noted."""
        self._note()
        files, self._files = self._files, []
        if files:
            self._under_way = self._flusher.submit(self._storage.flushing()), files
        self._since = time.monotonic()

    def _note(self) -> None:
        if self._under_way is None:
            return
        (flushed, files), self._under_way = self._under_way, None
        # First this: a resumed process does not check files again that the manifest calls sent.
        flushed.result()
        self._manifest.update(files)
