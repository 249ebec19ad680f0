"""Makes the context of a run from the params of its action, and checks what an action made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, cast

from handrail.context import BaseStepContext
from handrail.engine.user_code import calls_user_code
from handrail.errors import ActionResultError, ContextError
from handrail.planning import naming

if TYPE_CHECKING:
    from handrail.actions import BaseAction
    from handrail.context import RuntimeContext
    from handrail.orchestrator import RunResult

_PLAIN = ("dict", "Dict", "typing.Dict", "Mapping", "collections.abc.Mapping", "<class 'dict'>")


@dataclass(kw_only=True)
class ActionContext(BaseStepContext):
    """The context of an action that declares none: its params, and what every context has."""

    params: Any = None


def context_of(
    cls: type[BaseStepContext],
    action: str,
    runtime: RuntimeContext,
    params: Any,
    values: Mapping[str, Any],
) -> BaseStepContext:
    """Return a context of `cls`, its fields filled from the params of the same names.

    Args:
        cls: The class of the context.
        action: Name of the action, for messages.
        runtime: The world outside.
        params: The params as they are, for a field called `params`.
        values: Each param by its name.

    Raises:
        ContextError: The class is no context, or has a field that nothing fills.
    """
    given = cast("Any", cls)
    if not (isinstance(given, type) and issubclass(given, BaseStepContext)):
        name = getattr(cast("object", given), "__qualname__", repr(cast("object", given)))
        raise ContextError(
            f"the context of {action} is {name}, which is not derived from BaseStepContext"
        )
    filled: dict[str, Any] = {}
    unfilled: list[str] = []
    for each in fields(cls):
        if each.name == "params":
            filled["params"] = dict(values) if str(each.type).startswith(_PLAIN) else params
        elif each.init and each.name in values and each.name != "runtime_ctx":
            filled[each.name] = values[each.name]
        elif each.name != "runtime_ctx" and _is_required(each):
            unfilled.append(each.name)
    if unfilled:
        names = ", ".join(unfilled)
        raise ContextError(
            f"{cls.__qualname__} needs {names}, and {action} has no param of that name",
            ways_out=("give it a default, add such a param, or override create_context()",),
        )
    return cls(runtime_ctx=runtime, **filled)


def _is_required(field: Field[Any]) -> bool:
    return field.init and field.default is MISSING and field.default_factory is MISSING


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


@calls_user_code
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
