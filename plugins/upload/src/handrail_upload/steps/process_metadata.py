"""process_metadata: read the sheet with the metadata of the files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from handrail import BaseStep, StepResult
from handrail_storage import count_text, pages
from handrail_upload.context import UploadContext
from handrail_upload.errors import MetadataError

if TYPE_CHECKING:
    from handrail_upload.manifest import Manifest
    from handrail_upload.metadata import Metadata, Row


_PAGE = 1000  # Rows that are kept at a time.


class ProcessMetadataStep(BaseStep[UploadContext]):
    """Read what is known about each file.

    Args:
        metadata: The reader of the file; a sheet with a column of file names unless given.
    """

    name = "process_metadata"
    progress_weight = 0.10
    effects = False

    def __init__(self, metadata: Metadata | None = None) -> None:
        self.metadata = metadata

    def can_skip(self, context: UploadContext) -> bool:
        return context.options.metadata_file is None

    def execute(self, context: UploadContext) -> StepResult:
        from handrail_upload.metadata import SheetMetadata

        path = context.options.metadata_file
        assert path is not None  # By `can_skip`.
        reader = self.metadata or SheetMetadata(key=context.options.metadata_key)
        manifest = context.use_manifest()
        manifest.clear_metadata()
        count = 0
        for rows in pages(reader.rows(path), _PAGE):
            self._keep(manifest, path, rows)
            count += len(rows)
        manifest.keep()
        summary = f"{count_text(count, 'row')} in {path.name}"
        return StepResult(data={"summary": summary, "rows": count})

    def _keep(self, manifest: Manifest, path: Path, rows: list[Row]) -> None:
        lines = {row.name: row.line for row in rows}
        twice = manifest.add_metadata((row.name, row.line, row.values) for row in rows)
        if twice is not None:
            raise MetadataError(
                f"{path}: {twice} is there twice, on lines {manifest.metadata_line(twice)} "
                f"and {lines[twice]}",
                ways_out=("leave one of them out",),
            )
