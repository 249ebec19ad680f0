"""What the pack does to plans: with a target in its settings, migrated uploads store there."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from handrail import ActionInfo, BaseStep, PackInfo, hookimpl
from handrail_synapse.settings import StoreSettings

if TYPE_CHECKING:
    from handrail import StepWrapper


@hookimpl
def pack_info() -> PackInfo:
    """Say what may be set."""
    return PackInfo(settings=StoreSettings)


@hookimpl
def insert_before(
    action: ActionInfo, step: BaseStep[Any], settings: StoreSettings
) -> BaseStep[Any] | None:
    """Open the target before files are stored there."""
    if settings.target is None or not isinstance(step, _steps().UploadFilesStep):
        return None
    opened: BaseStep[Any] = _store().OpenStore(settings)
    return opened


@hookimpl
def wrap_step(
    action: ActionInfo, step: BaseStep[Any], settings: StoreSettings
) -> StepWrapper[Any] | None:
    """Store files, and register them, in the place of the steps that send them to the service."""
    if settings.target is None:
        return None
    layer: StepWrapper[Any] | None = None
    if isinstance(step, _steps().UploadFilesStep):
        layer = _store().StoreFiles(step, settings)
    elif isinstance(step, _steps().GenerateDataUnitsStep):
        layer = _store().RegisterUnits(step, settings)
    return layer


# Imported where there is a target only: these hooks are called for the steps of every action.


def _steps() -> Any:
    return import_module("handrail_synapse.upload.steps")


def _store() -> Any:
    try:
        return import_module("handrail_synapse.upload.store")
    except ModuleNotFoundError as error:
        raise ImportError(
            f"the target in the settings of handrail-synapse needs {error.name}:  "
            "pip install 'handrail-synapse[upload]'"
        ) from error
