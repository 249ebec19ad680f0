"""The contexts of the upload, train and export actions, with the fields of the SDK's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, cast

from handrail import ActionContext
from handrail_synapse.steps import BaseStepContext

_TRANSIENT = {"transient": True}


class PathsAsText:
    """Lets a journal store the paths in a field by their texts, also those of other storages."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        from pydantic_core import core_schema  # noqa: PLC0415 - for durable runs only

        made = core_schema.plain_serializer_function_ser_schema(_with_texts)
        return {**handler(source), "serialization": made}


def _with_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_texts(each) for key, each in cast("Any", value).items()}
    if isinstance(value, list):
        return [_with_texts(each) for each in cast("Any", value)]
    return str(value) if hasattr(value, "read_bytes") else value


class NotedParams(dict[str, Any]):
    """Params that note what steps write into them, so that it outlives the process.

    The params of an action never change, so a journal has them as they were given.

    Args:
        values: The params.
        noted: Receives what is written, as far as it has a JSON form.
    """

    def __init__(self, values: Mapping[str, Any], noted: dict[str, Any]) -> None:
        super().__init__(values)
        self._noted = noted

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            self._noted.pop(key, None)
        else:
            self._noted[key] = value

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *given: Any, **named: Any) -> None:
        for key, value in dict(*given, **named).items():
            self[key] = value

    def pop(self, key: str, *default: Any) -> Any:
        self._noted.pop(key, None)
        return super().pop(key, *default)


@dataclass
class ActionStepContext(BaseStepContext, ActionContext[Any]):  # pyright: ignore[reportIncompatibleMethodOverride]
    """The base class of the three contexts.

    Attributes:
        params: The params of the action, as a plain dict; `options` has them as their model.
        noted_params: What steps have written into `params`.
    """

    params: dict[str, Any] = field(default_factory=dict[str, Any])
    noted_params: dict[str, Any] = field(default_factory=dict[str, Any], init=False, repr=False)

    def __post_init__(self) -> None:
        self.params = NotedParams(self.params, self.noted_params)

    def recall_params(self) -> None:
        """Write again what steps of an earlier process have written into `params`."""
        self.params = NotedParams({**self.params, **self.noted_params}, self.noted_params)

    @property
    def client(self) -> Any:
        """The client of the runtime context.

        Raises:
            RuntimeError: The runtime context has no client.
        """
        client = getattr(self.runtime_ctx, "client", None)
        if client is None:
            raise RuntimeError(
                f"No client in runtime context: {type(self).__name__} has no client, give one to "
                "the RuntimeContext of the action"
            )
        return client

    @property
    def logger(self) -> Any:
        """The logger of the runtime context."""
        return self.runtime_ctx.logger


@dataclass
class UploadContext(ActionStepContext):
    """The state of an upload, filled by its steps.

    Attributes:
        allowed_extensions: The extensions that are accepted, by the kind of file; None for all.
        storage: The storage of the source files; transient.
        data_collection: The data collection to which the files belong, with its
            `file_specifications`.
        project: The project to which they are uploaded, if any.
        pathlib_cwd: The folder of the source, or None where each specification has its own.
        organized_files: One dict for each data unit to be: `files`, the path of each by the name of
            its specification, `meta`, and `groups` if it belongs to any.
        uploaded_files: One dict for each that was uploaded: `data_collection`, `files` with the
            `checksum` and the `path` of each, `meta` and `groups`.
        lost_files: Paths of files that could not be uploaded.
        data_units: The data units created from the uploaded files, as the client returns them.
        excel_metadata: Metadata of the files, by their names; None without a sheet.
        metadata: For workflows of your own.
        stored: The context of handrail-upload, where files are stored by it; transient.
    """

    allowed_extensions: dict[str, list[str]] | None = None
    storage: Any = field(default=None, metadata=_TRANSIENT)
    data_collection: Any = None
    project: Any = None
    pathlib_cwd: Annotated[Path | None, PathsAsText()] = None
    organized_files: Annotated[list[dict[str, Any]], PathsAsText()] = field(
        default_factory=list[dict[str, Any]]
    )
    uploaded_files: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    lost_files: list[str] = field(default_factory=list[str])
    data_units: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    excel_metadata: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    stored: Any = field(default=None, init=False, repr=False, compare=False, metadata=_TRANSIENT)

    def get_param(self, key: str, default: Any = None) -> Any:
        """Return a param: from `extra_params` if it is there, else from the params."""
        return read_param(self.params, key, default)

    @property
    def use_single_path(self) -> bool:
        """Whether all files are below one folder; else each specification has its own."""
        return bool(self.params.get("use_single_path", True))

    @property
    def upload_name(self) -> str:
        """The name of the upload."""
        return str(self.params.get("name", "Unnamed Upload"))

    @property
    def max_file_size_bytes(self) -> int:
        """The param `max_file_size_mb` in bytes."""
        return int(self.get_param("max_file_size_mb", 50)) * 1024 * 1024

    @property
    def batch_size(self) -> int:
        """How many data units are created in one call."""
        return int(self.get_param("creating_data_unit_batch_size", 200))

    @property
    def data_unit_max_workers(self) -> int:
        """How many such calls are made at a time; at least 1."""
        return max(1, _number(self.get_param("creating_data_unit_max_workers", 1), 1))

    @property
    def data_unit_max_retries(self) -> int:
        """How often such a call is tried again; 0 to 10."""
        return min(10, max(0, _number(self.get_param("creating_data_unit_max_retries", 2), 2)))

    @property
    def use_async_upload(self) -> bool:
        """The param of that name."""
        return bool(self.get_param("use_async_upload", True))


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


def read_param(params: object, key: str, default: Any = None) -> Any:
    """Return a param: from `extra_params` if it is there, else from the params themselves."""
    if not isinstance(params, dict):
        return default
    given = cast("Mapping[str, Any]", params)
    extra: Any = given.get("extra_params")
    if isinstance(extra, dict) and key in extra:
        return cast("Mapping[str, Any]", extra)[key]
    return given.get(key, default)


def _number(given: object, otherwise: int) -> int:
    try:
        return int(cast("Any", given))
    except (TypeError, ValueError):
        return otherwise
