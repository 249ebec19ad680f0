"""The six steps of an export, in the order in which they run."""

from __future__ import annotations

from handrail_export.steps.convert_data import ConvertDataStep
from handrail_export.steps.fetch_results import FetchResultsStep
from handrail_export.steps.finalize import FinalizeStep
from handrail_export.steps.initialize import InitializeStep
from handrail_export.steps.prepare_export import PrepareExportStep
from handrail_export.steps.save_files import SaveFilesStep

__all__ = [
    "ConvertDataStep",
    "FetchResultsStep",
    "FinalizeStep",
    "InitializeStep",
    "PrepareExportStep",
    "SaveFilesStep",
]
