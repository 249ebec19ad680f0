"""handrail-train: a model is trained on a table and kept in versions, with a way back.

Every public name is imported from here on first use; the heavy libraries behind them only when a
step runs.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

__version__ = "0.1.0"

with lazy_imports(__name__):
    from handrail_train.action import BaseTrainAction as BaseTrainAction
    from handrail_train.action import DefaultTrainAction as DefaultTrainAction
    from handrail_train.context import TrainContext as TrainContext
    from handrail_train.data import Examples as Examples
    from handrail_train.data import Split as Split
    from handrail_train.data import TableEncoder as TableEncoder
    from handrail_train.data import Target as Target
    from handrail_train.models import Fit as Fit
    from handrail_train.models import Hyper as Hyper
    from handrail_train.models import ModelKind as ModelKind
    from handrail_train.models import SklearnKind as SklearnKind
    from handrail_train.models import shuffled as shuffled
    from handrail_train.params import TrainParams as TrainParams
    from handrail_train.predicting import LoadModelStep as LoadModelStep
    from handrail_train.predicting import PredictAction as PredictAction
    from handrail_train.predicting import PredictParams as PredictParams
    from handrail_train.predicting import WritePredictionsStep as WritePredictionsStep
    from handrail_train.predictor import Predictor as Predictor
    from handrail_train.steps import CheckMlflowStep as CheckMlflowStep
    from handrail_train.steps import CheckStoreStep as CheckStoreStep
    from handrail_train.steps import CrossValidateStep as CrossValidateStep
    from handrail_train.steps import EvaluateModelStep as EvaluateModelStep
    from handrail_train.steps import LoadDatasetStep as LoadDatasetStep
    from handrail_train.steps import LogToMlflowStep as LogToMlflowStep
    from handrail_train.steps import TrainModelStep as TrainModelStep
    from handrail_train.steps import UploadModelStep as UploadModelStep
    from handrail_train.versions import Versions as Versions
    from handrail_train.versions import load_model as load_model
