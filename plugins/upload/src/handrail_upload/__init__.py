"""handrail-upload: a folder goes to object storage and into a catalogue, with a way back.

Every public name is imported from here on first use; the heavy libraries behind them only when a
run needs them.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

__version__ = "0.1.0"

with lazy_imports(__name__):
    from handrail_upload.action import BaseUploadAction as BaseUploadAction
    from handrail_upload.action import DefaultUploadAction as DefaultUploadAction
    from handrail_upload.context import UploadContext as UploadContext
    from handrail_upload.discovery import Discovery as Discovery
    from handrail_upload.discovery import FolderDiscovery as FolderDiscovery
    from handrail_upload.download import DownloadAction as DownloadAction
    from handrail_upload.download import DownloadParams as DownloadParams
    from handrail_upload.manifest import Manifest as Manifest
    from handrail_upload.manifest import SourceFile as SourceFile
    from handrail_upload.metadata import Metadata as Metadata
    from handrail_upload.metadata import SheetMetadata as SheetMetadata
    from handrail_upload.params import UploadParams as UploadParams
    from handrail_upload.specification import Specification as Specification
    from handrail_upload.steps.analyze_collection import (
        AnalyzeCollectionStep as AnalyzeCollectionStep,
    )
    from handrail_upload.steps.cleanup import CleanupStep as CleanupStep
    from handrail_upload.steps.generate_data_units import (
        GenerateDataUnitsStep as GenerateDataUnitsStep,
    )
    from handrail_upload.steps.initialize import InitializeStep as InitializeStep
    from handrail_upload.steps.organize_files import OrganizeFilesStep as OrganizeFilesStep
    from handrail_upload.steps.process_metadata import ProcessMetadataStep as ProcessMetadataStep
    from handrail_upload.steps.upload_files import UploadFilesStep as UploadFilesStep
    from handrail_upload.steps.validate_files import ValidateFilesStep as ValidateFilesStep
    from handrail_upload.uploader import DirectUploader as DirectUploader
    from handrail_upload.uploader import Uploader as Uploader
    from handrail_upload.validation import FileValidation as FileValidation
    from handrail_upload.validation import Validation as Validation
