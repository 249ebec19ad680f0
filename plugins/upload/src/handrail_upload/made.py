"""What a transfer has made: collected, made lasting and recorded, in that order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from handrail_upload.manifest import Manifest, SourceFile
from handrail_upload.storage import Storage

RecordMany = Callable[[str, Iterable[Any]], None]

SOON = 1.0  # Seconds after which what was made is recorded, however little it is.


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A file that is stored, or was already.

    Attributes:
        file: What is known of it now.
        identity: What tells that it is the same, where the storage has such a thing.
    """

    file: SourceFile
    identity: tuple[int, ...] | None = None


class Made:
    """Collects what was made; now and then makes it lasting and records it, in that order."""

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
        """Make what was taken lasting, record it, and drop what was only needed until then."""
        sent, self._sent = self._sent, []
        if not sent:
            return
        self._storage.flush()
        known = [[each.file.key, *each.identity] for each in sent if each.identity is not None]
        if known:
            self._record_many("made", known)
        # First this: a process that goes on does not look again at what the manifest calls sent.
        self._storage.settle([each.file.key for each in sent], self._run)
        self._manifest.update(each.file for each in sent)
        self._since = time.monotonic()
