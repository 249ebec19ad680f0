"""Workflow and `action`: actions made from steps, without packaging."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from handrail.actions import BaseAction, check_name
from handrail.errors import ActionError

if TYPE_CHECKING:
    from typing import Unpack

    from pydantic import BaseModel

    from handrail.context import BaseStepContext, RuntimeContext
    from handrail.groups import Parallel
    from handrail.orchestrator import RunOptions
    from handrail.packs.provider import Packs
    from handrail.plan.plan import Plan
    from handrail.registry import StepRegistry
    from handrail.steps import BaseStep


class Workflow:
    """An action made by `action` from a list of steps, or by `chain` from other actions.

    Attributes:
        name: The name of the action.
        action_class: The generated subclass of BaseAction.
    """

    def __init__(self, name: str, action_class: type[BaseAction[Any]]) -> None:
        self.name = name
        self.action_class = action_class
        self.__module__ = action_class.__module__

    def __call__(
        self,
        params: Any = None,
        ctx: RuntimeContext | None = None,
        *,
        packs: Packs = None,
    ) -> BaseAction[Any]:
        """Return an instance of the action with these params."""
        return self.action_class(params, ctx, packs=packs)

    def run(
        self,
        params: Any = None,
        ctx: RuntimeContext | None = None,
        *,
        packs: Packs = None,
        **options: Unpack[RunOptions],
    ) -> Any:
        """Plan and run the workflow; see `BaseAction.run`."""
        return self(params, ctx, packs=packs).run(**options)

    def plan(self, params: Mapping[str, Any] | None = None, *, packs: Packs = None) -> Plan:
        """Return the plan; `params` may be incomplete. See `BaseAction.plan`."""
        return self.action_class.partial(params or {}, packs=packs).plan()

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Run the workflow as a program, with an option for each param, and exit.

        The exit codes are those of `handrail run`. `arguments` default to `sys.argv[1:]`.
        """
        # The only import of the command line from here; as a string, because it points upwards.
        cli = importlib.import_module("handrail.cli")
        sys.exit(cli.run_workflow(self, sys.argv[1:] if arguments is None else arguments))

    def __repr__(self) -> str:
        return f"<workflow {self.name!r} of {self.__module__}>"


def action(
    name: str,
    steps: Iterable[BaseStep[Any] | Parallel[Any]],
    *,
    params: type[BaseModel] | None = None,
    context: type[BaseStepContext] | None = None,
    check_inputs: Callable[[Any], Iterable[tuple[str, str]]] | None = None,
) -> Workflow:
    """Make an action from a list of steps, without packaging anything.

    Run it with `handrail run flows.py:nightly`, with `nightly.run({...})`, or as a program of its
    own with `nightly.main()`.

    Args:
        name: The name of the action.
        steps: The steps in order, and groups of them from `parallel`.
        params: The pydantic model of the params.
        context: The context class; its fields are filled from params of the same names.
        check_inputs: Takes the params before a run, and yields the name of each that names an input
            that is not there, and why; see `BaseAction.check_inputs`.

    Raises:
        ActionError: The name is empty or not printable, `steps` is not iterable, or `params` is
            not a pydantic model.
    """
    check_name(name)
    if not isinstance(cast("object", steps), Iterable):
        raise ActionError(
            f"the steps of {name} must be a list, not {steps!r}",
            ways_out=(f"action({name!r}, [step, ...])",),
        )
    listed = list(steps)
    caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage] - names the caller's module

    def setup_steps(self: BaseAction[Any], registry: StepRegistry[Any]) -> None:
        for each in listed:
            registry.register(each)

    def missing_inputs(self: BaseAction[Any]) -> Iterable[tuple[str, str]]:
        return () if check_inputs is None else check_inputs(self.params)

    made = type(
        name,
        (BaseAction,),
        {
            "action_name": name,
            "params_model": params,
            "context_class": context,
            "setup_steps": setup_steps,
            "check_inputs": missing_inputs,
            "__module__": caller.f_globals.get("__name__", "__main__"),
        },
    )
    return Workflow(name, made)
