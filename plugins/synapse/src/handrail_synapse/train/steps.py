"""The steps of a training: the data set, the training itself, and the model."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import handrail
from handrail import StepResult
from handrail_synapse.contexts import TrainContext
from handrail_synapse.folders import folders_to_remove, remove_folders
from handrail_synapse.given import as_dict
from handrail_synapse.steps import BaseStep
from handrail_synapse.train.codes import TrainLogMessageCode as Code

if TYPE_CHECKING:
    from handrail_synapse.train.action import BaseTrainAction


def default_steps(action: BaseTrainAction[Any]) -> Iterator[BaseStep[TrainContext]]:
    """Yield the steps of a training that has an `execute(data_path, checkpoint)`."""
    yield ExportDatasetStep()
    if action.target_format:
        yield ConvertDatasetStep(action.target_format)
    yield TrainExecuteStep(action)
    yield ModelUploadStep(action)


class ExportDatasetStep(BaseStep[TrainContext]):
    """Download the data set of the params."""

    name = "dataset"
    progress_weight = 0.3
    progress_proportion = 20

    def can_skip(self, context: TrainContext) -> bool:
        return context.params.get("dataset") is None

    def execute(self, context: TrainContext) -> StepResult:
        from handrail_synapse.train.dataset import (  # noqa: PLC0415 - not to plan
            DatasetAction,
            DatasetParams,
        )

        if context.params.get("dataset") is None:
            return StepResult(success=False, error="dataset is required in params")
        names = ("dataset", "splits", "output_dir")
        asked: dict[str, Any] = {name: context.params.get(name) for name in names}
        # What it tells of its parts is progress of this step.
        action = DatasetAction(DatasetParams(**asked), OneStep(context))
        found = action.download(context.record_rollback)
        context.dataset = {
            "path": found.path,
            "format": found.format,
            "is_categorized": found.is_categorized,
            "count": found.count,
        }
        return StepResult(data={"path": str(found.path), "count": found.count})

    def restore(self, context: TrainContext, result: StepResult) -> None:
        _with_paths(context)

    def rollback(self, context: TrainContext, result: StepResult) -> None:
        remove_folders(result.rollback_data)
        context.dataset = None

    def preview(self, context: TrainContext) -> str:
        return f"download the data set {context.params.get('dataset')}"

    def preview_rollback(self, context: TrainContext, result: StepResult) -> Iterator[str]:
        for each in folders_to_remove(result.rollback_data):
            yield f"remove {each} with all that is in it"


class ConvertDatasetStep(BaseStep[TrainContext]):
    """Stands where the SDK converts the data set, and fails; derive one that does.

    Args:
        target_format: The format that the training needs.
        source_format: The format of the data set.

    Attributes:
        formats: Both of them.
    """

    name = "convert"
    progress_weight = 0.2

    def __init__(self, target_format: str = "yolo", source_format: str = "dm_v2") -> None:
        self.formats = f"{source_format} to {target_format}"

    def execute(self, context: TrainContext) -> StepResult:
        from handrail_synapse.train.dataset import NOT_CONVERTED  # noqa: PLC0415 - not to plan

        return StepResult(success=False, error=f"{self.formats}: {NOT_CONVERTED}")


class TrainExecuteStep(BaseStep[TrainContext]):
    """Call the `execute` of the action with the path of the data, and the model to start from.

    Args:
        action: The action.
    """

    name = "train"
    progress_weight = 0.5
    progress_proportion = 75

    def __init__(self, action: BaseTrainAction[Any]) -> None:
        self._action = action

    def execute(self, context: TrainContext) -> StepResult:
        data = _data_path(context)
        if data is None:
            return StepResult(
                success=False,
                error="No data path available: the params name no data set, and no step has set "
                "context.dataset",
            )
        answer: Any = cast("Any", self._action).execute(data, self._action.get_checkpoint())
        if hasattr(answer, "model_dump"):
            found: dict[str, Any] = answer.model_dump()
        else:
            found = dict(answer) if isinstance(answer, Mapping) else {"result": answer}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        if found.get("weights_path"):
            context.model_path = str(found["weights_path"])
        return StepResult(data=found)

    def preview(self, context: TrainContext) -> str:
        return "train the model"

    def restore(self, context: TrainContext, result: StepResult) -> None:
        _with_paths(context)


class ModelUploadStep(BaseStep[TrainContext]):
    """Register the model in the service, which keeps it also after an undo.

    Args:
        action: The action.
    """

    name = "model_upload"
    progress_weight = 0.1
    progress_proportion = 5

    def __init__(self, action: BaseTrainAction[Any]) -> None:
        self._action = action

    def can_skip(self, context: TrainContext) -> bool:
        return bool(context.params.get("is_tune", False)) or not context.model_path

    def execute(self, context: TrainContext) -> StepResult:
        if not context.model_path:
            return StepResult(data={"skipped": True})
        if not Path(context.model_path).exists():
            return StepResult(data={"skipped": True, "reason": "path_not_found"})
        try:
            client = self._action.client
        except (RuntimeError, AttributeError):
            return StepResult(data={"skipped": True, "reason": "no_client"})
        self._action.log_message(Code.TRAIN_MODEL_SAVED)
        folder = tempfile.mkdtemp(prefix="handrail-model-")
        try:
            archive = Path(folder, "model.zip")
            _pack(Path(context.model_path), archive)
            model = client.create_model(self._about(context, client), file=archive)
        except Exception as error:  # noqa: BLE001 - of the client
            self._action.log_message(Code.TRAIN_FAILED_MODEL_REGISTER, error=str(error))
            context.mark_user_failure_emitted()
            return StepResult(success=False, error=str(error))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        context.model = model
        self._action.log_message(Code.TRAIN_MODEL_UPLOADED)
        return StepResult(data={"model_id": model})

    def _about(self, context: TrainContext, client: Any) -> dict[str, Any]:
        """Return what the service is told of the model."""
        params: Any = self._action.params
        given: dict[str, Any] = params.model_dump() if hasattr(params, "model_dump") else {}
        job: Any = getattr(self._action.ctx, "job_id", None)
        several: Any = given.get("hyperparameters") or [{}]
        # The service wants names that it does not have yet.
        name = f"{given.get('name') or f'train_{job}'}_{uuid4().hex[:8]}"
        about: dict[str, Any] = {
            "name": name,
            "description": given.get("description", ""),
            "configuration": {"hyperparameter": given.get("hyperparameter") or several[0]},
            **_release_of(job, client),
        }
        start: Any = getattr(context.runtime_ctx, "checkpoint", None) or {}
        number = start.get("id") or given.get("checkpoint")
        return {**about, "checkpoint": number} if number else about


class OneStep(handrail.RuntimeContext):
    """A runtime context for an action within a step: its progress is that of the step."""

    def __init__(self, context: TrainContext) -> None:
        runtime: Any = context.runtime_ctx
        super().__init__(client=runtime.client, logger=runtime.logger)
        self._context = context

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        self._context.log(event, data, file)

    def log_message(self, message: Any, *level: Any, **values: Any) -> None:
        """Log a message for the user."""
        self._context.log_message(message, *level, **values)

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        self._context.set_progress(current, total)


def unconverted(plan: handrail.Plan) -> Iterator[handrail.Problem]:
    """Yield a problem if the data set of a plan would have to be converted."""
    from handrail_synapse.train.dataset import NOT_CONVERTED  # noqa: PLC0415 - rare

    for each in plan.steps:
        step: Any = each.step
        while isinstance(step, handrail.StepWrapper):
            step = cast("Any", step).wrapped
        if type(step) is ConvertDatasetStep:
            yield handrail.Problem(code="not-converted", message=f"{step.formats}: {NOT_CONVERTED}")


def _data_path(context: TrainContext) -> Path | None:
    found: Mapping[str, Any] = context.dataset or {}
    if found.get("config_path") is not None:
        return Path(found["config_path"])
    if found.get("path") is None:
        return None
    path = Path(found["path"])
    return path / "dataset.yaml" if path.is_dir() else path


def _with_paths(context: TrainContext) -> None:
    """Make paths again of the texts that a journal has kept of them."""
    kept = as_dict(context.dataset)
    for name in ("path", "config_path", "source_path"):
        if isinstance(kept.get(name), str):
            kept[name] = Path(kept[name])


def _pack(source: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        if source.is_file():
            file.write(source, source.name)
            return
        for each in sorted(source.rglob("*")):
            if each.is_file():
                file.write(each, each.relative_to(source).as_posix())


def _release_of(job: Any, client: Any) -> dict[str, Any]:
    """Return the code of the plugin of a job, and its version, as far as the client knows them."""
    if not job:
        return {}
    try:
        release: Any = client.get_job(job).get("plugin_release")
        if isinstance(release, int):
            release = client.get_plugin_release(release, params={"expand": "plugin"})
        code = as_dict(release.get("plugin")).get("code")
        told: dict[str, Any] = {"plugin": code, "version": release.get("version")}
    except Exception:  # noqa: BLE001 - the model is registered without
        return {}
    return {name: value for name, value in told.items() if value}


__all__ = [
    "ConvertDatasetStep",
    "ExportDatasetStep",
    "ModelUploadStep",
    "TrainExecuteStep",
    "default_steps",
]
