"""The contexts of the upload, train and export actions, with the fields that the SDK documents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from handrail import ActionContext


@dataclass
class ActionStepContext(ActionContext[Any]):
    """The base class of the three contexts.

    Attributes:
        params: The params of the action, as a plain dict; `options` has them as their model.
    """

    params: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def client(self) -> Any:
        """The client of the runtime context.

        Raises:
            RuntimeError: The runtime context has no client.
        """
        client = getattr(self.runtime_ctx, "client", None)
        if client is None:
            raise RuntimeError(
                f"{type(self).__name__} has no client: give one to the RuntimeContext of the action"
            )
        return client


@dataclass
class UploadContext(ActionStepContext):
    """The state of an upload, filled by its steps.

    Attributes:
        storage: The storage for the files.
        data_collection: The data collection to which the files belong.
        project: The project to which they are uploaded, if any.
        organized_files: The files, grouped for upload.
        uploaded_files: The files that have been uploaded.
        data_units: The data units created from the uploaded files.
        metadata: Metadata of the files, by file.
    """

    storage: Any = None
    data_collection: Any = None
    project: Any = None
    organized_files: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    uploaded_files: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    data_units: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class TrainContext(ActionStepContext):
    """The state of a training, filled by its steps.

    Attributes:
        dataset: The training data.
        model_path: The path of the trained model.
        model: The model as registered in the backend.
    """

    dataset: Any = None
    model_path: str | None = None
    model: dict[str, Any] | None = None


@dataclass
class ExportContext(ActionStepContext):
    """The state of an export, filled by its steps.

    Attributes:
        results: The items to export.
        total_count: The number of items.
        exported_count: The number of items written.
        failed_count: The number of items that could not be written.
        output_path: The path of the output.
    """

    results: Any = None
    total_count: int = 0
    exported_count: int = 0
    failed_count: int = 0
    output_path: str | None = None
