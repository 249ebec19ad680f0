"""Base classes for upload, train and export actions, of the shape that the SDK documents.

They stand in where `handrail-upload`, `handrail-train` or `handrail-export` is not installed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import TYPE_CHECKING, Any

from handrail import BaseAction
from handrail_synapse.contexts import ExportContext, TrainContext, UploadContext

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    P = TypeVar("P", default=Any)
else:
    from typing import TypeVar

    P = TypeVar("P")


class BaseUploadAction(BaseAction[P]):
    """An upload: steps that `setup_steps` registers; without any, running it is a RuntimeError.

    The result also counts `uploaded_files` and `data_units`, where the context has them.
    """

    action_name = "upload"
    context_class = UploadContext

    def create_context(self) -> Any:
        return _made(self)

    def result(self, context: Any) -> Mapping[str, Any]:
        found = {name: getattr(context, name, None) for name in ("uploaded_files", "data_units")}
        return {name: len(value) for name, value in found.items() if isinstance(value, Sized)}


class BaseTrainAction(BaseAction[P]):
    """A training: the steps of `setup_steps`, or `execute` when it registers none.

    The result also holds the `model`, once the steps have set it on the context.
    """

    action_name = "train"
    context_class = TrainContext

    def create_context(self) -> Any:
        return _made(self)

    def result(self, context: Any) -> Mapping[str, Any]:
        model = getattr(context, "model", None)
        return {} if model is None else {"model": model}


class BaseExportAction(BaseAction[P]):
    """An export: the steps of `setup_steps`, or `execute` when it registers none.

    The result also holds `exported_count` and, once it is set, `output_path`.
    """

    action_name = "export"
    context_class = ExportContext

    def create_context(self) -> Any:
        return _made(self)

    def result(self, context: Any) -> Mapping[str, Any]:
        path = getattr(context, "output_path", None)
        counted = {"exported_count": getattr(context, "exported_count", 0)}
        return counted if path is None else {**counted, "output_path": path}


def _made(action: BaseAction[Any]) -> Any:
    """Make the context of an action; unlike core's own way, params never fill other fields."""
    params: Any = action.params
    values = params.model_dump() if hasattr(params, "model_dump") else dict(params)
    cls: Any = type(action).context_class
    return cls(runtime_ctx=action.ctx, params=values)
