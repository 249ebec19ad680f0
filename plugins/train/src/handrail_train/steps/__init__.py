"""The steps of a training, each in a module of its own."""

from __future__ import annotations

from handrail_train.steps.check_mlflow import CheckMlflowStep
from handrail_train.steps.check_store import CheckStoreStep
from handrail_train.steps.cross_validate import CrossValidateStep
from handrail_train.steps.evaluate_model import EvaluateModelStep
from handrail_train.steps.load_dataset import LoadDatasetStep
from handrail_train.steps.log_to_mlflow import LogToMlflowStep
from handrail_train.steps.train_model import TrainModelStep
from handrail_train.steps.upload_model import UploadModelStep

__all__ = [
    "CheckMlflowStep",
    "CheckStoreStep",
    "CrossValidateStep",
    "EvaluateModelStep",
    "LoadDatasetStep",
    "LogToMlflowStep",
    "TrainModelStep",
    "UploadModelStep",
]
