"""Base classes for upload, train and export actions, as documented by the SDK.

They are used if `handrail-upload`, `handrail-train` or `handrail-export` is not installed.
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
    """An upload with the steps of `setup_steps`; running it without steps raises RuntimeError.

    The result also has the counts `uploaded_files` and `data_units`, if the context has them.
    """

    action_name = "upload"
    context_class = UploadContext

    def create_context(self) -> Any:
        return _made(self)

    def result(self, context: Any) -> Mapping[str, Any]:
        found = {name: getattr(context, name, None) for name in ("uploaded_files", "data_units")}
        return {name: len(value) for name, value in found.items() if isinstance(value, Sized)}


class BaseTrainAction(BaseAction[P]):
    """A training with the steps of `setup_steps`, or its `execute` if it registers none.

    The result also has the `model`, if the steps have set it on the context.
    """

    action_name = "train"
    context_class = TrainContext

    def create_context(self) -> Any:
        return _made(self)

    def result(self, context: Any) -> Mapping[str, Any]:
        model = getattr(context, "model", None)
        return {} if model is None else {"model": model}


class BaseExportAction(BaseAction[P]):
    """An export with the steps of `setup_steps`, or its `execute` if it registers none.

    The result also has `exported_count` and, if set, `output_path`.
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
    """Return a new context for an action; unlike in core, params do not fill other fields."""
    params: Any = action.params
    values = params.model_dump() if hasattr(params, "model_dump") else dict(params)
    cls: Any = type(action).context_class
    return cls(runtime_ctx=action.ctx, params=values)
