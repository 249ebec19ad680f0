"""The context with the params of an action, and the params model that a class names."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, ForwardRef, Generic, cast, get_args, get_origin

from handrail.context import OPTIONS, BaseStepContext
from handrail.errors import ActionError, ContextError, ParamsError
from handrail.params.model import check_model, fields_of, is_model, paths_of, set_path, values_of
from handrail.params.validation import validated

if TYPE_CHECKING:
    from pydantic import BaseModel
    from typing_extensions import TypeVar

    from handrail.context import RuntimeContext

    P = TypeVar("P", covariant=True, default=Any)
else:
    from typing import TypeVar

    P = TypeVar("P", covariant=True)

_PLAIN = ("dict", "Dict", "typing.Dict", "Mapping", "collections.abc.Mapping", "<class 'dict'>")


class _Options:
    """Computes the value of `options` when it is read.

    A non-data descriptor, so a field of that name in a user's context takes precedence; it raises
    on the class, so that a dataclass does not use it as the default of such a field.
    """

    def __get__(self, context: ActionContext[Any] | None, owner: type) -> Any:
        if context is None:
            raise AttributeError("options belong to a context, not to its class")
        if OPTIONS not in context.__dict__:
            context.__dict__[OPTIONS] = _options_of(context)
        return context.__dict__[OPTIONS]


@dataclass(kw_only=True)
class ActionContext(BaseStepContext, Generic[P]):
    """A context with the params of its action, typed by their model: `ActionContext[TidyParams]`.

    An action that names no `context_class` has one of these. Subclass it with your own fields:
    `class TidyContext(ActionContext[TidyParams])`. A class for params that others may derive is
    `class TidyContext(ActionContext[P])`, with `P = TypeVar("P", bound=TidyParams)`.

    Attributes:
        params: The params as a plain value: those of the action, or a dict of them where a
            subclass declares `params: dict[str, Any]`. A context that you make yourself, as in a
            test, takes them here.
    """

    params: Any = None

    if TYPE_CHECKING:

        @property
        def options(self) -> P:
            """The params as the model `P`, validated.

            Usually the validated params of the action. If they are of another model, or the context
            was created with others, they are converted to `P` when first read.

            Raises:
                ContextError: The context has no params, or they lack what `P` needs.
            """
            ...

    else:
        options = _Options()


def carry_params(context: BaseStepContext, params: Any, model: type[BaseModel] | None) -> None:
    """Set the `options` of a context to the params of its action, unless it was given others.

    Args:
        context: The context of the action; one without `options` is not changed.
        params: The params of the action.
        model: Their model, or None if they are a mapping.
    """
    if not issubclass(type(context), ActionContext):
        return
    context.__dict__.pop(OPTIONS, None)
    wanted = _model_of(context)
    if wanted is not None and not isinstance(params, wanted):
        return
    own: Any = cast("ActionContext[Any]", context).params
    is_same = own is params or not own or own == values_of(params, model)
    if is_same or (model is not None and own == params.model_dump(warnings=False)):
        context.__dict__[OPTIONS] = params


def context_of(
    cls: type[BaseStepContext],
    action: str,
    runtime: RuntimeContext,
    params: Any,
    model: type[BaseModel] | None,
) -> BaseStepContext:
    """Return a context of `cls`, its fields filled from the params of the same names.

    Args:
        cls: The class of the context.
        action: Name of the action, for messages.
        runtime: The runtime context.
        params: The params of the action, for a field called `params`.
        model: Their model, or None if they are a mapping.

    Raises:
        ContextError: The class is not a context, or has a field that no param fills.
    """
    given = cast("Any", cls)
    if not (isinstance(given, type) and issubclass(given, BaseStepContext)):
        name = getattr(cast("object", given), "__qualname__", repr(cast("object", given)))
        raise ContextError(
            f"the context of {action} is {name}, which is not derived from BaseStepContext"
        )
    values = values_of(params, model)
    filled: dict[str, Any] = {}
    unfilled: list[str] = []
    for each in fields(cls):
        if each.name == "params":
            filled["params"] = values if str(each.type).startswith(_PLAIN) else params
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
    context = cls(runtime_ctx=runtime, **filled)
    carry_params(context, params, model)
    return context


def _is_required(field: Field[Any]) -> bool:
    return field.init and field.default is MISSING and field.default_factory is MISSING


def _model_of(context: BaseStepContext) -> type[BaseModel] | None:
    """Return the model that the class of a context names, or None."""
    # If the context was created as UploadContext[MyParams](...).
    alias: object = context.__dict__.get("__orig_class__")
    given: Any = given_by(alias, ActionContext)
    if is_model(given):
        return given
    for part in type(context).__mro__:
        model = params_argument(part, ActionContext)
        bound = getattr(argument_of(part, ActionContext), "__bound__", None)
        if model is not None or is_model(bound):
            return model or bound
    return None


def _options_of(context: ActionContext[Any]) -> Any:
    """Return the params of a context as its model.

    Raises:
        ContextError: The context has no params, or they lack a field of the model.
    """
    name, params, model = type(context).__qualname__, context.params, _model_of(context)
    if params is None:
        raise ContextError(
            f"this {name} has no params, so there are no options to read",
            ways_out=(f"make it with params:  {name}(runtime_ctx=..., params=...)",),
        )
    if model is None or isinstance(params, model):
        return params
    try:
        return validated(model, _shared(model, params), name)
    except ParamsError as error:
        lacks = "; ".join(f"{path}: {text}" if path else text for path, text in error.fields)
        raise ContextError(
            f"{name} cannot work with these params: {lacks}",
            ways_out=(f"derive the params from {model.__module__}.{model.__qualname__}",),
        ) from error


def _shared(model: type[BaseModel], params: Any) -> dict[str, Any]:
    """Return those of `params`, a mapping or another model, for which `model` has a field."""
    given = cast("Mapping[str, Any]", params if isinstance(params, Mapping) else dict(params))
    shared: dict[str, Any] = {}
    for name in fields_of(model):
        path = paths_of(model, name)[0]
        if name in given:
            set_path(shared, path, given[name])
        elif path[0] in given:
            shared[path[0]] = given[path[0]]
    return shared


def params_argument(cls: type, root: type) -> type[BaseModel] | None:
    """Return the params model that `cls` gives to the generic `root`, also through its bases.

    Raises:
        ActionError: The type argument cannot be a params model.
    """
    argument = argument_of(cls, root)
    if isinstance(argument, ForwardRef | str):
        name = argument if isinstance(argument, str) else argument.__forward_arg__
        module = sys.modules.get(cls.__module__)
        argument = getattr(module, name, None)
        if argument is None:
            raise ActionError(
                f"{cls.__qualname__} names its params model by the text {name!r}, "
                "which is not defined yet",
                ways_out=(f"define {name} above the action, and write {root.__name__}[{name}]",),
            )
    if is_model(argument):
        return argument
    if is_dataclass(argument):
        check_model(argument, cls.__qualname__)
    return None


def argument_of(cls: type, root: type) -> Any:
    """Return the type argument of `cls` itself for the generic `root`; a TypeVar if still open."""
    found = (given_by(base, root) for base in cls.__dict__.get("__orig_bases__", ()))
    return next((each for each in found if each is not None), None)


def given_by(base: Any, root: type) -> Any:
    """Return the type argument of a base such as `UploadContext[MyParams]` for `root`."""
    origin: Any = get_origin(base)
    if origin is root:
        return get_args(base)[0]
    if not (isinstance(origin, type) and issubclass(origin, root)):
        return None
    found = argument_of(origin, root)
    names: tuple[Any, ...] = getattr(origin, "__parameters__", ())
    return dict(zip(names, get_args(base), strict=False)).get(found, found)
