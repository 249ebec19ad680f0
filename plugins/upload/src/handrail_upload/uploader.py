"""The strategy of `upload_files`: stores one file."""

from __future__ import annotations

from typing import Protocol

from handrail_upload.manifest import SourceFile
from handrail_upload.storage import Listed, Sending, Storage, Stored


class Uploader(Protocol):
    """The strategy of `upload_files`: how one file is stored."""

    def send(
        self, storage: Storage, file: SourceFile, sending: Sending, replacing: Listed | None
    ) -> Stored:
        """Store a file under its key, with the mark of the run; see `Storage.put`."""
        ...


class DirectUploader:
    """Stores each file unchanged."""

    def send(
        self, storage: Storage, file: SourceFile, sending: Sending, replacing: Listed | None
    ) -> Stored:
        """Store a file under its key."""
        return storage.put(file, sending, replacing)
