"""Collects the files that a transfer has stored: flushes them, then notes them in the manifest."""

from __future__ import annotations

import time

from handrail_upload.manifest import Manifest, SourceFile
from handrail_upload.storage import Storage

SOON = 1.0  # Seconds after which stored files are noted, even if there are few.


class Made:
    """Collects stored files; from time to time flushes them, then notes them."""

    def __init__(self, storage: Storage, manifest: Manifest) -> None:
        self._storage = storage
        self._manifest = manifest
        self._files: list[SourceFile] = []
        self._since = time.monotonic()

    def add(self, file: SourceFile) -> None:
        """Take one file in its current state."""
        self._files.append(file)
        if len(self._files) >= self._storage.batch or time.monotonic() - self._since > SOON:
            self.settle()

    def settle(self) -> None:
        """Flush the collected files, and note their states."""
        files, self._files = self._files, []
        if not files:
            return
        # First this: a resumed process does not check files again that the manifest calls sent.
        self._storage.flush()
        self._manifest.update(files)
        self._since = time.monotonic()
