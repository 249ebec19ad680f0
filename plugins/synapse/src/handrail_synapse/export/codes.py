"""What the steps of an export tell the user, and what a failed export tells."""

from __future__ import annotations

from enum import StrEnum

from handrail_synapse.messages import LogLevel, LogMessageCode, register_log_messages


class ExportStatus(StrEnum):
    """Whether a file was written."""

    SUCCESS = "success"
    FAILED = "failed"
    STAND_BY = "stand_by"


class ExportLogMessageCode(LogMessageCode):
    """Messages of the steps of an export."""

    EXPORT_STARTING = ("EXPORT_STARTING", LogLevel.INFO)
    EXPORT_INITIALIZED = ("EXPORT_INITIALIZED", LogLevel.INFO)
    EXPORT_NO_RESULTS = ("EXPORT_NO_RESULTS", LogLevel.WARNING)
    EXPORT_RESULTS_FETCHED = ("EXPORT_RESULTS_FETCHED", LogLevel.INFO)
    EXPORT_CONVERTING = ("EXPORT_CONVERTING", LogLevel.INFO)
    EXPORT_CONVERTING_DATASET = ("EXPORT_CONVERTING_DATASET", LogLevel.INFO)
    EXPORT_CONVERTED = ("EXPORT_CONVERTED", LogLevel.INFO)
    EXPORT_SAVING_FILES = ("EXPORT_SAVING_FILES", LogLevel.INFO)
    EXPORT_SAVING_ORIGINAL = ("EXPORT_SAVING_ORIGINAL", LogLevel.INFO)
    EXPORT_SAVING_JSON = ("EXPORT_SAVING_JSON", LogLevel.INFO)
    EXPORT_FILES_SAVED = ("EXPORT_FILES_SAVED", LogLevel.INFO)
    EXPORT_FILES_SAVED_WITH_FAILURES = ("EXPORT_FILES_SAVED_WITH_FAILURES", LogLevel.WARNING)
    EXPORT_COMPLETED = ("EXPORT_COMPLETED", LogLevel.SUCCESS)
    EXPORT_COMPLETED_WITH_FAILURES = ("EXPORT_COMPLETED_WITH_FAILURES", LogLevel.WARNING)
    EXPORT_FAILED_STEP = ("EXPORT_FAILED_STEP", LogLevel.ERROR)
    EXPORT_FAILED_ADMIN_CONTACT = ("EXPORT_FAILED_ADMIN_CONTACT", LogLevel.ERROR)


_CODE = ExportLogMessageCode

register_log_messages(
    {
        _CODE.EXPORT_STARTING: "The export begins",
        _CODE.EXPORT_INITIALIZED: "The folder of the export is there",
        _CODE.EXPORT_NO_RESULTS: "There is nothing to export",
        _CODE.EXPORT_RESULTS_FETCHED: "{count} items to export",
        _CODE.EXPORT_CONVERTING: "Converting {count} items",
        _CODE.EXPORT_CONVERTING_DATASET: "Converting the items",
        _CODE.EXPORT_CONVERTED: "{count} items converted",
        _CODE.EXPORT_SAVING_FILES: "Writing the files of {count} items",
        _CODE.EXPORT_SAVING_ORIGINAL: "Writing original files",
        _CODE.EXPORT_SAVING_JSON: "Writing JSON files",
        _CODE.EXPORT_FILES_SAVED: "{count} files written",
        _CODE.EXPORT_FILES_SAVED_WITH_FAILURES: "{success} files written, {failed} not",
        _CODE.EXPORT_COMPLETED: "{count} items exported",
        _CODE.EXPORT_COMPLETED_WITH_FAILURES: "{exported} items exported, {failed} not",
        _CODE.EXPORT_FAILED_STEP: "The export failed in the step {failed_step}",
        _CODE.EXPORT_FAILED_ADMIN_CONTACT: "The export failed",
    }
)
