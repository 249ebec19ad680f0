"""The params model of an action, and the names, types and markers of its fields."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ForwardRef,
    TypeGuard,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
)

from handrail.errors import ActionError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from handrail.params.values import KeyPath

M = TypeVar("M")


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


def is_model(candidate: object) -> TypeGuard[type[BaseModel]]:
    """Return whether `candidate` is a pydantic model class."""
    return isinstance(candidate, type) and hasattr(candidate, "model_fields")


def check_model(model: object, owner: str) -> None:
    """Check that `model` is a params model.

    Raises:
        ActionError: The model is neither None nor a pydantic model.
    """
    if model is not None and not is_model(model):
        name = getattr(model, "__name__", repr(model))
        raise ActionError(
            f"the params of {owner} are {name}, which is no pydantic model",
            ways_out=(f"derive it from pydantic's BaseModel: class {name}(BaseModel)",),
        )


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of `model`, after looking up names that are defined below it."""
    if not has_fields(model):
        model.model_rebuild(raise_errors=False)
    return model.model_fields


def has_fields(model: type[BaseModel]) -> bool:
    """Return whether the types of all fields are known; there need be no validator yet."""
    # Older versions of pydantic know the fields of a complete model only.
    return bool(getattr(model, "__pydantic_fields_complete__", model.__pydantic_complete__))


def paths_of(model: type[BaseModel], name: str) -> tuple[KeyPath, ...]:
    """Return where a value for the field `name` is looked for, the preferred place first."""
    config: Mapping[str, Any] = cast("Mapping[str, Any]", model.model_config)
    alias: Any = model.model_fields[name].validation_alias
    if alias is None or config.get("validate_by_alias") is False:
        return ((name,),)
    choices: list[Any] = getattr(alias, "choices", [alias])
    ways = [(way,) if isinstance(way, str) else tuple(way.path) for way in choices]
    paths = [way for way in ways if all(isinstance(part, str) for part in way)]
    if config.get("populate_by_name") or config.get("validate_by_name") or not paths:
        paths.append((name,))
    return tuple(paths)


def field_named(model: type[BaseModel], name: str) -> str:
    """Return the field of `model` that reads the param called `name`.

    Raises:
        LookupError: There is none.
    """
    for field in fields_of(model):
        if name == field or (name,) in paths_of(model, field):
            return field
    raise LookupError(name)


def bare(annotation: Any) -> Any:
    """Return a type without `Annotated`, `NewType`, type aliases and `None`."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, types.UnionType):
            rest = [each for each in get_args(annotation) if each is not type(None)]
            if len(rest) != 1:
                return Union[tuple(rest)]  # noqa: UP007 - made at run time
            annotation = rest[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation


def marker_of(info: FieldInfo, kind: type[M]) -> M | None:
    """Return the marker of this kind on a field; `Argument` is short for `Argument()` there."""
    for entry in info.metadata:
        if isinstance(entry, kind):
            return entry
        if entry is kind:
            return kind()
    return None


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model type of a field, also if it is optional."""
    kind = bare(annotation)
    return kind if is_model(kind) else None


def kind_at(model: type[BaseModel] | None, path: KeyPath) -> Any:
    """Return the type of the field at `path`, or None if there is none."""
    if model is None:
        return None
    for name, info in fields_of(model).items():
        for way in paths_of(model, name):
            if path == way:
                return bare(info.annotation)
            if path[: len(way)] == way:
                return kind_at(model_in(info.annotation), path[len(way) :])
    return None


def values_of(params: Any, model: type[BaseModel] | None) -> dict[str, Any]:
    """Return each param by its name; without a model the params are a mapping.

    Params of an older run may lack a field of the current model: it is left out.
    """
    if model is None:
        return dict(params)
    return {name: getattr(params, name) for name in model.model_fields if hasattr(params, name)}
