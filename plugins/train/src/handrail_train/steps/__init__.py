"""The four steps of a training, each in a module of its own."""

from __future__ import annotations

from handrail_train.steps.evaluate_model import EvaluateModelStep
from handrail_train.steps.load_dataset import LoadDatasetStep
from handrail_train.steps.train_model import TrainModelStep
from handrail_train.steps.upload_model import UploadModelStep

__all__ = ["EvaluateModelStep", "LoadDatasetStep", "TrainModelStep", "UploadModelStep"]
