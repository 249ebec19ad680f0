"""The manifest: the side file that lists the files of an upload and their states.

One SQLite file for each run, so that a million files cost no memory. During a run it is the working
list; afterwards `handrail upload verify` compares it with the target and the catalogue.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail_upload.manifest.files_cache import FILES_CACHE as FILES_CACHE
    from handrail_upload.manifest.files_cache import forget_files_caches as forget_files_caches
    from handrail_upload.manifest.manifest import Manifest as Manifest
    from handrail_upload.manifest.outcome import OUTCOMES as OUTCOMES
    from handrail_upload.manifest.outcome import FileOutcome as FileOutcome
    from handrail_upload.manifest.side_file import PAGE as PAGE
    from handrail_upload.manifest.side_file import arrived_lines_in as arrived_lines_in
    from handrail_upload.manifest.side_file import sizes_in as sizes_in
    from handrail_upload.manifest.source_file import ARRIVED as ARRIVED
    from handrail_upload.manifest.source_file import CLAIMED as CLAIMED
    from handrail_upload.manifest.source_file import FILE_NAMES as FILE_NAMES
    from handrail_upload.manifest.source_file import FOUND as FOUND
    from handrail_upload.manifest.source_file import INCOMPLETE as INCOMPLETE
    from handrail_upload.manifest.source_file import INVALID as INVALID
    from handrail_upload.manifest.source_file import LATEST as LATEST
    from handrail_upload.manifest.source_file import LEFT_OUT as LEFT_OUT
    from handrail_upload.manifest.source_file import NEW as NEW
    from handrail_upload.manifest.source_file import REPLACE as REPLACE
    from handrail_upload.manifest.source_file import REPLACED as REPLACED
    from handrail_upload.manifest.source_file import SENT as SENT
    from handrail_upload.manifest.source_file import SETTLED as SETTLED
    from handrail_upload.manifest.source_file import SKIPPED as SKIPPED
    from handrail_upload.manifest.source_file import STORED as STORED
    from handrail_upload.manifest.source_file import UNCHANGED as UNCHANGED
    from handrail_upload.manifest.source_file import UNSETTLED as UNSETTLED
    from handrail_upload.manifest.source_file import FoundRow as FoundRow
    from handrail_upload.manifest.source_file import SourceFile as SourceFile
