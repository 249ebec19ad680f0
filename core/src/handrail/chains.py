"""ChainAction: several actions as one, with one plan, one run, one journal and one undo."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, cast

from handrail.actions import BaseAction, check_name, lineage_of, planned
from handrail.chain_params import given_values, json_of, model_of_chain, wiring
from handrail.context import RuntimeContext
from handrail.errors import (
    ActionError,
    ContextError,
    ParamsError,
    ParamsNeededError,
    PlanError,
    Problem,
    describe,
)
from handrail.journal.codec import mask_json
from handrail.params.context import ActionContext
from handrail.params.model import ActionParams, is_model, paths_of, set_path, value_at
from handrail.params.validation import unchecked
from handrail.plan.plan import Plan
from handrail.redact import json_has_password
from handrail.run_step import RunStep, line_of
from handrail.workflow import Workflow

if TYPE_CHECKING:
    from typing import Self, Unpack

    from handrail.orchestrator import RunOptions
    from handrail.packs.pack_provider import PackProvider
    from handrail.packs.provider import Packs
    from handrail.registry import StepRegistry

Part = type[BaseAction[Any]] | Workflow
Actions = Iterable[Part] | Mapping[str, Part]


class ChainAction(BaseAction[Any]):
    """An action that is made of others; see `chain`.

    Attributes:
        members: The actions by their names in the chain, in order.
        wires: The params of actions that come from others, as they were declared: each
            `export.source` with the output that it is, `upload.catalogue`.
        wired: The same by action and by field of its model, after a check.
        problems: The wires that cannot be.
    """

    members: ClassVar[Mapping[str, type[BaseAction[Any]]]] = {}
    wires: ClassVar[Mapping[str, str]] = {}
    wired: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    problems: ClassVar[Sequence[Problem]] = ()

    _given: Mapping[str, Any] | None = None

    @classmethod
    def partial(
        cls,
        params: Mapping[str, Any],
        ctx: RuntimeContext | None = None,
        *,
        packs: Packs = None,
    ) -> Self:
        """Return a chain whose params may be incomplete; see `BaseAction.partial`."""
        made = super().partial(params, ctx, packs=packs)
        made._given = params
        return made

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        """Register a step for each action."""
        for name in self.members:
            registry.register(ChainedStep(self, name))

    def plan(self) -> Plan:
        """Return the plan: a step for each action, with the plan of that action."""
        problems = list(self.problems)
        try:
            plan = super().plan()
        except PlanError as error:
            if error.plan is None:
                raise
            problems += error.problems
            plan = error.plan
        if problems:
            raise PlanError(self.action_name, problems, plan=plan)
        return plan

    def create_context(self) -> ChainContext:
        """Return the context of the chain as a whole."""
        return ChainContext(runtime_ctx=self.ctx, action=self)

    def result(self, context: ChainContext) -> Mapping[str, Any]:
        """Return one mapping for each action that has run."""
        return {
            name: context.results[name].data.get("result", {})
            for name in self.members
            if name in context.results
        }

    def begin(self, name: str, inputs: Mapping[str, Any]) -> BaseAction[Any]:
        """Return an action of the chain with all its params.

        Args:
            name: Its name in the chain.
            inputs: Its params that come from other actions, by the path at which they are read.

        Raises:
            ParamsError: The params are not valid, or name inputs that are not there.
        """
        cls, group = self.members[name], self._group(name)
        values: Any = self._values(name)
        if inputs:
            values = dict(values)
            for path, value in inputs.items():
                set_path(values, tuple(path.split(".")), value)
        elif cls.params_model is not None and isinstance(group, cls.params_model):
            values = group
        return cls(values, self.ctx, packs=self._provider)

    def run_plan(self, plan: Plan, **options: Unpack[RunOptions]) -> Any:
        """Run a plan of this chain, or a part of one, whose params are there; see `run`."""
        if wrong := list(self._wrong_inputs(plan)):
            raise ParamsError(self.action_name, wrong)
        return super().run_plan(plan, **options)

    def _missing_inputs(self, plan: Plan) -> Iterable[tuple[str, str]]:
        """Yield the missing inputs of the action that goes first; those of others may be made."""
        wrong = list(self._wrong_inputs(plan))
        yield from wrong
        first = next((each for each in plan.steps if each.name in self.members), None)
        if first is None or wrong:
            return
        for path, text in self.begin(first.name, {}).check_inputs():
            yield f"{first.name}.{path}", text

    def _wrong_inputs(self, plan: Plan) -> Iterator[tuple[str, str]]:
        """Yield the params that are given and come from an action of a plan, or from neither."""
        for step in plan.steps:
            values: Mapping[str, Any] = self._values(step.name) if step.inputs else {}
            for path, source in step.inputs.items():
                is_given = value_at(values, tuple(path.split(".")), self) is not self
                earlier = source.partition(".")[0]
                if earlier in plan.positions and is_given:
                    yield f"{step.name}.{path}", f"is not given, it comes from {source}"
                elif not (earlier in plan.positions or is_given):
                    yield f"{step.name}.{path}", f"is required, as {earlier} is left out"

    def planned(self, name: str) -> Plan:
        """Return the plan of an action, with what the project requires of it in the chain.

        Raises:
            ActionError: It has no steps, or they depend on a param from another action.
        """
        member = self._member(name)
        lineage = {each for each in self.info.lineage if each}
        rules = [each for each in self._provider.rules().required if lineage & {*each.within}]
        try:
            plan = planned(member, [each.of_action(name) for each in rules])
        except ParamsNeededError as error:
            raise self._needed(name, error) from None
        if not plan.steps and member.is_simple:
            raise ActionError(
                f"{name} has no steps, so it cannot be part of the chain {self.action_name}",
                ways_out=(f"run it by itself:  handrail run {member.action_name}",),
            )
        return plan

    def _member(self, name: str) -> BaseAction[Any]:
        """Return an action with the params that are given, to be planned."""
        cls, values = self.members[name], self._values(name)
        try:
            return cls.partial(values, self.ctx, packs=self._provider)
        except ParamsError:
            # What was valid when the run began that is undone now.
            if cls.params_model is None:
                raise

            return cls(unchecked(cls.params_model, values), self.ctx, packs=self._provider)

    def _group(self, name: str) -> Any:
        return getattr(self.params, name, None)

    def _values(self, name: str) -> Mapping[str, Any]:
        """Return the given params of an action."""
        given = self._given
        if given is None and self.params_model is None:
            given = self.params
        if given is not None:
            return cast("Mapping[str, Any]", given.get(name) or {})
        group = self._group(name)
        # It is not its model where nothing was given, and the params are not validated again.
        return given_values(group) if is_model(type(cast("object", group))) else {}

    def _needed(self, name: str, error: ParamsNeededError) -> Exception:
        path = ".".join(error.path)
        source = self.wires.get(f"{name}.{path}")
        if source is None:
            return ParamsNeededError(self.action_name, (name, *error.path))
        return ActionError(
            f"the steps of {name} depend on its {path}, which is {source} and known only when the "
            "action begins",
            ways_out=("decide it in can_skip of a step, which may read the params",),
        )


def chained(
    name: str, actions: Actions, inputs: Mapping[str, str], module: str
) -> type[ChainAction]:
    """Return the class of a chain; see `chain`."""
    check_name(name)
    members = _members(name, actions)
    wired, problems = wiring(name, members, inputs)
    groups = {
        each: (cls.params_model, ActionParams(lineage_of(cls), wired.get(each, {})))
        for each, cls in members.items()
        if cls.params_model is not None
    }
    first, *others = members
    told = " and ".join(filter(None, (", ".join([first, *others[:-1]]), *others[-1:])))
    space = {
        "action_name": name,
        "params_model": model_of_chain(name, groups, module) if groups else None,
        "context_class": ChainContext,
        "members": members,
        "wires": dict(inputs),
        "wired": wired,
        "problems": problems,
        "__module__": module,
        "__doc__": f"Run {told} as one: if a step of any of them fails, all is taken back.",
    }
    return type(name, (ChainAction,), space)


def _members(chain: str, actions: Actions) -> dict[str, type[BaseAction[Any]]]:
    if isinstance(actions, Mapping):
        listed = list(cast("Mapping[str, object]", actions).items())
    else:
        classes = [_action_class(chain, each) for each in actions]
        listed = [(each.action_name, each) for each in classes]
    members: dict[str, type[BaseAction[Any]]] = {}
    for name, action in listed:
        if not re.fullmatch(r"[^\W_][\w-]*", name):
            raise ActionError(
                f"an action of {chain} is called {name!r}; in a chain a name has letters, digits, "
                "'_' and '-' only",
                ways_out=("give it another:  {'upload': ACTION, ...}",),
            )
        if name in members:
            raise ActionError(
                f"two actions of {chain} are called {name}",
                ways_out=(f"give them names:  {{'first': {name}, 'second': {name}}}",),
            )
        members[name] = _action_class(chain, action)
    if not members:
        raise ActionError(
            f"{chain} has no actions",
            ways_out=(f"chain({chain!r}, [UploadAction, ExportAction])",),
        )
    return members


def _action_class(chain: str, given: object) -> type[BaseAction[Any]]:
    found = getattr(given, "action_class", given)  # Of a Workflow.
    if not (isinstance(found, type) and issubclass(found, BaseAction)):
        raise ActionError(
            f"{chain} is made of {given!r}, which is not an action",
            ways_out=("give the class of an action, or what action(...) returned",),
        )
    if issubclass(found, ChainAction):
        raise ActionError(
            f"{found.action_name} is a chain, and cannot be part of {chain}",
            ways_out=("name its actions in its place",),
        )
    return cast("type[BaseAction[Any]]", cast("object", found))


# No chain descends from an action called `chain`.
ChainAction.action_name = ""


@dataclass(kw_only=True)
class ChainContext(ActionContext[Any]):
    """The context of a chain as a whole, for its own steps.

    Attributes:
        action: The chain.
    """

    action: ChainAction = field(metadata={"transient": True})


class ChainedStep(RunStep):
    """The step of a chain that runs one of its actions, and leaves it open until the end of all.

    Args:
        chain: The chain.
        name: The name of the action in it.
    """

    closes = False

    def __init__(self, chain: ChainAction, name: str) -> None:
        super().__init__(name, chain.members[name])
        self._chain = chain
        model: Any = self.action_class.params_model
        self._inputs = {
            ".".join(paths_of(model, field)[0]): source
            for field, source in chain.wired.get(name, {}).items()
        }

    @property
    def inputs(self) -> Mapping[str, str]:
        """The outputs of earlier actions that its inputs are, by where the param is read."""
        return self._inputs

    def inner_plan(self, provider: PackProvider) -> Plan:
        """Return the plan of the action."""
        self.packs = provider
        return self._chain.planned(self.name)

    def action_for(self, context: ChainContext) -> BaseAction[Any]:
        """Return the action with its params and its inputs.

        Raises:
            ParamsError: They are not valid.
            ActionError: An input is not there, or has no JSON form.
            ContextError: An input has a secret in it, and the run a journal.
        """
        steps = line_of(context).run.plan.positions
        values = {
            path: _output(context, source)
            for path, source in self._inputs.items()
            if source.partition(".")[0] in steps  # Otherwise it is given.
        }
        log: Any = line_of(context).log
        if values and log is not None:
            text = json.dumps(values)
            if json_has_password(text) or mask_json(text, log.mask) != text:
                raise ContextError(
                    f"an input of {self.name} has a secret in it, which is never stored",
                    ways_out=("let the action read it from a variable, or run without a journal",),
                )
        return context.action.begin(self.name, values)


def _output(context: ChainContext, source: str) -> Any:
    """Return the JSON form of an output of an action that has ended.

    Raises:
        ActionError: There is no such output, or it has no JSON form.
    """
    name, _, output = source.partition(".")
    entries = context.results[name].data.get("result", {})
    if output not in entries:
        known = ", ".join(each for each in entries if each not in ("summary", "next"))
        raise ActionError(f"it needs {source}, which the result of {name} lacks: {known}")
    try:
        return json_of(entries[output])
    except Exception as error:
        raise ActionError(f"{source} has no JSON form: {describe(error)}") from error


def chain(
    name: str,
    actions: Actions,
    *,
    inputs: Mapping[str, str] | None = None,
) -> Workflow:
    """Make one action of several, each of which is a run of its own: one plan and one undo.

    Each action is planned, and runs, as if it were alone.

    Args:
        name: The name of the chain.
        actions: The actions in order; by their names where one is used twice, as in
            `{"raw": UploadAction, "cooked": UploadAction}`.
        inputs: Each param of an action that comes from an earlier one, with the output that it is:
            `{"export.source": "upload.catalogue"}`. The outputs of an action are what its `result`
            returns at its end.

    Raises:
        ActionError: A name is empty or has a dot, two actions have the same one, one is no action
            or is a chain itself.
    """
    caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage] - names the caller's module
    module = caller.f_globals.get("__name__", "__main__")
    made = chained(name, actions, {} if inputs is None else inputs, module)
    return Workflow(name, made)
