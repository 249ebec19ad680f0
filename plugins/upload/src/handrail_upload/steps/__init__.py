"""The eight steps of an upload, and that of a download, each in a module of its own."""

from __future__ import annotations

from handrail_upload.steps.analyze_collection import AnalyzeCollectionStep
from handrail_upload.steps.cleanup import CleanupStep
from handrail_upload.steps.find_objects import FindObjectsStep
from handrail_upload.steps.generate_data_units import GenerateDataUnitsStep
from handrail_upload.steps.initialize import InitializeStep
from handrail_upload.steps.organize_files import OrganizeFilesStep
from handrail_upload.steps.process_metadata import ProcessMetadataStep
from handrail_upload.steps.upload_files import UploadFilesStep
from handrail_upload.steps.validate_files import ValidateFilesStep

__all__ = [
    "AnalyzeCollectionStep",
    "CleanupStep",
    "FindObjectsStep",
    "GenerateDataUnitsStep",
    "InitializeStep",
    "OrganizeFilesStep",
    "ProcessMetadataStep",
    "UploadFilesStep",
    "ValidateFilesStep",
]
