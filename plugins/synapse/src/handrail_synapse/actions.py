"""The base classes of actions, as documented by the SDK.

They are the same whatever other packs are installed: code that was written for the SDK gets the
contexts, the params and the results that it knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import handrail
from handrail_synapse.contexts import ExportContext, TrainContext, UploadContext
from handrail_synapse.loggers import told_of_the_whole
from handrail_synapse.messages import LogLevel, level_of
from handrail_synapse.runtime import RuntimeContext, given_or_made, with_messages
from handrail_synapse.steps import StepRegistry
from handrail_synapse.upload.codes import UploadLogMessageCode

if TYPE_CHECKING:
    from pydantic import BaseModel
    from typing_extensions import TypeVar

    from handrail_synapse.messages import LogMessageCode, Message

    P = TypeVar("P", default=Any)
    F = TypeVar("F", bound=Callable[..., Any])
else:
    from typing import TypeVar

    P = TypeVar("P")
    F = TypeVar("F")


class PluginCategory(StrEnum):
    """What a plugin is for."""

    NEURAL_NET = "neural_net"
    EXPORT = "export"
    UPLOAD = "upload"
    SMART_TOOL = "smart_tool"
    POST_ANNOTATION = "post_annotation"
    PRE_ANNOTATION = "pre_annotation"
    DATA_VALIDATION = "data_validation"
    CUSTOM = "custom"


class NoResult:
    """Stands for the missing model of a result."""


class UploadResult(dict[str, Any]):
    """The result of an upload: a dict whose entries are attributes too.

    `partial_failure`, `lost_files_count` and `lost_files` are entries only if files were lost.
    """

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        if name in _NOTHING_LOST:
            return _NOTHING_LOST[name]
        raise AttributeError(f"the result has no {name!r}")

    def model_dump(self) -> dict[str, Any]:
        """Return it as a plain dict."""
        return {**_NOTHING_LOST, **self}


_NOTHING_LOST: Mapping[str, Any] = {
    "partial_failure": False,
    "lost_files_count": 0,
    "lost_files": (),
}


class BaseAction(handrail.BaseAction[P]):
    """An action with the helpers that the SDK's have.

    Attributes:
        category: What its plugin is for.
        input_type: What it takes from the action before it.
        output_type: What it gives to the action after it.
        result_model: The model of the result of `execute`.
    """

    category: ClassVar[PluginCategory | str | None] = None
    input_type: ClassVar[Any] = None
    output_type: ClassVar[Any] = None
    result_model: ClassVar[Any] = NoResult
    registry_class = StepRegistry
    _packs: Any = None

    def __init__(
        self,
        params: P | Mapping[str, Any] | None = None,
        ctx: handrail.RuntimeContext | None = None,
        **options: Any,
    ) -> None:
        runtime, model = given_or_made(ctx), type(self).params_model
        if isinstance(params, Mapping) and model is not None:
            params = self._validated(cast("Mapping[str, Any]", params), runtime)
        if params is None or model is None or isinstance(params, model):
            super().__init__(cast("Any", params), runtime, **options)
        else:  # Of whatever kind, as in tests of plugins.
            self.params, self.ctx = cast("Any", params), runtime
            self._packs = options.get("packs")

    @classmethod
    def partial(
        cls, params: Mapping[str, Any], ctx: handrail.RuntimeContext | None = None, **options: Any
    ) -> Self:
        """Return an action that can be planned, with a runtime context as one that can be run."""
        return super().partial(params, given_or_made(ctx), **options)

    def _validated(self, params: Mapping[str, Any], runtime: handrail.RuntimeContext) -> Any:
        """Return params as their model, whose validators may ask the client of the action.

        Unknown params are left out, as the SDK does: a service may send more than a plugin knows.

        Raises:
            ParamsError: The params are not valid.
        """
        from pydantic import ValidationError  # noqa: PLC0415 - only where a model is used

        model = cast("type[BaseModel]", type(self).params_model)
        try:
            return model.model_validate(params, context={"client": runtime.client})
        except ValidationError as error:
            told = [
                (".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, "))
                for each in error.errors(include_url=False, include_context=False)
            ]
            raise handrail.ParamsError(type(self).action_name, told) from error

    @classmethod
    def dispatch(cls, params: Mapping[str, Any], ctx: handrail.RuntimeContext) -> Any:
        """Run the action with these params, and return its result.

        Raises:
            ParamsError: The params are not valid; it is a ValueError.
        """
        return cls(params, ctx).run()

    @property
    def client(self) -> Any:
        """The client of the runtime context.

        Raises:
            RuntimeError: It has none.
        """
        if self.ctx.client is None:
            raise RuntimeError(
                "No client in context: give one to the RuntimeContext of the action, or override "
                "the method that needs it"
            )
        return self.ctx.client

    @property
    def logger(self) -> Any:
        """The logger of the runtime context."""
        return self.ctx.logger

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        """Log an event with its data."""
        self.ctx.log(event, data, file)

    def set_progress(
        self,
        current: float,
        total: float,
        step: str | None = None,
        *,
        category: str | None = None,
    ) -> None:
        """Report progress of the action, or of a part of it."""
        self.ctx.set_progress(current, total, category if step is None else step)

    def set_metrics(
        self, value: Mapping[str, Any], step: str | None = None, *, category: str | None = None
    ) -> None:
        """Report measured values of a part of the action."""
        self.ctx.set_metrics(value, category if step is None else step)

    @property
    def _messages(self) -> RuntimeContext:
        return with_messages(self.ctx)

    def log_message(
        self,
        message: Message,
        level: LogLevel = LogLevel.INFO,
        *,
        context: LogLevel | str | None = None,
        **values: Any,
    ) -> None:
        """Log a message for the user; see `RuntimeContext.log_message`."""
        self._messages.log_message(message, level_of(context, level), **values)

    def orchestrator(self, plan: handrail.Plan, **options: Any) -> handrail.Orchestrator[Any]:
        """Return an orchestrator that tells the logger how far the action is."""
        options.setdefault("progress_callback", told_of_the_whole(self.set_progress))
        return super().orchestrator(plan, **options)

    def context_with(self, cls: type[Any], **fields: Any) -> Any:
        """Return a new context of one run; params fill no other field than `params`."""
        return cls(runtime_ctx=self.ctx, **{"params": plain(self.params), **fields})

    @classmethod
    def get_log_message_code_class(cls) -> type[LogMessageCode]:
        """Return the messages of the action, by their codes; override it.

        Raises:
            NotImplementedError: It is not overridden.
        """
        raise NotImplementedError(
            f"{cls.__name__} must implement get_log_message_code_class() to declare its "
            "LogMessageCode subclass."
        )


# Neither is one of those that packs would shape.
BaseAction.action_name = ""


class UploadProgressCategories:
    """Names of parts of an upload, for `set_progress`."""

    INITIALIZE = "initialize"
    VALIDATE = "validate"
    UPLOAD = "upload"
    CLEANUP = "cleanup"


class BaseUploadAction(BaseAction[P]):
    """An upload with the steps of `setup_steps`; running it without steps raises RuntimeError.

    The result also has the counts `uploaded_files` and `data_units`, if the context has them.

    Attributes:
        progress: Names of parts for `set_progress`.
    """

    action_name = "upload"
    category = PluginCategory.UPLOAD
    result_model = UploadResult
    context_class = UploadContext
    progress = UploadProgressCategories()

    @classmethod
    def get_log_message_code_class(cls) -> type[LogMessageCode]:
        return UploadLogMessageCode

    def get_allowed_extensions(self) -> dict[str, list[str]] | None:
        """Return the extensions that are accepted, by the kind of file; None for all."""
        return None

    def create_context(self) -> Any:
        return self.context_with(UploadContext, allowed_extensions=self.get_allowed_extensions())

    def run(self, **options: Any) -> Any:
        """Run the upload; through `execute`, if a subclass overrides it."""
        if type(self).execute is not BaseUploadAction.execute and not options:
            return self.execute()
        return UploadResult(super().run(**options))

    def execute(self) -> Any:
        """Plan and run the steps."""
        return UploadResult(self.run_plan(self.plan()))

    @property
    def is_simple(self) -> bool:
        return False  # What overrides `execute` here, calls it too.

    def result(self, context: Any) -> Mapping[str, Any]:
        found: dict[str, Any] = {
            name: getattr(context, name, None) for name in ("uploaded_files", "data_units")
        }
        counted: dict[str, Any] = {
            name: len(value) for name, value in found.items() if isinstance(value, Sized)
        }
        lost: list[str] = getattr(context, "lost_files", None) or []
        if lost:
            counted |= {"partial_failure": True, "lost_files_count": len(lost)}
            counted["lost_files"] = lost[:_SHOWN]
        return counted


class DefaultUploadAction(BaseUploadAction[P]):
    """The upload of eight steps: `initialize` to `cleanup`."""

    def setup_steps(self, registry: handrail.StepRegistry[Any]) -> None:
        from handrail_synapse.upload.steps import default_steps  # noqa: PLC0415 - not for others

        for step in default_steps():
            registry.register(step)


_SHOWN = 100  # Lost files that the result lists.


class BaseTrainAction(BaseAction[P]):
    """A training with the steps of `setup_steps`, or its `execute()` if it registers none.

    The result also has the `model`, if the context has one.
    """

    action_name = "train"
    category = PluginCategory.NEURAL_NET
    context_class = TrainContext

    def create_context(self) -> Any:
        return self.context_with(TrainContext)

    def result(self, context: Any) -> Mapping[str, Any]:
        model: Any = getattr(context, "model", None)
        return {"model": model} if model else {}


class BaseExportAction(BaseAction[P]):
    """An export with the steps of `setup_steps`, or its `execute()` if it registers none.

    The result also has the counts of its context and, if set, `output_path`.
    """

    action_name = "export"
    category = PluginCategory.EXPORT
    context_class = ExportContext

    def create_context(self) -> Any:
        return self.context_with(ExportContext)

    def result(self, context: Any) -> Mapping[str, Any]:
        path = getattr(context, "output_path", None)
        names = ("exported_count", "failed_count", "total_count")
        counted = {name: getattr(context, name, 0) for name in names}
        return counted if path is None else {**counted, "output_path": path}


def action(
    name: str | None = None,
    description: str = "",
    params: type[BaseModel] | None = None,
    result: type[BaseModel] | None = None,
    category: PluginCategory | None = None,
) -> Callable[[F], F]:
    """Mark a function `(params, context)` as an action, for what looks for those in a plugin."""

    def marked(function: F) -> F:
        about = {
            "_is_action": True,
            "_action_name": name or getattr(function, "__name__", ""),
            "_action_description": description,
            "_action_params": params,
            "_action_result": result,
            "_action_category": category,
        }
        for key, value in about.items():
            setattr(function, key, value)
        return function

    return marked


def plain(params: Any) -> dict[str, Any]:
    """Return params as a new dict."""
    return params.model_dump() if hasattr(params, "model_dump") else dict(params)
