"""Collects the objects that a transfer has stored: flushes them, then records them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from handrail_upload.manifest import Manifest, SourceFile
from handrail_upload.storage import Storage

RecordMany = Callable[[str, Iterable[Any]], None]

SOON = 1.0  # Seconds after which stored objects are recorded, even if there are few.


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A file that was stored now or before.

    Attributes:
        file: The file in its current state.
        identity: The identity of the object, if the storage has one.
    """

    file: SourceFile
    identity: tuple[int, ...] | None = None


class Made:
    """Collects stored objects; from time to time flushes them, then records them."""

    def __init__(
        self, storage: Storage, manifest: Manifest, record_many: RecordMany, run: str
    ) -> None:
        self._storage = storage
        self._manifest = manifest
        self._record_many = record_many
        self._run = run
        self._sent: list[Sent] = []
        self._since = time.monotonic()

    def add(self, sent: Sent) -> None:
        """Take one file."""
        self._sent.append(sent)
        if len(self._sent) >= self._storage.batch or time.monotonic() - self._since > SOON:
            self.settle()

    def settle(self) -> None:
        """Flush the collected objects, record them, and remove temporary ones."""
        sent, self._sent = self._sent, []
        if not sent:
            return
        self._storage.flush()
        known = [[each.file.key, *each.identity] for each in sent if each.identity is not None]
        if known:
            self._record_many("made", known)
        # First this: a resumed process does not check files again that the manifest calls sent.
        self._storage.settle([each.file.key for each in sent], self._run)
        self._manifest.update(each.file for each in sent)
        self._since = time.monotonic()
