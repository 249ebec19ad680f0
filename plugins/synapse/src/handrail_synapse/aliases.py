"""The table of SDK names and their places in Handrail, and its lookup."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from handrail.suggest import did_you_mean

ROOT = "synapse_sdk"

_OURS = "handrail_synapse"

_STEPS = "BaseStep BaseStepContext Orchestrator StepRegistry StepResult"
_WRAPPERS = "LoggingStep TimingStep ValidationStep"
_UPLOAD = "BaseUploadAction DefaultUploadAction UploadProgressCategories UploadResult"
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
_UPLOAD_MODELS = "AssetConfig ExcelSecurityConfig UploadParams"
_PARAM_ERRORS = "VALIDATION_ERROR_MESSAGES ValidationErrorCode"
_MESSAGES = "CommonLogMessageCode LogMessageCode register_log_messages resolve_log_message"
_STORAGE = "StorageSession get_path_file_count get_path_total_size get_pathlib get_storage"
_STORAGE_ERRORS = (
    "StorageCapabilityError StorageConfigError StorageConnectionError StorageContractVersionError "
    "StorageError StorageNotFoundError StoragePermissionError StorageProviderNotFoundError "
    "StorageRefreshUnavailableError "
    "StorageSessionClosedError StorageSessionError StorageSessionExpiredError StorageUploadError"
)
_KINDS = "get_provider_class get_registered_providers is_provider_supported register_provider"
_LOGGERS = "BaseLogger ConsoleLogger NoOpLogger ProgressData"
_CLIENT_ERRORS = (
    "AuthenticationError AuthorizationError ClientConnectionError ClientError "
    "ClientResponseIncompleteError ClientTimeoutError HTTPError NotFoundError RateLimitError "
    "ServerError ValidationError raise_for_status"
)

# Of each module, its names by the module of ours that has them.
_TABLE: Mapping[str, Mapping[str, str]] = {
    "": {},
    "clients": {"client": "BackendClient", "exceptions": "ClientError"},
    "clients.backend": {"client": "BackendClient Storage"},
    "clients.exceptions": {"exceptions": _CLIENT_ERRORS},
    "exceptions": {"exceptions": _CLIENT_ERRORS},
    "i18n": {"messages": "LocalizedMessage"},
    "loggers": {"loggers": _LOGGERS},
    "plugins": {
        "actions": "BaseAction BaseExportAction BaseTrainAction BaseUploadAction NoResult "
        "PluginCategory UploadResult",
        "contexts": "ExportContext TrainContext UploadContext",
        "runtime": "RuntimeContext",
        "steps": f"{_STEPS} {_WRAPPERS}",
    },
    "plugins.action": {"actions": "BaseAction NoResult"},
    "plugins.actions": {
        "actions": "BaseExportAction BaseTrainAction BaseUploadAction",
        "contexts": "ExportContext TrainContext UploadContext",
    },
    "plugins.actions.export": {"actions": "BaseExportAction", "contexts": "ExportContext"},
    "plugins.actions.train": {"actions": "BaseTrainAction", "contexts": "TrainContext"},
    "plugins.actions.upload": {
        "actions": _UPLOAD,
        "contexts": "UploadContext",
        "exceptions": _UPLOAD_ERRORS,
        "messages": "LogLevel",
        "upload.codes": "UploadLogMessageCode",
        "upload.params": f"{_UPLOAD_MODELS} {_PARAM_ERRORS}",
        "upload.steps": _UPLOAD_STEPS,
        "upload.strategies": _STRATEGIES,
    },
    "plugins.actions.upload.action": {"actions": _UPLOAD},
    "plugins.actions.upload.context": {"contexts": "UploadContext"},
    "plugins.actions.upload.enums": {"messages": "LogLevel", "upload.params": _PARAM_ERRORS},
    "plugins.actions.upload.exceptions": {"exceptions": _UPLOAD_ERRORS},
    "plugins.actions.upload.log_messages": {"upload.codes": "UploadLogMessageCode"},
    "plugins.actions.upload.models": {"upload.params": _UPLOAD_MODELS},
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
        "upload.strategies": f"{_STRATEGIES} EXCLUDED_DIRS EXCLUDED_FILES"
    },
    "plugins.actions.upload.strategies.base": {
        "upload.strategies": "DataUnitStrategy FileDiscoveryStrategy MetadataStrategy "
        "UploadConfig UploadStrategy ValidationResult ValidationStrategy"
    },
    "plugins.actions.upload.strategies.data_unit": {
        "upload.strategies": "BatchDataUnitStrategy SingleDataUnitStrategy"
    },
    "plugins.actions.upload.strategies.file_discovery": {
        "upload.strategies": "EXCLUDED_DIRS EXCLUDED_FILES FlatFileDiscoveryStrategy "
        "RecursiveFileDiscoveryStrategy"
    },
    "plugins.actions.upload.strategies.metadata": {
        "upload.strategies": "CsvMetadataStrategy ExcelMetadataStrategy NoneMetadataStrategy"
    },
    "plugins.actions.upload.strategies.upload_strategy": {
        "upload.strategies": "SyncUploadStrategy"
    },
    "plugins.actions.upload.strategies.validation": {
        "upload.strategies": "DefaultValidationStrategy"
    },
    "plugins.context": {"runtime": "PluginEnvironment RuntimeContext"},
    "plugins.context.env": {"runtime": "PluginEnvironment"},
    "plugins.decorators": {"actions": "action"},
    "plugins.enums": {"actions": "PluginCategory"},
    "plugins.log_messages": {"messages": _MESSAGES},
    "plugins.models": {"messages": "LogLevel"},
    "plugins.models.logger": {"loggers": "ProgressData", "messages": "LogLevel"},
    "plugins.storage": {"storages.session": "acquire_storage"},
    "plugins.steps": {"steps": f"{_STEPS} {_WRAPPERS}"},
    "plugins.steps.base": {"steps": "BaseStep StepResult"},
    "plugins.steps.context": {"steps": "BaseStepContext"},
    "plugins.steps.orchestrator": {"steps": "Orchestrator"},
    "plugins.steps.registry": {"steps": "StepRegistry"},
    "plugins.steps.utils": {"steps": _WRAPPERS},
    "plugins.steps.utils.logging": {"steps": "LoggingStep"},
    "plugins.steps.utils.timing": {"steps": "TimingStep"},
    "plugins.steps.utils.validation": {"steps": "ValidationStep"},
    "utils": {},
    "utils.auth": {"configuration": "create_backend_client"},
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
    offer = f"handrail-synapse offers {', '.join(known)}" if offers else ""
    return "; ".join(
        part for part in (f"{module} has no {name!r}", did_you_mean(name, known), offer) if part
    )
