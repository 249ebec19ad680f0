"""The manifest: the side file that lists the files of an upload and their states.

One SQLite file for each run, so that a million files cost no memory. During a run it is the working
list; afterwards `handrail upload verify` compares it with the target and the catalogue.
"""

from __future__ import annotations

from handrail_upload.manifest.files_cache import FILES_CACHE, forget_files_caches
from handrail_upload.manifest.manifest import Manifest
from handrail_upload.manifest.outcome import OUTCOMES, FileOutcome
from handrail_upload.manifest.side_file import PAGE, arrived_lines_in, sizes_in
from handrail_upload.manifest.source_file import (
    ARRIVED,
    CLAIMED,
    FILE_NAMES,
    FOUND,
    INCOMPLETE,
    INVALID,
    LATEST,
    LEFT_OUT,
    NEW,
    REPLACE,
    REPLACED,
    SENT,
    SETTLED,
    SKIPPED,
    STORED,
    UNCHANGED,
    UNSETTLED,
    FoundRow,
    SourceFile,
)

__all__ = [
    "ARRIVED",
    "CLAIMED",
    "FILES_CACHE",
    "FILE_NAMES",
    "FOUND",
    "INCOMPLETE",
    "INVALID",
    "LATEST",
    "LEFT_OUT",
    "NEW",
    "OUTCOMES",
    "PAGE",
    "REPLACE",
    "REPLACED",
    "SENT",
    "SETTLED",
    "SKIPPED",
    "STORED",
    "UNCHANGED",
    "UNSETTLED",
    "FileOutcome",
    "FoundRow",
    "Manifest",
    "SourceFile",
    "arrived_lines_in",
    "forget_files_caches",
    "sizes_in",
]
