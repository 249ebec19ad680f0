"""Actions: a params model plus `setup_steps`, planned with the installed packs and run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, cast

from handrail.context import BaseStepContext, RuntimeContext
from handrail.errors import ActionError, ActionResultError, ContextError
from handrail.hookspecs import ActionInfo
from handrail.orchestrator import (
    Observer,
    OnFailure,
    Orchestrator,
    ProgressCallback,
    run_awaitable,
)
from handrail.params.context import ActionContext, carry_params, context_of
from handrail.params.model import check_model, params_argument
from handrail.params.partial import partial
from handrail.params.validation import as_dict, validated
from handrail.plan.plan import Plan
from handrail.planning import (
    check_part,
    chosen_json,
    info_of,
    naming,
    plan_action,
    registered,
)
from handrail.provider import provider_of
from handrail.registry import StepRegistry

if TYPE_CHECKING:
    from typing import Self

    from pydantic import BaseModel
    from typing_extensions import TypeVar

    from handrail.journal.protocol import Journal
    from handrail.orchestrator import RunResult
    from handrail.orchestrator.durable import RunAbout
    from handrail.params.values import KeyPath
    from handrail.provider import PackProvider, Packs

    P = TypeVar("P", default=Any)
else:
    from typing import TypeVar

    P = TypeVar("P")


class BaseAction(Generic[P]):
    """A named workflow: validated params, and `setup_steps`.

    Give the params model as the generic argument, or as `params_model`. An action whose
    `setup_steps` registers nothing runs its own `execute` instead.

    Args:
        params: An instance of the model, or a mapping that is validated.
        ctx: The world outside; a console RuntimeContext unless given.
        packs: Hook modules, or a provider; the installed packs unless given. `()` means none.

    Attributes:
        action_name: What it is called; made from the class name unless given.
        params_model: The pydantic model of its params, or None.
        context_class: The class of its context, for `create_context`.

    Raises:
        ParamsError: The params are not valid.
        ActionError: A class is made whose name or params model is none.
    """

    action_name: ClassVar[str] = ""
    params_model: ClassVar[type[BaseModel] | None] = None
    context_class: ClassVar[type[BaseStepContext] | None] = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "params_model" not in cls.__dict__:
            model = params_argument(cls, BaseAction)
            if model is not None:
                cls.params_model = model
        check_model(cls.params_model, cls.__qualname__)
        if not isinstance(cast("object", cls.action_name), str):
            raise ActionError(f"the action_name of {cls.__qualname__} is {cls.action_name!r}")
        if not cls.__dict__.get("action_name"):
            cls.action_name = name_of(cls)

    def __init__(
        self,
        params: P | Mapping[str, Any] | None = None,
        ctx: RuntimeContext | None = None,
        *,
        packs: Packs = None,
    ) -> None:
        model = type(self).params_model
        name = type(self).action_name
        made = as_dict(params, name) if model is None else validated(model, params, name)
        self.params: P = cast("P", made)
        self.ctx: RuntimeContext = RuntimeContext() if ctx is None else ctx
        self._packs = packs

    @classmethod
    def partial(
        cls,
        params: Mapping[str, Any],
        ctx: RuntimeContext | None = None,
        *,
        packs: Packs = None,
    ) -> Self:
        """Return the action with params that may be incomplete, to be planned but not run."""
        made = cls.__new__(cls)
        model = cls.params_model
        values = dict(params) if model is None else partial(model, params, cls.action_name)
        made.params = cast("Any", values)
        made.ctx = RuntimeContext() if ctx is None else ctx
        made._packs = packs
        return made

    # What subclasses give

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        """Register the steps. Called once for each plan; nothing is run here."""

    def create_context(self) -> Any:
        """Make the context of one run.

        Unless overridden it is `context_class`, with `runtime_ctx`, with `params` where it has
        such a field (as a plain dict, where it is declared as one), and with every param for
        which it has a field of the same name.
        """
        cls, name = type(self).context_class or ActionContext, type(self).action_name
        return context_of(cls, name, self.ctx, self.params, type(self).params_model)

    def execute(self) -> Any:
        """Run the steps. An action without steps overrides this: its simple mode."""
        return self.run_plan(self._plan(self._registry()))

    def result(self, context: Any) -> Mapping[str, Any]:
        """Return what `run` adds to the orchestrator's result; its own entries stay as they are.

        The command line shows `summary`, one line, instead of the values, and below it the commands
        in `next`, each under what it is good for: `{"check": "acme verify 12"}`.
        """
        return {}

    # What callers use

    def run(
        self,
        *,
        progress_callback: ProgressCallback | None = None,
        observers: Iterable[Observer] = (),
        journal: Journal | None = None,
        on_failure: OnFailure = "undo",
    ) -> Any:
        """Plan and run the action.

        Returns:
            The orchestrator's result plus what `result(context)` adds; in simple mode what
            `execute` returns.

        Raises:
            StepFailedError: A step failed, and what was done has been undone.
            PlanError: The plan has problems; nothing was run.
            PlanDriftedError: It is not what the project's lock holds; nothing was run.
            PackError: A pack that is switched on is broken; nothing was run.
            ActionError: There is nothing to run, or `setup_steps` raised.
            ActionResultError: All steps are done, and `result` raised or returned no mapping.
        """
        registry = self._registry()
        if self._is_in_one_piece(registry):
            answer: Any = self.execute()
            return run_awaitable(answer) if isawaitable(answer) else answer
        return self.run_plan(
            self._plan(registry),
            progress_callback=progress_callback,
            observers=observers,
            journal=journal,
            on_failure=on_failure,
        )

    async def run_async(
        self,
        *,
        progress_callback: ProgressCallback | None = None,
        observers: Iterable[Observer] = (),
        journal: Journal | None = None,
        on_failure: OnFailure = "undo",
    ) -> Any:
        """Plan and run the action inside a running event loop; see `run`."""
        registry = self._registry()
        if self._is_in_one_piece(registry):
            answer: Any = self.execute()
            return await answer if isawaitable(answer) else answer
        orchestrator = self.orchestrator(
            self._plan(registry),
            progress_callback=progress_callback,
            observers=observers,
            journal=journal,
            on_failure=on_failure,
        )
        return result_of(self, await orchestrator.execute_async(), orchestrator.context)

    def plan(self) -> Plan:
        """Return the plan: the action's own steps plus the edits of every enabled pack.

        An action in its simple mode has an empty plan.

        Raises:
            PlanError: The plan has problems.
            PackError: A pack that is switched on is broken.
            ActionError: `setup_steps` raised.
        """
        return self._plan(self._registry())

    def run_plan(
        self,
        plan: Plan,
        *,
        progress_callback: ProgressCallback | None = None,
        observers: Iterable[Observer] = (),
        journal: Journal | None = None,
        on_failure: OnFailure = "undo",
    ) -> Any:
        """Run a plan of this action that was made before, or a part of it; see `run`."""
        orchestrator = self.orchestrator(
            plan,
            progress_callback=progress_callback,
            observers=observers,
            journal=journal,
            on_failure=on_failure,
        )
        return result_of(self, orchestrator.execute(), orchestrator.context)

    @property
    def is_simple(self) -> bool:
        """Whether the action brings an `execute` of its own, for when it registers no steps."""
        return type(self).execute not in _RUNS_STEPS

    @property
    def info(self) -> ActionInfo:
        """What hooks may know of this action."""
        cls = type(self)
        context_type = cls.context_class or ActionContext
        return info_of(cls, BaseAction, context_type, self._provider)

    # How it is done

    def _registry(self) -> StepRegistry[Any]:
        name, owner = self.action_name, type(self).__qualname__
        with naming("setup_steps", name, type(self).__module__):
            return registered(self.setup_steps, name, owner, may_be_empty=self.is_simple)

    def _is_in_one_piece(self, registry: StepRegistry[Any]) -> bool:
        """Return whether there are no steps; the lock and what is required count all the same."""
        if registry or not self.is_simple:
            return False
        self._locked(self._plan(registry))
        return True

    def orchestrator(
        self,
        plan: Plan,
        *,
        progress_callback: ProgressCallback | None = None,
        observers: Iterable[Observer] = (),
        journal: Journal | None = None,
        on_failure: OnFailure = "undo",
    ) -> Orchestrator[Any]:
        """Return what runs a plan of this action, or a part of it, with a context of its own.

        Arguments are those of `Orchestrator`; the observers of packs come after those given.

        Raises:
            PlanDriftedError: The plan is not what the project's lock holds.
            ContextError: `create_context` returned something else than a context.
            ActionError: The params cannot be stored in a journal.
        """
        return orchestrator_of(
            self,
            self._locked(plan),
            progress_callback=progress_callback,
            observers=observers,
            journal=journal,
            on_failure=on_failure,
        )

    def _plan(self, registry: StepRegistry[Any]) -> Plan:
        return plan_action(self.info, registry, self._provider)

    def _locked(self, plan: Plan) -> Plan:
        return self._provider.check_lock(plan, type(self), self.plan)

    @cached_property
    def _provider(self) -> PackProvider:
        return provider_of(self._packs)


def orchestrator_of(
    action: BaseAction[Any],
    plan: Plan,
    *,
    progress_callback: ProgressCallback | None = None,
    observers: Iterable[Observer] = (),
    journal: Journal | None = None,
    on_failure: OnFailure = "undo",
    about: RunAbout | None = None,
) -> Orchestrator[Any]:
    """Return what runs a plan that was checked against the lock; see `BaseAction.orchestrator`."""
    provider = action._provider  # pyright: ignore[reportPrivateUsage] - of this module
    with naming("create_context", action.action_name, type(action).__module__):
        context = checked_context(action.create_context(), action.action_name)
        carry_params(context, action.params, type(action).params_model)
    check_part(plan, action.info, provider)
    if journal is not None and about is None:
        about = about_action(type(action), action.params, packs=chosen_json(plan, provider))
    return Orchestrator(
        plan,
        context,
        progress_callback,
        journal=journal,
        on_failure=on_failure,
        observers=(*observers, *provider.observers()),
        about=about,
    )


def about_action(
    action: type[BaseAction[Any]],
    params: Any,
    *,
    recorded_as: str | None = None,
    packs: str = "{}",
    variables: Mapping[KeyPath, str] | None = None,
) -> RunAbout:
    """Return what a journal has to know of an action.

    Args:
        action: Its class.
        params: Its params.
        recorded_as: How a journal finds it again; its name unless given.
        packs: Which packs were chosen, as JSON.
        variables: Where secrets were read from, by their path, if not from the usual variables.

    Raises:
        ActionError: The params have no JSON form.
    """
    # For durable runs only.
    from handrail.orchestrator.durable import RunAbout  # noqa: PLC0415
    from handrail.params.redact import mask_of  # noqa: PLC0415
    from handrail.params.secrets import secret_texts  # noqa: PLC0415
    from handrail.params.stored import fields_not_stored, params_text  # noqa: PLC0415

    name, model = action.action_name, action.params_model
    text = params_text(model, params, name, variables)
    return RunAbout(
        action=recorded_as or name,
        params=text,
        packs=packs,
        mask=mask_of(() if model is None else secret_texts(model, params)),
        secrets=fields_not_stored(model, text),
    )


def checked_context(context: object, action: str) -> Any:
    """Return what `create_context` returned.

    Raises:
        ContextError: It is no context.
    """
    if isinstance(context, BaseStepContext):
        return context
    hint = "the context"
    if isawaitable(context):
        getattr(context, "close", lambda: None)()
        hint = "the context from a plain function: create_context is not async"
    raise ContextError(
        f"create_context of {action} returned {type(context).__name__}",
        ways_out=(f"return {hint}, an instance of a class derived from BaseStepContext",),
    )


def result_of(action: BaseAction[Any], counts: RunResult, context: Any) -> dict[str, Any]:
    """Return the result of a run with what `result` of its action adds.

    Raises:
        ActionResultError: `result` raised, or returned no mapping.
    """
    name, module = action.action_name, type(action).__module__
    with naming("result", name, module, " after all steps were done", ActionResultError):
        more = cast("object", action.result(context))
    if not isinstance(more, Mapping):
        raise ActionResultError(
            f"all steps are done, but result of {name} returned {type(more).__name__}; "
            "it has to return a mapping"
        )
    return {**counts, **cast("Mapping[str, Any]", more), **counts}


def name_of(cls: type) -> str:
    """Return the name of an action that gives none: `UploadFilesAction` is `upload_files`."""
    stem = re.sub("Action$", "", cls.__name__) or cls.__name__
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", stem).lower()


_RUNS_STEPS: set[Callable[..., Any]] = {BaseAction.execute}
