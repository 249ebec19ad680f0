"""The table of SDK names and their places in Handrail, and its lookup."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module

ROOT = "synapse_sdk"

_OURS = "handrail_synapse"

_STEPS = "BaseStep BaseStepContext Orchestrator StepRegistry StepResult"
_WRAPPERS = "LoggingStep TimingStep ValidationStep"
_UPLOAD_STEPS = (
    "AnalyzeCollectionStep CleanupStep GenerateDataUnitsStep InitializeStep OrganizeFilesStep "
    "ProcessMetadataStep UploadFilesStep ValidateFilesStep"
)
_STRATEGIES = (
    "BatchDataUnitStrategy CsvMetadataStrategy DataUnitStrategy DefaultValidationStrategy "
    "ExcelMetadataStrategy FileDiscoveryStrategy FlatFileDiscoveryStrategy MetadataStrategy "
    "NoneMetadataStrategy RecursiveFileDiscoveryStrategy SingleDataUnitStrategy "
    "SyncUploadStrategy UploadConfig UploadStrategy ValidationResult ValidationStrategy"
)
_UPLOAD_ERRORS = (
    "ExcelParsingError ExcelSecurityError FileProcessingError FileUploadError "
    "FileValidationError UploadError"
)
_CHECKSUMS = (
    "calculate_checksums_parallel deduplicate_by_checksum filter_existing_checksums "
    "verify_checksums_batch"
)
_GROUPS = "apply_group_name normalize_groups"
_FILE_NAMES = (
    "EXCLUDED_DIRS EXCLUDED_FILES TRANSFORMED_STEM_PATTERN extract_origin_stem "
    "find_metadata_for_transformed_file"
)
_EXPORTS = "BaseExportAction DefaultExportAction ExportAction"
_EXPORTERS = "BaseExporter ExporterRunAdapter MetricsRecord"
_EXPORT_STEPS = (
    "ConvertDataStep FetchResultsStep FinalizeStep InitializeStep PrepareExportStep SaveFilesStep"
)
_HANDLERS = (
    "AssignmentExportTargetHandler ExportTargetHandler GroundTruthExportTargetHandler "
    "TargetHandlerFactory TaskExportTargetHandler"
)
_TRAIN_STEPS = "ConvertDatasetStep ExportDatasetStep ModelUploadStep TrainExecuteStep"
_RESULTS = "ExportResult InferenceResult MetricsResult TrainResult UploadResult WeightsResult"
_TYPES = (
    "COCODataset DMDataset DMv1Dataset DMv2Dataset DataType Dataset InferenceResults Model "
    "ModelWeights ONNXModel PascalVOCDataset Result TensorRTModel TestResults YOLODataset"
)
_DATASET = "DatasetAction DatasetOperation DatasetParams DatasetResult"
_MESSAGES = "CommonLogMessageCode LogMessageCode register_log_messages resolve_log_message"
_STORAGE = "StorageSession get_path_file_count get_path_total_size get_pathlib get_storage"
_STORAGE_ERRORS = (
    "StorageCapabilityError StorageConfigError StorageConnectionError StorageContractVersionError "
    "StorageError StorageNotFoundError StoragePermissionError StorageProviderNotFoundError "
    "StorageRefreshUnavailableError "
    "StorageSessionClosedError StorageSessionError StorageSessionExpiredError StorageUploadError"
)
_KINDS = "get_provider_class get_registered_providers is_provider_supported register_provider"
_LOGGERS = (
    "BackendLogger BaseLogger ConsoleLogger LogEntry LoggerBackend MessageLogData NoOpLogger "
    "ProgressData TqdmLogger"
)
_CLIENT_ERRORS = (
    "AuthenticationError AuthorizationError ClientConnectionError ClientError "
    "ClientResponseIncompleteError ClientTimeoutError GpuUnavailableError HTTPError NotFoundError "
    "RateLimitError ServerError StreamError StreamLimitExceededError ValidationError "
    "WebSocketError raise_for_status"
)
_CLIENT_MODELS = (
    "Agent ChunkedUploadFinalizeResponse ChunkedUploadResponse DataFileResponse "
    "DataUnitCreateRequest JobStatus ModelCreateRequest PluginReleaseCreateRequest "
    "PluginRunRequest ServeApplicationCreateRequest SetTagsRequest Storage StorageCategory "
    "StorageProvider TaskCreateRequest UpdateJobRequest"
)
_BULK = (
    "ConfirmFileResult ConfirmUploadResponse MultipartUploadInfo PresignedFileInfo "
    "PresignedUploadPart PresignedUploadResponse"
)
_CREDENTIALS = (
    "Credentials DEFAULT_HOST ENV_SYNAPSE_ACCESS_TOKEN ENV_SYNAPSE_HOST "
    "ENV_SYNAPSE_PLUGIN_RUN_TENANT ENV_SYNAPSE_PLUGIN_RUN_URL_HOST "
    "ENV_SYNAPSE_PLUGIN_RUN_USER_TOKEN create_backend_client load_credentials"
)

# Of each module, its names by the module of ours that has them.
_TABLE: Mapping[str, Mapping[str, str]] = {
    "": {},
    "clients": {
        "clients.agent": "AgentClient",
        "clients.http": "BaseClient",
        "exceptions": "ClientError",
    },
    "clients.agent": {"clients.agent": "AgentClient"},
    "clients.backend": {
        "clients.backend": "BackendClient",
        "clients.models": f"{_BULK} Agent JobStatus Storage StorageCategory StorageProvider "
        "UpdateJobRequest",
    },
    "clients.backend.bulk_upload": {"clients.models": _BULK},
    "clients.backend.bulk_upload.models": {"clients.models": _BULK},
    "clients.backend.models": {"clients.models": _CLIENT_MODELS},
    "clients.base": {"clients.http": "BaseClient"},
    "clients.exceptions": {"exceptions": _CLIENT_ERRORS},
    "exceptions": {"exceptions": _CLIENT_ERRORS},
    "i18n": {"messages": "LocalizedMessage"},
    "loggers": {"job_logger": "JobLogger", "loggers": _LOGGERS},
    "plugins": {
        "actions": "BaseAction BaseUploadAction MetricsCategory NoResult PluginCategory action "
        "validate_result",
        "contexts": "ExportContext TrainContext UploadContext",
        "export.action": "BaseExportAction",
        "results": _RESULTS,
        "train.action": "BaseTrainAction",
        "runtime": "RuntimeContext",
        "steps": f"{_STEPS} {_WRAPPERS}",
    },
    "plugins.action": {"actions": "BaseAction NoResult validate_result"},
    "plugins.actions": {
        "actions": "BaseUploadAction",
        "contexts": "ExportContext TrainContext UploadContext",
        "export.action": "BaseExportAction DefaultExportAction ExportAction",
        "train.action": "BaseTrainAction",
        "train.dataset": _DATASET,
    },
    "plugins.actions.dataset": {
        "train.codes": "DatasetLogMessageCode",
        "train.dataset": _DATASET,
    },
    "plugins.actions.dataset.action": {"train.dataset": _DATASET},
    "plugins.actions.dataset.log_messages": {"train.codes": "DatasetLogMessageCode"},
    "plugins.actions.export": {
        "contexts": "ExportContext",
        "export.action": f"{_EXPORTS} ExportProgressCategories",
        "export.codes": "ExportLogMessageCode ExportStatus",
        "export.exporter": _EXPORTERS,
        "export.handlers": _HANDLERS,
        "export.params": "ExportParams",
    },
    "plugins.actions.export.action": {
        "export.action": f"{_EXPORTS} ExportProgressCategories",
        "export.handlers": "TargetHandlerFactory",
    },
    "plugins.actions.export.context": {"contexts": "ExportContext"},
    "plugins.actions.export.enums": {"export.codes": "ExportStatus"},
    "plugins.actions.export.exporter": {"export.exporter": _EXPORTERS},
    "plugins.actions.export.handlers": {"export.handlers": _HANDLERS},
    "plugins.actions.export.log_messages": {"export.codes": "ExportLogMessageCode"},
    "plugins.actions.export.models": {"export.params": "ExportParams"},
    "plugins.actions.export.steps": {"export.steps": _EXPORT_STEPS},
    "plugins.actions.export.steps.convert_data": {"export.steps": "ConvertDataStep"},
    "plugins.actions.export.steps.fetch_results": {
        "export.handlers": "TargetHandlerFactory",
        "export.steps": "FetchResultsStep",
    },
    "plugins.actions.export.steps.finalize": {"export.steps": "FinalizeStep"},
    "plugins.actions.export.steps.initialize": {
        "export.exporter": "create_unique_export_path setup_output_directories",
        "export.steps": "InitializeStep",
    },
    "plugins.actions.export.steps.prepare_export": {"export.steps": "PrepareExportStep"},
    "plugins.actions.export.steps.save_files": {"export.steps": "SaveFilesStep"},
    "plugins.actions.train": {
        "contexts": "TrainContext",
        "train.action": "BaseTrainAction TrainProgressCategories",
        "train.codes": "TrainLogMessageCode",
        "train.params": "BaseTrainParams",
    },
    "plugins.actions.train.action": {
        "train.action": "BaseTrainAction TrainProgressCategories",
        "train.params": "BaseTrainParams",
    },
    "plugins.actions.train.context": {"contexts": "TrainContext"},
    "plugins.actions.train.log_messages": {"train.codes": "TrainLogMessageCode"},
    "plugins.actions.train.steps": {"train.steps": _TRAIN_STEPS},
    "plugins.actions.train.steps.convert_dataset": {"train.steps": "ConvertDatasetStep"},
    "plugins.actions.train.steps.export_dataset": {"train.steps": "ExportDatasetStep"},
    "plugins.actions.train.steps.model_upload": {"train.steps": "ModelUploadStep"},
    "plugins.actions.train.steps.train_execute": {"train.steps": "TrainExecuteStep"},
    "plugins.actions.upload": {
        "actions": "BaseUploadAction DefaultUploadAction UploadProgressCategories UploadResult",
        "contexts": "UploadContext",
        "exceptions": _UPLOAD_ERRORS,
        "messages": "LogLevel",
        "upload.codes": "LOG_MESSAGES LogCode UploadLogMessageCode",
        "upload.params": "AssetConfig ExcelSecurityConfig UploadParams VALIDATION_ERROR_MESSAGES "
        "ValidationErrorCode",
        "upload.report": "UploadStatus",
        "upload.steps": _UPLOAD_STEPS,
        "upload.strategies": _STRATEGIES,
    },
    "plugins.actions.upload.action": {
        "actions": "BaseUploadAction DefaultUploadAction UploadProgressCategories UploadResult"
    },
    "plugins.actions.upload.context": {"contexts": "UploadContext"},
    "plugins.actions.upload.enums": {
        "messages": "LogLevel",
        "upload.codes": "LOG_MESSAGES LogCode",
        "upload.params": "VALIDATION_ERROR_MESSAGES ValidationErrorCode",
        "upload.report": "ImportFailureCode UploadStatus",
    },
    "plugins.actions.upload.exceptions": {"exceptions": _UPLOAD_ERRORS},
    "plugins.actions.upload.log_messages": {"upload.codes": "UploadLogMessageCode"},
    "plugins.actions.upload.models": {
        "upload.params": "AssetConfig ExcelSecurityConfig UploadParams",
        "upload.report": "ImportResultEntry ImportResultLog",
    },
    "plugins.actions.upload.params": {"contexts": "read_param"},
    "plugins.actions.upload.steps": {"upload.steps": _UPLOAD_STEPS},
    "plugins.actions.upload.steps.analyze_collection": {"upload.steps": "AnalyzeCollectionStep"},
    "plugins.actions.upload.steps.cleanup": {"upload.steps": "CleanupStep"},
    "plugins.actions.upload.steps.generate": {"upload.steps": "GenerateDataUnitsStep"},
    "plugins.actions.upload.steps.initialize": {"upload.steps": "InitializeStep"},
    "plugins.actions.upload.steps.organize": {"upload.steps": "OrganizeFilesStep"},
    "plugins.actions.upload.steps.process_metadata": {"upload.steps": "ProcessMetadataStep"},
    "plugins.actions.upload.steps.upload": {"upload.steps": "UploadFilesStep"},
    "plugins.actions.upload.steps.validate": {"upload.steps": "ValidateFilesStep"},
    "plugins.actions.upload.strategies": {
        "upload.files": f"{_FILE_NAMES} get_batched_list",
        "upload.strategies": _STRATEGIES,
    },
    "plugins.actions.upload.strategies.base": {
        "upload.files": "count_uploadable_files is_uploadable",
        "upload.strategies": "DataUnitStrategy FileDiscoveryStrategy METRICS_THROTTLE_INTERVAL "
        "MetadataStrategy UploadConfig UploadStrategy ValidationResult ValidationStrategy "
        "should_update_metrics",
    },
    "plugins.actions.upload.strategies.data_unit": {
        "upload.files": "get_batched_list",
        "upload.strategies": "BatchDataUnitStrategy SingleDataUnitStrategy",
    },
    "plugins.actions.upload.strategies.file_discovery": {
        "upload.files": _FILE_NAMES,
        "upload.strategies": "FlatFileDiscoveryStrategy RecursiveFileDiscoveryStrategy",
    },
    "plugins.actions.upload.strategies.metadata": {
        "upload.strategies": "CsvMetadataStrategy ExcelMetadataStrategy NoneMetadataStrategy"
    },
    "plugins.actions.upload.strategies.upload_strategy": {
        "upload.files": "is_valid_file_for_upload",
        "upload.strategies": "SyncUploadStrategy",
    },
    "plugins.actions.upload.strategies.validation": {
        "upload.strategies": "DefaultValidationStrategy"
    },
    "plugins.actions.upload.utils": {"upload.files": f"{_CHECKSUMS} {_GROUPS}"},
    "plugins.actions.upload.utils.checksum": {"upload.files": _CHECKSUMS},
    "plugins.actions.upload.utils.groups": {"upload.files": _GROUPS},
    "plugins.context": {"runtime": "PluginEnvironment RuntimeContext"},
    "plugins.context.env": {"runtime": "PluginEnvironment"},
    "plugins.decorators": {"actions": "action"},
    "plugins.enums": {"actions": "MetricsCategory PluginCategory"},
    "plugins.log_messages": {"messages": _MESSAGES},
    "plugins.models": {"messages": "LogLevel"},
    "plugins.models.logger": {
        "loggers": "LogEntry LoggerBackend MessageLogData ProgressData",
        "messages": "LogLevel",
    },
    "plugins.errors": {"executor": "ExecutionError PluginError"},
    "plugins.executors": {},
    "plugins.executors.local": {"executor": "LocalExecutor"},
    "plugins.storage": {"storages.session": "acquire_storage"},
    "plugins.schemas": {"results": _RESULTS},
    "plugins.schemas.results": {"results": _RESULTS},
    "plugins.steps": {
        "steps": f"{_STEPS} {_WRAPPERS}",
        "train.steps": "ConvertDatasetStep ExportDatasetStep",
    },
    "plugins.steps.base": {"steps": "BaseStep StepResult"},
    "plugins.steps.dataset": {"train.steps": "ConvertDatasetStep ExportDatasetStep"},
    "plugins.steps.context": {"steps": "BaseStepContext"},
    "plugins.steps.orchestrator": {"steps": "Orchestrator"},
    "plugins.steps.registry": {"steps": "StepRegistry"},
    "plugins.steps.utils": {"steps": _WRAPPERS},
    "plugins.steps.utils.logging": {"steps": "LoggingStep"},
    "plugins.steps.utils.timing": {"steps": "TimingStep"},
    "plugins.steps.utils.validation": {"steps": "ValidationStep"},
    "plugins.types": {"results": _TYPES},
    "utils": {},
    "utils.agent": {"clients.configuration": "create_agent_client"},
    "utils.auth": {"clients.configuration": _CREDENTIALS},
    "utils.storage": {"storages.session": f"{_STORAGE} CONTRACT_VERSION"},
    "utils.storage.errors": {"storages.errors": _STORAGE_ERRORS},
    "utils.storage.providers": {},
    "utils.storage.providers.gcs": {"storages.kinds": "GCSStorage"},
    "utils.storage.providers.http": {"storages.kinds": "HTTPPath HTTPStorage"},
    "utils.storage.providers.local": {"storages.kinds": "LocalStorage"},
    "utils.storage.providers.s3": {"storages.kinds": "S3Storage"},
    "utils.storage.providers.sftp": {"storages.kinds": "SFTPStorage"},
    "utils.storage.registry": {"storages.kinds": _KINDS},
    "utils.storage.session": {"storages.session": "CONTRACT_VERSION StorageSession"},
}

MODULES: Mapping[str, Mapping[str, str]] = {
    f"{ROOT}.{module}".rstrip("."): {
        name: f"{_OURS}.{place}" for place, names in places.items() for name in names.split()
    }
    for module, places in _TABLE.items()
}
"""Of each module, the module of ours that has each of its names."""


def submodules(module: str) -> dict[str, str]:
    """Return the short and the full name of each module directly below `module`."""
    below = {name: name.rpartition(".") for name in MODULES}
    return {short: name for name, (parent, _, short) in below.items() if parent == module}


def public_names(module: str) -> list[str]:
    """Return the sorted names that can be imported from `module`."""
    return sorted({*MODULES[module], *submodules(module)})


def resolve(module: str, name: str) -> object:
    """Return the object for `name` in `module`.

    Raises:
        AttributeError: There is no such name; the message lists those that exist.
    """
    below = submodules(module)
    if name in below:
        return import_module(below[name])
    if name in MODULES[module]:
        return getattr(import_module(MODULES[module][name]), name)
    raise AttributeError(missing(module, name), name=name)


def missing(module: str, name: str, *, offers: bool = True) -> str:
    """Return the message that `module` has no `name`, with the names that it has if it `offers`."""
    known = public_names(module)
    near = get_close_matches(name, known)
    hint = f"did you mean {' or '.join(near)}?" if near else ""
    offer = f"handrail-synapse offers {', '.join(known)}" if offers else ""
    return "; ".join(part for part in (f"{module} has no {name!r}", hint, offer) if part)
