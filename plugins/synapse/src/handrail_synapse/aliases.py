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
_MESSAGES = "CommonLogMessageCode LogMessageCode register_log_messages resolve_log_message"
_STORAGE = "StorageSession get_path_file_count get_path_total_size get_pathlib get_storage"
_LOGGERS = "BaseLogger ConsoleLogger NoOpLogger ProgressData"

# Of each module, its names by the module of ours that has them.
_TABLE: Mapping[str, Mapping[str, str]] = {
    "": {},
    "exceptions": {
        "exceptions": "AuthenticationError AuthorizationError ClientConnectionError ClientError "
        "ClientResponseIncompleteError ClientTimeoutError HTTPError NotFoundError RateLimitError "
        "ServerError ValidationError"
    },
    "i18n": {"messages": "LocalizedMessage"},
    "loggers": {"loggers": _LOGGERS},
    "plugins": {
        "actions": "BaseAction BaseExportAction BaseTrainAction BaseUploadAction NoResult "
        "PluginCategory UploadResult validate_result",
        "contexts": "ExportContext TrainContext UploadContext",
        "runtime": "RuntimeContext",
        "steps": f"{_STEPS} {_WRAPPERS}",
    },
    "plugins.action": {"actions": "BaseAction NoResult validate_result"},
    "plugins.actions": {
        "actions": "BaseExportAction BaseTrainAction BaseUploadAction",
        "contexts": "ExportContext TrainContext UploadContext",
    },
    "plugins.actions.export": {"actions": "BaseExportAction", "contexts": "ExportContext"},
    "plugins.actions.export.action": {"actions": "BaseExportAction"},
    "plugins.actions.export.context": {"contexts": "ExportContext"},
    "plugins.actions.train": {
        "actions": "BaseTrainAction",
        "contexts": "TrainContext",
        "train_params": "BaseTrainParams",
    },
    "plugins.actions.train.action": {
        "actions": "BaseTrainAction",
        "train_params": "BaseTrainParams",
    },
    "plugins.actions.train.context": {"contexts": "TrainContext"},
    "plugins.actions.upload": {
        "actions": "BaseUploadAction DefaultUploadAction UploadResult",
        "contexts": "UploadContext",
        "exceptions": _UPLOAD_ERRORS,
        "messages": "LogLevel",
        "upload.codes": "UploadLogMessageCode",
        "upload.params": "AssetConfig ExcelSecurityConfig UploadParams ValidationErrorCode",
        "upload.report": "UploadStatus",
        "upload.steps": _UPLOAD_STEPS,
        "upload.strategies": _STRATEGIES,
    },
    "plugins.actions.upload.action": {
        "actions": "BaseUploadAction DefaultUploadAction UploadResult"
    },
    "plugins.actions.upload.context": {"contexts": "UploadContext"},
    "plugins.actions.upload.enums": {
        "messages": "LogLevel",
        "upload.params": "ValidationErrorCode",
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
    "plugins.actions.upload.strategies": {"upload.strategies": _STRATEGIES},
    "plugins.actions.upload.strategies.base": {
        "upload.strategies": "DataUnitStrategy FileDiscoveryStrategy MetadataStrategy "
        "UploadConfig UploadStrategy ValidationResult ValidationStrategy"
    },
    "plugins.actions.upload.strategies.data_unit": {
        "upload.strategies": "BatchDataUnitStrategy SingleDataUnitStrategy"
    },
    "plugins.actions.upload.strategies.file_discovery": {
        "upload.strategies": "FlatFileDiscoveryStrategy RecursiveFileDiscoveryStrategy"
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
    "plugins.enums": {"actions": "PluginCategory"},
    "plugins.log_messages": {"messages": _MESSAGES},
    "plugins.models": {"messages": "LogLevel"},
    "plugins.models.logger": {"loggers": "ProgressData", "messages": "LogLevel"},
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
    "utils.storage": {"places": _STORAGE},
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
