"""BaseAction: a named workflow, planned together with the edits of packs, and run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, cast

from handrail.context import BaseStepContext, RuntimeContext, run_of
from handrail.errors import ActionError, ActionResultError, ContextError, ParamsError
from handrail.frozen import replace
from handrail.packs.planner import (
    check_part,
    check_run,
    chosen_json,
    naming,
    plan_action,
    registered,
    with_file,
)
from handrail.packs.provider import provider_of
from handrail.params.context import ActionContext, carry_params, context_of, params_argument
from handrail.params.model import check_model, secret_texts
from handrail.params.stored import fields_not_stored, params_text
from handrail.params.validation import as_dict, validated
from handrail.plan.rules import ActionInfo, CheckedRun
from handrail.redact import Mask
from handrail.user_code import calls_user_code

# The help of an action imports this module: what runs it is imported where it is used.
if TYPE_CHECKING:
    from typing import Self, Unpack

    from pydantic import BaseModel
    from typing_extensions import TypeVar

    from handrail.engine.state import PartOf
    from handrail.journal.protocol import Journal
    from handrail.orchestrator import Orchestrator, RunOptions, RunResult
    from handrail.orchestrator.journaled import RunAbout
    from handrail.packs.pack_provider import PackProvider
    from handrail.packs.provider import Packs
    from handrail.params.model import KeyPath
    from handrail.plan.plan import Plan
    from handrail.plan.rules import RequiredStep
    from handrail.registry import StepRegistry

    P = TypeVar("P", default=Any)
else:
    from typing import TypeVar

    P = TypeVar("P")


class BaseAction(Generic[P]):
    """A named workflow: a params model, and `setup_steps` that registers its steps.

    Declare the params model as the generic argument, or as `params_model`. An action whose
    `setup_steps` registers nothing runs its own `execute` instead.

    Args:
        params: An instance of the model, or a mapping to validate.
        ctx: The runtime context for the steps; by default, one that logs to the console.
        packs: Hook modules, or a provider; by default, the installed packs. `()` means none.

    Attributes:
        action_name: The action's name; derived from the class name by default.
        params_model: The pydantic model of the params, or None.
        context_class: The class of the context; by default that of `context_type`.
        registry_class: The class of the registry that `setup_steps` is given, if it has to be one
            of its own, derived from StepRegistry.

    Raises:
        ParamsError: The params are not valid.
        ActionError: A subclass declares an `action_name` that is not a string, or a
            `params_model` that is not a pydantic model.
    """

    action_name: ClassVar[str] = ""
    params_model: ClassVar[type[BaseModel] | None] = None
    context_class: ClassVar[type[BaseStepContext] | None] = None
    registry_class: ClassVar[type[StepRegistry[Any]] | None] = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "params_model" not in cls.__dict__:
            model = params_argument(cls, BaseAction)
            if model is not None:
                cls.params_model = model
        check_model(cls.params_model, cls.__qualname__)
        if not isinstance(cast("object", cls.action_name), str):
            raise ActionError(
                f"the action_name of {cls.__qualname__} must be text, not {cls.action_name!r}"
            )
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
        """Return an action whose params may be incomplete: it can be planned, but not run."""
        made = cls.__new__(cls)
        model, name = cls.params_model, cls.action_name
        values = dict(params) if model is None else validated(model, params, name, partly=True)
        made.params = cast("Any", values)
        made.ctx = RuntimeContext() if ctx is None else ctx
        made._packs = packs
        return made

    # Overridden by subclasses

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        """Register the steps. Called once for each plan; it must not do any of the work."""

    def check_inputs(self) -> Iterable[tuple[str, str]]:
        """Yield the dotted path of each param that names an input that is not there, and why.

        Called before a new run begins, also before a dry run, so that a path with a typing mistake
        is a ParamsError (exit code 2) and leaves no run. Not called to plan, to resume or to undo,
        when inputs may be gone; nor where the project has put a step with effects first, which
        may make them. It must not change anything, nor connect to anything.
        """
        return ()

    @classmethod
    def context_type(cls) -> type[BaseStepContext]:
        """Return the class of the context: `context_class`, by default ActionContext.

        Override it to import another default here, where plans need it and the help does not.
        """
        return cls.context_class or ActionContext

    def create_context(self) -> Any:
        """Return a new context for one run.

        By default an instance of `context_type()`. Its fields are filled by name: `runtime_ctx`,
        `params` (as a dict if the field is declared as one), and each param.
        """
        cls = type(self)
        return context_of(
            cls.context_type(), cls.action_name, self.ctx, self.params, cls.params_model
        )

    def execute(self) -> Any:
        """Plan and run the steps. Override it in an action without steps (its simple mode)."""
        return self.run_plan(self.plan())

    def result(self, context: Any) -> Mapping[str, Any]:
        """Return entries for `run` to add to the orchestrator's result; none may replace its own.

        On the command line, `summary` (one line) is shown instead of the values, followed by the
        commands in `next`, each with its purpose as the key: `{"check": "acme verify 12"}`. If
        something was left out, `completed_with` says so in the last line: `3 left out`.
        """
        return {}

    # Called by users of the action

    @calls_user_code
    def run(self, **options: Unpack[RunOptions]) -> Any:
        """Plan and run the action.

        Args:
            **options: Any of `progress_callback`, `observers`, `journal`, `on_failure`,
                `strict_results` and `executor`; see `Orchestrator`.

        Returns:
            The orchestrator's result plus the entries of `result(context)`; in simple mode, the
            return value of `execute`.

        Raises:
            StepFailedError: A step failed; the finished steps were undone.
            PlanError: The plan has problems; nothing was run.
            PlanDriftedError: The plan differs from the project's lock; nothing was run.
            PackError: An enabled pack is broken; nothing was run.
            ActionError: There is nothing to run, or `setup_steps` raised.
            ActionResultError: All steps succeeded, but `result` raised or did not return a mapping.
        """
        plan = self.plan()
        require_inputs(self, plan)
        if self._has_no_steps(plan):
            from handrail.orchestrator import run_awaitable  # noqa: PLC0415 - see above

            answer: Any = self.execute()
            return run_awaitable(answer) if isawaitable(answer) else answer
        return self.run_plan(plan, **options)

    @calls_user_code
    async def run_async(self, **options: Unpack[RunOptions]) -> Any:
        """Like `run`, for use inside a running event loop."""
        plan = self.plan()
        require_inputs(self, plan)
        if self._has_no_steps(plan):
            answer: Any = self.execute()
            return await answer if isawaitable(answer) else answer
        orchestrator = self.orchestrator(plan, **options)
        return result_of(self, await orchestrator.execute_async(), orchestrator.context)

    def plan(self) -> Plan:
        """Return the plan: the action's own steps plus the edits of every enabled pack.

        An action in its simple mode has an empty plan.

        Raises:
            PlanError: The plan has problems.
            PackError: An enabled pack is broken.
            ActionError: `setup_steps` raised.
        """
        return planned(self)

    def run_plan(self, plan: Plan, **options: Unpack[RunOptions]) -> Any:
        """Run an existing plan of this action, or a part of one; see `run`."""
        orchestrator = self.orchestrator(plan, **options)
        return result_of(self, orchestrator.execute(), orchestrator.context)

    @property
    def is_simple(self) -> bool:
        """Whether the action overrides `execute`, which runs if it registers no steps."""
        return type(self).execute not in _RUNS_STEPS

    @property
    def info(self) -> ActionInfo:
        """The description of this action that hooks receive."""
        cls = type(self)
        return ActionInfo(
            name=cls.action_name,
            lineage=lineage_of(cls),
            context_type=cls.context_type(),
            origin=with_file(self._provider.origin_of(cls.__module__)),
        )

    # Implementation

    def _missing_inputs(self, plan: Plan) -> Iterable[tuple[str, str]]:
        """Yield what `check_inputs` does, for a run of a plan of this action."""
        return self.check_inputs()

    def _has_no_steps(self, plan: Plan) -> bool:
        """Return whether the action has no steps; its lock and requirements are checked anyway."""
        if plan.steps or not self.is_simple:
            return False
        self._checked(plan)
        return True

    def orchestrator(self, plan: Plan, **options: Unpack[RunOptions]) -> Orchestrator[Any]:
        """Return an orchestrator for a plan of this action, or a part of one, with a new context.

        The arguments are those of `Orchestrator`; observers of packs are added after `observers`.

        Raises:
            PlanDriftedError: The plan differs from the project's lock.
            ContextError: `create_context` did not return a context.
            ActionError: The params cannot be stored in a journal.
        """
        return orchestrator_of(self, self._checked(plan), **options)

    def _checked(self, plan: Plan) -> Plan:
        return checked(self, plan, self.plan)

    @cached_property
    def _provider(self) -> PackProvider:

        return provider_of(self._packs)


def packs_of(action: BaseAction[Any]) -> PackProvider:
    """Return the packs of an action."""
    return action._provider  # pyright: ignore[reportPrivateUsage] - of this module


def checked(
    action: BaseAction[Any], plan: Plan, whole: Callable[[], Plan] | None = None, **more: Any
) -> Plan:
    """Return the plan of a run of an action, or of its resume, that may begin; see `check_run`.

    Args:
        action: The action.
        plan: Its plan, or a part of it.
        whole: Returns the whole plan; None if that is `plan`.
        **more: What else is known of the run; by default, it is that of a program.
    """
    provider = packs_of(action)
    run = CheckedRun(plan=plan, whole=whole or (lambda: plan), action_class=type(action), **more)
    return check_run(action.info, provider, run)


def planned(action: BaseAction[Any], rules: Sequence[RequiredStep] = ()) -> Plan:
    """Return the plan of an action; see `BaseAction.plan`, and `plan_action` for the rest."""
    name, cls = action.action_name, type(action)
    with naming("setup_steps", name, cls.__module__):
        registry = registered(
            action.setup_steps,
            name,
            cls.__qualname__,
            may_be_empty=action.is_simple,
            kind=cls.registry_class,
        )
    provider = packs_of(action)
    return plan_action(action.info, registry, provider, rules=rules)


@calls_user_code
def context_for(action: BaseAction[Any]) -> Any:
    """Return a new context for one run of an action, with its params.

    Raises:
        ContextError: `create_context` did not return a context.
        ActionError: `create_context` raised.
    """
    with naming("create_context", action.action_name, type(action).__module__):
        context = action.create_context()
        if not isinstance(context, BaseStepContext):
            raise ContextError(
                f"create_context of {action.action_name} returned {type(context).__name__}",
                ways_out=("return an instance of a class derived from BaseStepContext",),
            )
        carry_params(context, action.params, type(action).params_model)
    return context


@calls_user_code
def orchestrator_of(
    action: BaseAction[Any],
    plan: Plan,
    about: RunAbout | None = None,
    recorded_executor: str | None = None,
    part: PartOf | None = None,
    **options: Unpack[RunOptions],
) -> Orchestrator[Any]:
    """Return an orchestrator for a plan already checked against the lock.

    See `BaseAction.orchestrator`.

    Raises:
        PlanError: Two packs want to run the same step elsewhere.
        ExecutorError: The executor for items that is named cannot work for this run.
    """
    from handrail.engine.places import RunToPerform, placed  # noqa: PLC0415 - see above
    from handrail.orchestrator import Orchestrator  # noqa: PLC0415 - see above
    from handrail.packs.places import places_of  # noqa: PLC0415 - see above

    provider = packs_of(action)
    context = context_for(action)
    check_part(plan, action.info, provider)
    run = RunToPerform(
        action=action, packs=provider, executor=options.get("executor"), recorded=recorded_executor
    )
    places = places_of(action.info, plan, run)
    executor = options.get("executor") or recorded_executor or provider.executor
    check_executor_of(action, executor, options.get("journal"))
    if options.get("journal") is not None and about is None:
        about = about_action(
            action,
            packs=chosen_json(plan, provider, executor),
            variables=None if part is None else part.variables,
        )
        log: Any = None if part is None else part.line.log
        about = about if log is None else replace(about, mask=about.mask.over(log.mask))
    options.setdefault("strict_results", provider.strict_results)
    orchestrator = Orchestrator(
        placed(plan, places.taken),
        context,
        about=about,
        places=places,
        part=part,
        **options,
    )
    if part is None:  # Otherwise its parent tells them.
        orchestrator.observe(provider.observers(orchestrator.keep))
    orchestrator.action = action
    orchestrator.executor_of_parts = options.get("executor") or recorded_executor
    return orchestrator


def check_executor_of(action: BaseAction[Any], url: str | None, journal: Journal | None) -> None:
    """Check, before a run of `action`, that the executor that is named can work for it, if one is.

    Args:
        action: The action.
        url: The URL of the executor, or None.
        journal: The journal of the run, or None.

    Raises:
        ExecutorError: It cannot; see `InstalledExecutors.check`.
    """
    if url is not None:
        packs_of(action).executors.check(url, None if journal is None else journal.url)


def about_action(
    action: BaseAction[Any],
    *,
    recorded_as: str | None = None,
    packs: str = "{}",
    variables: Mapping[KeyPath, str] | None = None,
    provider: PackProvider | None = None,
) -> RunAbout:
    """Return the description of a run of `action` for a journal.

    Args:
        action: The action, with the params of the run.
        recorded_as: The name by which a resume finds the action; by default, its own.
        packs: The selection of packs, as JSON.
        variables: The variables from which secrets were read, by path, if not the default ones.
        provider: The packs with the secrets and serializers of the run; by default, the action's.

    Raises:
        ActionError: The params cannot be represented in JSON.
    """
    # Imported here, because only durable runs need it.
    from handrail.orchestrator.journaled import RunAbout  # noqa: PLC0415

    name, model, params = action.action_name, action.params_model, action.params
    known = packs_of(action) if provider is None else provider
    mask = Mask(
        [*secret_texts(model, params), *(t for each in known.secrets() for t in each.texts)]
    )
    text = params_text(model, params, name, variables, mask)
    return RunAbout(
        action=recorded_as or name,
        params=text,
        packs=packs,
        mask=mask,
        secrets=fields_not_stored(model, text),
        serializers=known.serializers,
    )


@calls_user_code
def require_inputs(action: BaseAction[Any], plan: Plan) -> None:
    """Check the inputs of a new run of a plan of `action`, or of a part of one.

    Raises:
        ParamsError: An input is not there; see `BaseAction.check_inputs`.
        ActionError: `check_inputs` raised.
    """
    for step in plan.steps:
        if step.reason.startswith("base"):
            break
        if step.effects and step.facts.by_project:
            return  # It may make the inputs. Steps that packs put into every run do not.
    with naming("check_inputs", action.action_name, type(action).__module__):
        missing = list(action._missing_inputs(plan))  # pyright: ignore[reportPrivateUsage] - of this module
    if missing:
        raise ParamsError(action.action_name, missing)


@calls_user_code
def result_of(action: BaseAction[Any], counts: RunResult, context: Any) -> dict[str, Any]:
    """Return the orchestrator's result of a run plus the entries of the action's `result`.

    The journal of the run keeps these for people to look at.

    Raises:
        ActionResultError: `result` raised or did not return a mapping.
    """
    more = entries_of(action, context, at_end=True)
    line = run_of(context)
    if more and line is not None and line.log is not None:
        line.log.keep_result(more)
    return {**counts, **more, **counts}


@calls_user_code
def entries_of(action: BaseAction[Any], context: Any, *, at_end: bool = False) -> Mapping[str, Any]:
    """Return the `result` of an action.

    Raises:
        ActionError: `result` raised or did not return a mapping. At the end of a run it is an
            ActionResultError.
    """
    name, module = action.action_name, type(action).__module__
    when, kind = (" after all steps were done", ActionResultError) if at_end else ("", ActionError)
    with naming("result", name, module, when, kind):
        found = cast("object", action.result(context))
    if not isinstance(found, Mapping):
        done = "all steps are done, but " if at_end else ""
        raise kind(
            f"{done}result of {name} returned {type(found).__name__}; it has to return a mapping"
        )
    return cast("Mapping[str, Any]", found)


def name_of(cls: type) -> str:
    """Return the default name of an action: `upload_files` for `UploadFilesAction`."""
    stem = re.sub("Action$", "", cls.__name__) or cls.__name__
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", stem).lower()


def lineage_of(cls: type) -> tuple[str, ...]:
    """Return the name of an action and those of the actions that it extends, nearest first."""
    names = (getattr(base, "action_name", "") for base in cls.__mro__)
    return tuple(dict.fromkeys(name for name in names if name))


def check_name(name: object) -> None:
    """Check the name of an action.

    Raises:
        ActionError: It is no text, is empty, or cannot be printed.
    """
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise ActionError(f"the name of an action must be printable text, not {name!r}")


_RUNS_STEPS: set[Callable[..., Any]] = {BaseAction.execute}
