"""log_to_mlflow: tell an MLflow server of the stored version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from handrail import BaseStep, StepResult
from handrail_train.context import TrainContext
from handrail_train.errors import VersionError

if TYPE_CHECKING:
    from handrail_train.mlflow.record import Record
    from handrail_train.mlflow.tracking import Tracking
    from handrail_train.mlflow.undo import MlflowUndo

Note = Callable[[str, Any], None]


class LogToMlflowStep(BaseStep[TrainContext]):
    """Log the training as a run of MLflow, and register the stored version there."""

    name = "log_to_mlflow"
    undo_before = ("upload_model",)  # No version there is left that points at a deleted model.
    progress_weight = 0.05

    def execute(self, context: TrainContext) -> StepResult:
        return self._log(context, StepResult())

    def resume(self, context: TrainContext, result: StepResult) -> StepResult:
        """Go on with the run that is there, if there is one; no second one is made."""
        return self._log(context, result)

    def _log(self, context: TrainContext, recorded: StepResult) -> StepResult:
        from handrail_train.manifest import Version
        from handrail_train.mlflow.client import server_of
        from handrail_train.mlflow.record import record_of
        from handrail_train.mlflow.tracking import Tracking

        context.needs("upload_model")
        if context.model is None:
            raise VersionError(
                "no model was stored in this run", ways_out=("let upload_model run before",)
            )
        earlier = _made_by(context, recorded)
        if earlier.refused is not None:
            raise earlier.refused
        context.opened.logging = True

        def note(name: str, value: Any) -> None:
            """Record what will be made, unless an earlier process has."""
            if value not in recorded.rollback_data.get(name, ()):
                context.record_rollback(name, value)

        told = record_of(context.use_store(), Version.from_dict(context.model))
        experiment = context.options.mlflow_experiment or told.model
        with server_of(context) as server:
            tracking = Tracking(client=server, mark=earlier.mark)
            note("server", server.url)
            note("mark", earlier.mark)
            number = tracking.experiment(experiment)
            note("experiments", number)
            run = _log_run(context, tracking, told, number, note)
            note("models", told.model)
            version = tracking.version(
                told.model,
                source=told.source,
                run_id=run["info"]["run_id"],
                description=told.note,
                tags=told.version_tags,
            )
        return StepResult(
            data={
                "summary": f"run {told.name} in the experiment {experiment}, "
                f"version {version} of {told.model}",
                "experiment": experiment,
                "run": run["info"]["run_id"],
                "version": version,
                "url": f"{server.url}/#/experiments/{number}/runs/{run['info']['run_id']}",
            }
        )

    def rollback(self, context: TrainContext, result: StepResult) -> None:
        from handrail_train.mlflow.client import server_of

        made = _made_by(context, result)
        if made.server is None:
            if made.refused is not None:
                raise made.refused
            return
        with server_of(context) as server:
            undone = made.run(server, killed=not context.opened.logging)
        context.log("undone", {"summary": undone})

    def preview_rollback(self, context: TrainContext, result: StepResult) -> Iterator[str]:
        return _made_by(context, result).preview()

    def preview(self, context: TrainContext) -> str:
        options = context.options
        experiment = options.mlflow_experiment or options.model_name
        return (
            f"log a run in the experiment {experiment} and register a version of "
            f"{options.model_name} in {options.mlflow}"
        )


def _log_run(
    context: TrainContext, tracking: Tracking, told: Record, experiment: str, note: Note
) -> dict[str, Any]:
    """Make the run, with all that belongs to it, and return it."""
    from handrail_train.manifest import Version
    from handrail_train.versions import Versions

    tags = told.tags
    run = tracking.run(experiment, run_name=told.name, start_time=told.began, tags=tags)
    number = run["info"]["run_id"]
    tracking.log(number, told.params, told.metrics)
    tracking.log_dataset(number, told.dataset)
    if tracking.place_of(run) is None:
        place = run["info"].get("artifact_uri")
        context.log("artifacts", {"summary": f"not sent: only clients of MLflow write to {place}"})
    else:
        versions, version = Versions(context.use_store()), Version.from_dict(context.model or {})
        for name in told.files:
            note("files", name)
        for done, (name, role) in enumerate(told.files.items(), 1):
            tracking.put_file(run, name, versions.content(version, role))
            context.set_progress(done, len(told.files), "files")
    tracking.finish(run, told.ended)
    return run


def _made_by(context: TrainContext, result: StepResult) -> MlflowUndo:
    """Parse the rollback data of `log_to_mlflow` into its undo."""
    from handrail_train.mlflow.undo import MlflowUndo

    return MlflowUndo.of(context.notes_of(result), context)
