"""ChainAction: several actions as one, with one plan, one run, one journal and one undo."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, cast

from handrail.actions import (
    BaseAction,
    check_name,
    context_for,
    entries_of,
    lineage_of,
    planned,
    require_inputs,
)
from handrail.context import BaseStepContext, RuntimeContext, link_run
from handrail.engine.user_code import calls_user_code
from handrail.errors import ActionError, ParamsError, ParamsNeededError, PlanError, describe
from handrail.frozen import record
from handrail.outputs import wiring
from handrail.params.markers import ActionParams
from handrail.params.values import set_path
from handrail.plan.joined import joined, split
from handrail.plan.plan import PlannedAction

if TYPE_CHECKING:
    from typing import Self

    from pydantic import BaseModel

    from handrail.context import RunLink
    from handrail.errors import Problem
    from handrail.packs.provider import Packs
    from handrail.plan.edits import EditSet
    from handrail.plan.plan import Plan
    from handrail.settings.requirements import RequiredStep


class ChainAction(BaseAction[Any]):
    """An action that is made of others; see `chain`.

    Attributes:
        members: The actions by their names in the chain, in order.
        wires: The params of actions that come from others, as they were declared: each
            `export.source` with the output that it is, `upload.catalogue`.
    """

    members: ClassVar[Mapping[str, type[BaseAction[Any]]]] = {}
    wires: ClassVar[Mapping[str, str]] = {}

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

    def plan(self) -> Plan:
        """Return the plan: those of the actions, each planned by itself, one after the other."""
        wired = wiring(type(self).action_name, self.members, self.wires)
        own, problems = self._own_edits()
        problems += wired.problems
        parts: list[PlannedAction] = []
        for name in self.members:
            member = self._member(name)
            try:
                plan = planned(member, *own[name])
            except PlanError as error:
                if error.plan is None:
                    raise
                problems += error.problems
                plan = error.plan
            except ParamsNeededError as error:
                raise self._needed(name, error) from None
            if not plan.steps and member.is_simple:
                raise ActionError(
                    f"{name} has no steps, so it cannot be part of the chain {self.action_name}",
                    ways_out=(f"run it by itself:  handrail run {member.action_name}",),
                )
            lineage = member.info.lineage
            inputs = wired.inputs.get(name, {})
            parts.append(PlannedAction(name=name, plan=plan, lineage=lineage, inputs=inputs))
        whole = joined(self.action_name, parts, self.info.origin)
        if problems:
            raise PlanError(self.action_name, problems, plan=whole)
        return whole

    def create_context(self) -> ChainContext:
        """Return the context of the chain as a whole."""
        return ChainContext(runtime_ctx=self.ctx, action=self)

    def result(self, context: ChainContext) -> Mapping[str, Any]:
        """Return one mapping for each action that has begun."""
        return {
            name: dict(entries_of(each.action, each.context, at_end=True))
            for name, each in context.begun.items()
        }

    def begin(
        self, name: str, inputs: Mapping[str, Any], *, again: bool = False
    ) -> BaseAction[Any]:
        """Return an action of the chain with all its params.

        Args:
            name: Its name in the chain.
            inputs: Its params that come from other actions, by the path at which they are read.
            again: Whether it has begun before, and its inputs may be gone since.

        Raises:
            ParamsError: The params are not valid, or name inputs that are not there.
        """
        cls = self.members[name]
        values: Any = self._values(name)
        if inputs:
            values = dict(values)
            for path, value in inputs.items():
                set_path(values, tuple(path.split(".")), value)
        elif cls.params_model is not None and isinstance(
            group := self._group(name), cls.params_model
        ):
            values = group
        try:
            made = cls(values, self.ctx, packs=self._provider)
        except ParamsError:
            if not again or cls.params_model is None:
                raise
            from handrail.params.validation import unchecked  # noqa: PLC0415 - after a change only

            made = cls(unchecked(cls.params_model, values), self.ctx, packs=self._provider)
        return made

    def _missing_inputs(self, plan: Plan) -> Iterable[tuple[str, str]]:
        """Yield the missing inputs of the action that goes first; those of others may be made."""
        first = next((each.action for each in plan.steps), None)
        if first is None or self._inputs_of(plan, first):
            return
        for path, text in self.begin(first, {}).check_inputs():
            yield f"{first}.{path}", text

    @staticmethod
    def _inputs_of(plan: Plan, name: str) -> Mapping[str, str]:
        return next(each.inputs for each in plan.actions if each.name == name)

    def _own_edits(
        self,
    ) -> tuple[dict[str, tuple[EditSet, list[RequiredStep]]], list[Problem]]:
        """Return the project's edits of the chain and the steps that it requires, by action."""
        lineage = [each for each in self.info.lineage if each]
        edits, problems = self._provider.project_edits(lineage)
        rules = [each for each in self._provider.required() if {*lineage} & {*each.within}]
        found, unknown = split(self.action_name, list(self.members), edits, rules)
        return found, [*problems, *unknown]

    def _member(self, name: str) -> BaseAction[Any]:
        """Return an action with the params that are given, to be planned."""
        cls, values = self.members[name], self._values(name)
        try:
            return cls.partial(values, self.ctx, packs=self._provider)
        except ParamsError:
            # What was valid when the run began that is undone now.
            if cls.params_model is None:
                raise
            from handrail.params.validation import unchecked  # noqa: PLC0415 - after a change only

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
        group: BaseModel | None = self._group(name)
        if group is None:
            return {}
        from handrail.params.chained import given_values  # noqa: PLC0415 - it needs pydantic

        return given_values(group)

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


def chained(name: str, actions: object, inputs: object, module: str) -> type[ChainAction]:
    """Return the class of a chain; see `handrail.workflow.chain`."""
    check_name(name)
    members = _members(name, actions)
    wires = _wires(name, inputs)
    wired = wiring(name, members, wires).fields
    groups = {
        each: (cls.params_model, ActionParams(lineage_of(cls), wired.get(each, {})))
        for each, cls in members.items()
        if cls.params_model is not None
    }
    model = None
    if groups:
        from handrail.params.chained import model_of_chain  # noqa: PLC0415 - it needs pydantic

        model = model_of_chain(name, groups, module)
    first, *others = members
    told = " and ".join(filter(None, (", ".join([first, *others[:-1]]), *others[-1:])))
    space = {
        "action_name": name,
        "params_model": model,
        "context_class": ChainContext,
        "members": members,
        "wires": wires,
        "__module__": module,
        "__doc__": f"Run {told} as one: if a step of any of them fails, all is taken back.",
    }
    return type(name, (ChainAction,), space)


def _members(chain: str, actions: object) -> dict[str, type[BaseAction[Any]]]:
    example = f"chain({chain!r}, [UploadAction, ExportAction])"
    if isinstance(actions, Mapping):
        listed = list(cast("Mapping[Any, object]", actions).items())
    elif isinstance(actions, Iterable) and not isinstance(actions, str):
        classes = [_action_class(chain, each) for each in cast("Iterable[object]", actions)]
        listed = [(each.action_name, each) for each in classes]
    else:
        raise ActionError(
            f"the actions of {chain} must be a list, not {actions!r}", ways_out=(example,)
        )
    members: dict[str, type[BaseAction[Any]]] = {}
    for name, action in listed:
        if not isinstance(name, str) or not re.fullmatch(r"[^\W_][\w-]*", name):
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
        raise ActionError(f"{chain} has no actions", ways_out=(example,))
    return members


def _wires(chain: str, inputs: object) -> dict[str, str]:
    wires: Any = inputs
    if not isinstance(inputs, Mapping) or not all(
        isinstance(each, str) for wire in wires.items() for each in wire
    ):
        raise ActionError(
            f"the inputs of {chain} must be a mapping of params to outputs, not {inputs!r}",
            ways_out=('write it like this:  inputs={"export.source": "upload.catalogue"}',),
        )
    return dict(wires)


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


@record
class BegunAction:
    """An action of a chain that has begun in a run.

    Attributes:
        action: The action with all its params.
        context: Its context.
        inputs: Its params that came from other actions, in their JSON form, by name.
    """

    action: BaseAction[Any]
    context: BaseStepContext
    inputs: Mapping[str, Any]


@dataclass(kw_only=True)
class ChainContext(BaseStepContext):
    """The context of a chain as a whole, which makes those of its actions.

    Attributes:
        action: The chain.
        begun: The actions that have begun, in order.
    """

    action: ChainAction = field(metadata={"transient": True})
    begun: dict[str, BegunAction] = field(
        default_factory=dict[str, BegunAction], metadata={"transient": True}
    )

    @calls_user_code
    def begin(self, planned: PlannedAction, link: RunLink) -> BaseStepContext:
        """Return a new context for an action that is about to begin.

        Raises:
            HandrailError: Its inputs are not there or not valid, or its context cannot be made.
        """
        if planned.unknown:
            context = BaseStepContext(self.runtime_ctx)
            link_run(context, link)
            return context
        inputs = {path: self._output(source) for path, source in planned.inputs.items()}
        try:
            made = self.action.begin(planned.name, inputs)
            require_inputs(made, planned.plan)
        except ParamsError as error:
            told = "; ".join(f"{path}: {text}" if path else text for path, text in error.fields)
            raise ActionError(
                f"{planned.name} cannot begin: {told}", ways_out=error.ways_out
            ) from None
        return self._keep(planned.name, made, inputs, link)

    @calls_user_code
    def recall(self, name: str, inputs: Mapping[str, Any], link: RunLink) -> BaseStepContext:
        """Return a new context for an action that has begun in another process."""
        made = self.action.begin(name, inputs, again=True)
        return self._keep(name, made, inputs, link)

    def secrets_of(self, name: str) -> frozenset[str]:
        """Return the fields of the context of an action that are not stored."""
        from handrail.params.stored import fields_not_stored, params_text  # noqa: PLC0415 - durable runs

        action = self.begun[name].action
        model = action.params_model
        return fields_not_stored(model, params_text(model, action.params, name))

    def _keep(
        self, name: str, made: BaseAction[Any], inputs: Mapping[str, Any], link: RunLink
    ) -> BaseStepContext:
        context = cast("BaseStepContext", context_for(made))
        link_run(context, link)
        self.begun[name] = BegunAction(made, context, inputs)
        return context

    def _output(self, source: str) -> Any:
        """Return the JSON form of an output of an action that has ended.

        Raises:
            ActionError: There is no such output, or it has no JSON form.
        """
        from handrail.params.chained import json_of  # noqa: PLC0415 - for actions with inputs only

        name, _, output = source.partition(".")
        begun = self.begun.get(name)
        if begun is None:
            raise ActionError(
                f"it needs {source}, and {name} was left out of this run",
                ways_out=(f"let {name} run too",),
            )
        entries = entries_of(begun.action, begun.context)
        if output not in entries:
            known = ", ".join(each for each in entries if each not in ("summary", "next"))
            raise ActionError(f"it needs {source}, which the result of {name} lacks: {known}")
        try:
            return json_of(entries[output])
        except Exception as error:
            raise ActionError(f"{source} has no JSON form: {describe(error)}") from error
