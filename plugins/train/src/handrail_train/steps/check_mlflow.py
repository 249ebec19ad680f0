"""check_mlflow: look at the tracking server, before anything is trained for it."""

from __future__ import annotations

from handrail import BaseStep, StepResult
from handrail_train.context import TrainContext


class CheckMlflowStep(BaseStep[TrainContext]):
    """Check that the MLflow server answers, so that no training is done in vain."""

    name = "check_mlflow"
    progress_weight = 0.05
    effects = False

    def execute(self, context: TrainContext) -> StepResult:
        from handrail_train.mlflow.client import server_of
        from handrail_train.mlflow.tracking import Tracking

        options = context.options
        with server_of(context) as server:
            tracking = Tracking(client=server, mark=context.mark)
            tracking.check(options.mlflow_experiment or options.model_name)
            return StepResult(data={"summary": f"{server.url} answers"})
