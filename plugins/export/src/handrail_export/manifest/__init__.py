"""The manifest: the list of the files of one export, with their rows and checksums."""

from __future__ import annotations

from handrail_export.manifest.manifest import (
    RETIRED,
    SAVED,
    STAGED,
    ExportedFile,
    Manifest,
    count_files,
    made_files,
)

__all__ = ["RETIRED", "SAVED", "STAGED", "ExportedFile", "Manifest", "count_files", "made_files"]
