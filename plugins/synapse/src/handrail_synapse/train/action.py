"""The base class of trainings."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import handrail
from handrail_synapse.actions import PluginCategory, TellsFailure
from handrail_synapse.contexts import TrainContext

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from handrail_synapse.messages import LogMessageCode

    P = TypeVar("P", default=Any)
else:
    from typing import TypeVar

    P = TypeVar("P")


class TrainProgressCategories:
    """Names of parts of a training, for `set_progress`."""

    DATASET = "dataset"
    TRAIN = "train"
    MODEL_UPLOAD = "model_upload"


class BaseTrainAction(TellsFailure[P]):
    """A training, in one of three ways.

    With an `execute(data_path, checkpoint)`, the data set is downloaded before it is called, and
    the model, at the `weights_path` that it returns, is registered after. With an `execute()`, that
    is all that runs. With a `setup_steps`, its steps run.

    The result also has the `model` and its `model_id`, if the context has a model.

    Attributes:
        target_format: The format of the data that the training needs.
        progress: Names of parts for `set_progress`.
    """

    action_name = "train"
    category = PluginCategory.NEURAL_NET
    category_of_messages = "TRAIN"
    context_class = TrainContext
    progress = TrainProgressCategories()
    target_format: ClassVar[str | None] = None

    @classmethod
    def get_log_message_code_class(cls) -> type[LogMessageCode]:
        from handrail_synapse.train.codes import TrainLogMessageCode

        return TrainLogMessageCode

    def setup_steps(self, registry: handrail.StepRegistry[Any]) -> None:
        # One that overrides it and calls this one too registers all steps itself, as in the SDK.
        own = type(self).setup_steps is not BaseTrainAction.setup_steps
        if own or not takes_data(type(self).execute):
            return
        from handrail_synapse.train.steps import default_steps

        for step in default_steps(self):
            registry.register(step)

    @property
    def is_simple(self) -> bool:
        return super().is_simple and not takes_data(type(self).execute)

    def check_inputs(self) -> Iterable[tuple[str, str]]:
        if getattr(self.params, "is_tune", False):
            yield "is_tune", "several trainings are tried with:  handrail sweep"

    def create_context(self) -> Any:
        return self.context_with(TrainContext)

    def result(self, context: Any) -> Mapping[str, Any]:
        model: Any = getattr(context, "model", None)
        if not model:
            return {}
        named = cast("Mapping[str, Any]", model) if isinstance(model, Mapping) else {"id": model}
        return {"model": model, "model_id": named.get("id")}

    def autolog(self, framework: str) -> None:
        """Not there.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            f"{framework} does not report by itself here: call report_metrics() and "
            "set_progress(), and return the weights_path of the model"
        )

    def get_dataset(self) -> Any:
        """Return the data set of the params: `dataset_id` by the client, or `dataset` as it is.

        Raises:
            ValueError: The params name no data set.
        """
        number = getattr(self.params, "dataset_id", None)
        if number is not None:
            return self.client.get_data_collection(number)
        dataset = getattr(self.params, "dataset", None)
        if dataset is None:
            raise ValueError(
                "params.dataset is required for get_dataset() (or params.dataset_id); give the "
                "params such a field, or override get_dataset()"
            )
        return {"id": dataset}

    def create_model(self, path: str, **about: Any) -> Any:
        """Register a trained model through the client."""
        return self.client.create_model(about, file=path)

    def get_model(self, model_id: int) -> Any:
        """Return a registered model by its number."""
        return self.client.get_model(model_id)

    def get_checkpoint(self) -> Mapping[str, Any] | None:
        """Return the model from which to start: that of the runtime context, or of the params.

        Returns:
            Its `category`, `path`, `id` and `name`, or None.
        """
        given: Mapping[str, Any] | None = getattr(self.ctx, "checkpoint", None)
        if given is not None:
            return given
        number = getattr(self.params, "checkpoint", None)
        if number is None:
            return None
        model = self.get_model(number)
        archive = Path(model["file"])
        folder = Path(tempfile.mkdtemp(prefix="synapse-model-"))
        # Without its filter, a tar archive may write outside of the folder; others have none.
        safe: dict[str, Any] = {} if archive.suffix == ".zip" else {"filter": "data"}
        shutil.unpack_archive(str(archive), str(folder), **safe)
        return {
            "category": model.get("category") or "base",
            "path": folder,
            "id": model.get("id"),
            "name": model.get("name"),
        }

    def report_metrics(
        self, metrics: Mapping[str, Any], *, epoch: int | None = None, category: str = "train"
    ) -> None:
        """Log the measured values of an epoch."""
        self.log_metric(str(category), "epoch", epoch or 0, **metrics)


def takes_data(execute: Any) -> bool:
    """Return whether an `execute` takes the path of the data, and not only the action."""
    given = list(signature(execute).parameters.values())[1:]
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.VAR_POSITIONAL)
    return any(each.kind in kinds for each in given)
