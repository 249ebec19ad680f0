"""The params of a chain: a group for each of its actions, and what comes from other actions.

The params of an action with inputs are not complete before it begins. So its group is a model that
checks those which are given with the model of the action, and ignores what only the missing ones
would make right. An input is given where the action that it comes from is left out of a run.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, cast, is_typeddict

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, create_model, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from handrail.errors import Problem
from handrail.params.model import (
    ActionParams,
    field_named,
    fields_of,
    holds_secret,
    is_secret,
    paths_of,
    set_path,
)
from handrail.params.validation import unchecked
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from handrail.actions import BaseAction

Members = Mapping[str, "type[BaseAction[Any]]"]
Wired = Mapping[str, str]
"""Where a param comes from, `upload.catalogue`, by its name in the model."""

_NOT_OUTPUTS = ("summary", "next")  # They are for the command line.


def wiring(
    chain: str, members: Members, wires: Mapping[str, str]
) -> tuple[dict[str, dict[str, str]], list[Problem]]:
    """Return where the inputs of each action of a chain come from, and the wires that cannot be.

    Args:
        chain: Its name.
        members: Its actions.
        wires: Each param with the output that it comes from: `{"export.source": "upload.table"}`.
    """
    wired: dict[str, dict[str, str]] = {}
    problems: list[Problem] = []
    # A settings file may have anything there; what is no text names no action.
    for target, source in ((str(param), str(output)) for param, output in wires.items()):
        name, _, param = target.partition(".")
        field, wrong = _param(members, name, param, target)
        if not wrong:
            wired.setdefault(name, {})[field] = source
            wrong = _wrong_output(members, name, source)
        if wrong:
            message, *ways_out = wrong
            problems.append(
                Problem(
                    code="bad-input",
                    message=f"the input {target} = {source} of {chain}: {message}",
                    ways_out=tuple(filter(None, ways_out)),
                )
            )
    return wired, problems


def _param(members: Members, name: str, param: str, target: str) -> tuple[str, list[str]]:
    """Return the field of a param that is an input; or why it cannot be one, and the ways out."""
    if name not in members:
        return "", _no_action(members, name, target)
    model = members[name].params_model
    if model is None:
        return "", [f"{name} takes no params"]
    fields = fields_of(model)
    try:
        field = field_named(model, param)
    except LookupError:
        hint = did_you_mean(param, fields) or f"params of {name}: {', '.join(fields)}"
        return "", [f"{name} has no param '{param}'", hint]
    if is_secret(fields[field]) or holds_secret(fields[field].annotation):
        return "", [f"{name}.{param} is a secret, and is read from a variable only"]
    return field, []


def _wrong_output(members: Members, name: str, source: str) -> list[str]:
    """Return why an output cannot be an input of an action, and the ways out; nothing if it can."""
    earlier, _, output = source.partition(".")
    if earlier not in members:
        return _no_action(members, earlier, source)
    order = list(members)
    if order.index(earlier) >= order.index(name):
        return [f"{earlier} does not end before {name} begins"]
    outputs = _outputs_of(members[earlier])
    if outputs is None:  # It is known when the action begins.
        return [] if output else [f"it names no output of {earlier}"]
    if output in outputs:
        return []
    known = [each for each in outputs if each not in _NOT_OUTPUTS]
    hint = did_you_mean(output, known) or f"outputs of {earlier}: {', '.join(known) or 'none'}"
    return [f"{earlier} has no output '{output}'", hint]


def _no_action(members: Members, name: str, what: str) -> list[str]:
    hint = did_you_mean(name, members) or f"its actions: {', '.join(members)}"
    return [f"there is no action '{name}' for {what}", hint]


def _outputs_of(action: type[BaseAction[Any]]) -> tuple[str, ...] | None:
    """Return the outputs of an action: the fields of what its `result` returns.

    None if that is no TypedDict, so that the outputs are known only at the end of the action.
    """
    method: Any = action.result
    annotation = getattr(method, "__annotations__", {}).get("return")
    if isinstance(annotation, str):
        annotation = vars(sys.modules.get(method.__module__, object)).get(annotation)
    return tuple(annotation.__annotations__) if is_typeddict(annotation) else None


def model_of_chain(
    name: str, groups: Mapping[str, tuple[type[BaseModel], ActionParams]], module: str
) -> type[BaseModel]:
    """Return the model of the params of a chain.

    Args:
        name: Name of the chain.
        groups: The model of each action that has one, and what is known of its params, by its name
            in the chain.
        module: The module of the chain.
    """
    fields: dict[str, Any] = {}
    for action, (model, known) in groups.items():
        group = _given(model, known.wired) if known.wired else model
        # What an action lacks is told by its name, also where nothing was given for it.
        default = Field(default_factory=dict, validate_default=True)
        fields[action] = (Annotated[group, known], default)
    return _create(
        f"{name.title().replace('_', '').replace('-', '')}Params",
        fields,
        {},
        {"defer_build": True, "hide_input_in_errors": True},
        module,
    )


def _given(model: type[BaseModel], wired: Wired) -> type[BaseModel]:
    """Return a model of the params that are given to an action with inputs."""
    fields = {name: (info.annotation, info) for name, info in fields_of(model).items()}
    inputs = {name: (*paths_of(model, name), (name,)) for name in wired}

    def checked(cls: Any, values: Any, _validate: Callable[[Any], Any]) -> Any:
        if isinstance(values, cls):
            return values
        missing = {
            name: paths
            for name, paths in inputs.items()
            if not any(each[0] in values for each in paths)
        }
        try:
            model.model_validate(values)
        except ValidationError as error:
            _raise_known(error, {path[0] for paths in missing.values() for path in paths})
        except Exception:  # noqa: BLE001 - validators that need what is missing
            pass
        made = unchecked(cls, cast("Mapping[str, Any]", values))
        for name in missing:
            vars(made).pop(name, None)  # It has no default: it is worked out.
        return made

    wrap: Any = classmethod(checked)
    validators = {"checked": model_validator(mode="wrap")(wrap)}
    config = {**model.model_config, "extra": None}
    return _create(model.__name__, fields, validators, config, model.__module__)


def _raise_known(error: ValidationError, missing: set[str]) -> None:
    """Raise what is wrong with single params, whatever the missing ones will be."""
    known = [
        InitErrorDetails(
            type=_kind(each["type"], each["msg"]), loc=each["loc"], input=each.get("input")
        )
        for each in error.errors(include_url=False, include_context=False)
        if each["loc"] and each["loc"][0] not in missing and each["type"] != "extra_forbidden"
    ]
    if known:
        raise ValidationError.from_exception_data(error.title, known)


def _kind(kind: str, message: str) -> Any:
    custom: Any = PydanticCustomError
    return kind if kind == "missing" else custom(kind, message)


def _create(
    name: str, fields: dict[str, Any], validators: dict[str, Any], config: Any, module: str
) -> type[BaseModel]:
    create: Any = create_model
    with warnings.catch_warnings():
        # An action may be called like a method of a model, which then reads the params.
        warnings.simplefilter("ignore")
        made = create(
            name,
            __config__={**config, "protected_namespaces": ()},
            __module__=module,
            __validators__=validators,
            **fields,
        )
    return cast("type[BaseModel]", made)


def given_values(group: BaseModel) -> dict[str, Any]:
    """Return the values that were given for a group of params, by the paths that models read."""
    model = type(group)
    values: dict[str, Any] = {}
    for name in fields_of(model):
        if name in group.model_fields_set:
            set_path(values, paths_of(model, name)[0], getattr(group, name))
    return values


def json_of(value: object) -> Any:
    """Return the JSON form of a value of any type.

    Raises:
        ValueError: It has none.
    """
    return TypeAdapter[Any](Any).dump_python(value, mode="json")
