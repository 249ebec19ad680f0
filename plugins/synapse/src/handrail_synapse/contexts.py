"""The contexts of the upload, train and export actions, with the fields that the SDK documents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from handrail import ActionContext


@dataclass
class ActionStepContext(ActionContext[Any]):
    """What the three contexts share.

    Attributes:
        params: The params of the action, as a plain dict; `options` has them as their model.
    """

    params: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def client(self) -> Any:
        """The client of the runtime context.

        Raises:
            RuntimeError: There is none.
        """
        client = getattr(self.runtime_ctx, "client", None)
        if client is None:
            raise RuntimeError(
                f"{type(self).__name__} has no client: give one to the RuntimeContext of the action"
            )
        return client


@dataclass
class UploadContext(ActionStepContext):
    """State of an upload, filled by its steps.

    Attributes:
        storage: Where the files go.
        data_collection: What the files belong to.
        project: The project that they are uploaded to, if any.
        organized_files: The files, grouped for upload.
        uploaded_files: The files that have been uploaded.
        data_units: What was made from the uploaded files.
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
    """State of a training, filled by its steps.

    Attributes:
        dataset: What to train on.
        model_path: Where the trained model lies.
        model: The model as the backend knows it.
    """

    dataset: Any = None
    model_path: str | None = None
    model: dict[str, Any] | None = None


@dataclass
class ExportContext(ActionStepContext):
    """State of an export, filled by its steps.

    Attributes:
        results: What is exported.
        total_count: How many there are.
        exported_count: How many have been written.
        failed_count: How many could not be written.
        output_path: Where they were written to.
    """

    results: Any = None
    total_count: int = 0
    exported_count: int = 0
    failed_count: int = 0
    output_path: str | None = None
