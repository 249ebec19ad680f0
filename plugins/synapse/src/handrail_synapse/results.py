"""The models of the results of actions, and the types of data that actions pass on."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, Field

from handrail_synapse.actions import MetricsCategory


class WeightsResult(BaseModel):
    """The weights of a model."""

    weights_path: str
    checkpoint_paths: list[str] = Field(default_factory=list)
    format: str = "pt"


class MetricsResult(BaseModel):
    """Measured values."""

    metrics: dict[str, float]
    category: MetricsCategory | str = MetricsCategory.TRAIN


class TrainResult(BaseModel):
    """The weights of a model, and how good it is."""

    weights_path: str
    final_epoch: int
    best_epoch: int | None = None
    train_metrics: dict[str, float] = Field(default_factory=dict)
    val_metrics: dict[str, float] = Field(default_factory=dict)


class InferenceResult(BaseModel):
    """What a model has found."""

    predictions: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
    processed_count: int = 0
    output_path: str | None = None


class ExportResult(BaseModel):
    """What was exported."""

    output_path: str
    exported_count: int
    format: str
    file_size_bytes: int | None = None


class UploadResult(BaseModel):
    """What was uploaded."""

    uploaded_count: int
    remote_path: str | None = None
    status: str = "completed"


class DataType:
    """What an action takes or gives; derive your own.

    Attributes:
        name: Its name.
        format: Its format, if it is of a certain one.
        description: What it is.
    """

    name: ClassVar[str] = "data"
    format: ClassVar[str | None] = None
    description: ClassVar[str] = ""

    @classmethod
    def is_compatible_with(cls, other: type[DataType]) -> bool:
        """Return whether one of both is derived from the other, or the same."""
        return issubclass(cls, other) or issubclass(other, cls)


class Dataset(DataType):
    """A data set."""

    name = "dataset"


class DMDataset(Dataset):
    """A data set of the service."""

    name, format = "dm_dataset", "dm"


class DMv1Dataset(DMDataset):
    """A data set of the service, in its first format."""

    name, format = "dm_v1_dataset", "dm_v1"


class DMv2Dataset(DMDataset):
    """A data set of the service, in its second format."""

    name, format = "dm_v2_dataset", "dm_v2"


class YOLODataset(Dataset):
    """A data set with a `dataset.yaml`."""

    name, format = "yolo_dataset", "yolo"


class COCODataset(Dataset):
    """A data set in the format of COCO."""

    name, format = "coco_dataset", "coco"


class PascalVOCDataset(Dataset):
    """A data set in the format of Pascal VOC."""

    name, format = "pascal_voc_dataset", "pascal"


class Model(DataType):
    """A model."""

    name = "model"


class ModelWeights(Model):
    """The weights of a model."""

    name, format = "model_weights", "weights"


class ONNXModel(Model):
    """A model in the format of ONNX."""

    name, format = "onnx_model", "onnx"


class TensorRTModel(Model):
    """A model in the format of TensorRT."""

    name, format = "tensorrt_model", "tensorrt"


class Result(DataType):
    """The result of an action."""

    name = "result"


class TestResults(Result):
    """The measured values of a test."""

    __test__ = False  # Of pytest.

    name, format = "test_results", "metrics"


class InferenceResults(Result):
    """What a model has found."""

    name, format = "inference_results", "predictions"
