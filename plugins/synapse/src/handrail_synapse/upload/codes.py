"""What the steps of an upload tell the user."""

from __future__ import annotations

from handrail_synapse.messages import LogLevel, LogMessageCode, register_log_messages


class UploadLogMessageCode(LogMessageCode):
    """Messages of the steps of an upload."""

    UPLOAD_INITIALIZED = ("UPLOAD_INITIALIZED", LogLevel.INFO)
    UPLOAD_METADATA_LOADED = ("UPLOAD_METADATA_LOADED", LogLevel.INFO)
    UPLOAD_METADATA_SKIPPED_DUE_TO_ERROR = (
        "UPLOAD_METADATA_SKIPPED_DUE_TO_ERROR",
        LogLevel.WARNING,
    )
    UPLOAD_COLLECTION_ANALYZED = ("UPLOAD_COLLECTION_ANALYZED", LogLevel.INFO)
    UPLOAD_FILES_ORGANIZED = ("UPLOAD_FILES_ORGANIZED", LogLevel.INFO)
    UPLOAD_NO_FILES_FOUND = ("UPLOAD_NO_FILES_FOUND", LogLevel.WARNING)
    UPLOAD_VALIDATION_PASSED = ("UPLOAD_VALIDATION_PASSED", LogLevel.INFO)
    UPLOAD_FILES_UPLOADING = ("UPLOAD_FILES_UPLOADING", LogLevel.INFO)
    UPLOAD_FILES_COMPLETED = ("UPLOAD_FILES_COMPLETED", LogLevel.SUCCESS)
    UPLOAD_FILES_COMPLETED_WITH_FAILURES = (
        "UPLOAD_FILES_COMPLETED_WITH_FAILURES",
        LogLevel.WARNING,
    )
    UPLOAD_DATA_UNITS_CREATING = ("UPLOAD_DATA_UNITS_CREATING", LogLevel.INFO)
    UPLOAD_DATA_UNITS_COMPLETED = ("UPLOAD_DATA_UNITS_COMPLETED", LogLevel.SUCCESS)
    UPLOAD_DATA_UNITS_COMPLETED_WITH_FAILURES = (
        "UPLOAD_DATA_UNITS_COMPLETED_WITH_FAILURES",
        LogLevel.WARNING,
    )
    UPLOAD_COMPLETED = ("UPLOAD_COMPLETED", LogLevel.SUCCESS)


_CODE = UploadLogMessageCode

register_log_messages(
    {
        _CODE.UPLOAD_INITIALIZED: "The storage is open",
        _CODE.UPLOAD_METADATA_LOADED: "The sheet has metadata of {count} files",
        _CODE.UPLOAD_METADATA_SKIPPED_DUE_TO_ERROR: "The sheet is left out: {error}",
        _CODE.UPLOAD_COLLECTION_ANALYZED: "The collection has {count} file specifications",
        _CODE.UPLOAD_FILES_ORGANIZED: "{count} groups of files found",
        _CODE.UPLOAD_NO_FILES_FOUND: "No files found",
        _CODE.UPLOAD_VALIDATION_PASSED: "{count} groups of files are valid",
        _CODE.UPLOAD_FILES_UPLOADING: "Uploading {count} groups of files",
        _CODE.UPLOAD_FILES_COMPLETED: "{success} groups of files uploaded",
        _CODE.UPLOAD_FILES_COMPLETED_WITH_FAILURES: (
            "{success} groups of files uploaded, {failed} not"
        ),
        _CODE.UPLOAD_DATA_UNITS_CREATING: "Creating {count} data units",
        _CODE.UPLOAD_DATA_UNITS_COMPLETED: "{count} data units created",
        _CODE.UPLOAD_DATA_UNITS_COMPLETED_WITH_FAILURES: (
            "{success} data units created, {failed} not"
        ),
        _CODE.UPLOAD_COMPLETED: "Uploaded {files} groups of files as {data_units} data units",
    }
)
