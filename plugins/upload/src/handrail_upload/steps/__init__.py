"""The eight steps of an upload, each in a module of its own."""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail_upload.steps.analyze_collection import (
        AnalyzeCollectionStep as AnalyzeCollectionStep,
    )
    from handrail_upload.steps.cleanup import CleanupStep as CleanupStep
    from handrail_upload.steps.find_objects import FindObjectsStep as FindObjectsStep
    from handrail_upload.steps.generate_data_units import (
        GenerateDataUnitsStep as GenerateDataUnitsStep,
    )
    from handrail_upload.steps.initialize import InitializeStep as InitializeStep
    from handrail_upload.steps.organize_files import OrganizeFilesStep as OrganizeFilesStep
    from handrail_upload.steps.process_metadata import ProcessMetadataStep as ProcessMetadataStep
    from handrail_upload.steps.upload_files import UploadFilesStep as UploadFilesStep
    from handrail_upload.steps.validate_files import ValidateFilesStep as ValidateFilesStep
