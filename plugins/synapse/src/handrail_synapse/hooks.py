"""What the pack does to plans: with a target in its settings, migrated uploads store there."""

from __future__ import annotations

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
    if settings.target is None:
        return None
    from handrail_synapse.upload.steps import UploadFilesStep  # noqa: PLC0415 - for these

    if not isinstance(step, UploadFilesStep):
        return None
    from handrail_synapse.upload.store import OpenStore  # noqa: PLC0415 - for these

    return OpenStore(settings)


@hookimpl
def wrap_step(
    action: ActionInfo, step: BaseStep[Any], settings: StoreSettings
) -> StepWrapper[Any] | None:
    """Store files, and register them, in the place of the steps that send them to the service."""
    if settings.target is None:
        return None
    from handrail_synapse.upload.steps import GenerateDataUnitsStep, UploadFilesStep  # noqa: PLC0415 - for these

    if isinstance(step, UploadFilesStep):
        from handrail_synapse.upload.store import StoreFiles  # noqa: PLC0415 - for these

        return StoreFiles(step, settings)
    if isinstance(step, GenerateDataUnitsStep):
        from handrail_synapse.upload.store import RegisterUnits  # noqa: PLC0415 - for these

        return RegisterUnits(step, settings)
    return None
