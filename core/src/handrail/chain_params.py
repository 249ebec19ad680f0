"""The params of a chain: one group for each of its actions, without what comes from other actions.

The params of an action with inputs are not complete before it begins. So its group is a model that
checks those which are given with the model of the action, and ignores what only the missing ones
would make right. An input is given where the action that it comes from is left out of a run.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import BaseModel, TypeAdapter, ValidationError, create_model, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from handrail.params.markers import ActionParams
from handrail.params.model import fields_of, paths_of
from handrail.params.validation import unchecked
from handrail.params.values import set_path

if TYPE_CHECKING:
    from collections.abc import Callable

Wired = Mapping[str, str]
"""Where a param comes from, `upload.catalogue`, by its name in the model."""


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
        fields[action] = (Annotated[group, known], ...)

    def filled(values: Any) -> Any:
        """Let what an action lacks be reported by its name, also where nothing was given for it."""
        if not isinstance(values, Mapping):
            return values
        given = cast("Mapping[str, Any]", values)
        nothing: dict[str, Any] = {each: {} for each in groups}
        return {**nothing, **given}

    return _create(
        f"{name.title().replace('_', '').replace('-', '')}Params",
        fields,
        {"filled": model_validator(mode="before")(filled)},
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
