"""The params model of an action: markers, names and types of its fields, and where values are."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping
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
from handrail.frozen import NOTHING, frozen

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

M = TypeVar("M")
KeyPath = tuple[str, ...]
"""The keys that lead to a value through nested mappings."""


@frozen(kw_only=False)
class Argument:
    """Marks a param as positional on the command line: `source: Annotated[Path, Argument()]`."""


@frozen(kw_only=False)
class Option:
    """Names the option of a param on the command line: `Annotated[int, Option("-n", "--limit")]`.

    A mapping from names, such as `dict[str, Path]`, has an option only with this marker: it takes
    `NAME=VALUE`, and is repeatable.

    Attributes:
        names: The option names, each with its dashes.
    """

    names: tuple[str, ...] = ()

    def __init__(self, *names: str) -> None:
        wrong = [name for name in names if not name.startswith("-")]
        if wrong or not names:
            raise ValueError(f"Option takes names such as '-n' or '--limit', not {names!r}")
        object.__setattr__(self, "names", names)


@frozen(kw_only=False)
class FromEnv:
    """Names the variable of a secret: `token: Annotated[SecretStr, FromEnv("ACME_TOKEN")]`.

    Secrets are never options; without this marker the variable is `HANDRAIL_<ACTION>_<PARAM>`. A
    field of any other type that has this marker is treated as a secret.
    """

    variable: str


@frozen(kw_only=False)
class ActionParams:
    """Marks the params of one action among those of another; only the needed ones are options.

    Attributes:
        lineage: The name of the action, and those of the actions that it extends.
        wired: Where each param comes from that is no option, by its name: `upload.catalogue`.
    """

    lineage: tuple[str, ...] = ()
    wired: Mapping[str, str] = NOTHING


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


def preferred_path(model: type[BaseModel] | None, path: KeyPath) -> KeyPath:
    """Return `path` with the preferred names of fields that have several."""
    if model is None:
        return path
    for name, info in fields_of(model).items():
        ways = paths_of(model, name)
        for way in ways:
            if path[: len(way)] == way:
                return (*ways[0], *preferred_path(model_in(info.annotation), path[len(way) :]))
    return path


def model_at(model: type[BaseModel] | None, path: KeyPath) -> type[BaseModel] | None:
    """Return the model whose fields are at `path`, which is `model` at the empty one, or None."""
    return model_in(kind_at(model, path)) if path else model


def values_of(params: Any, model: type[BaseModel] | None) -> dict[str, Any]:
    """Return each param by its name; without a model the params are a mapping.

    Params of an older run may lack a field of the current model: it is left out.
    """
    if model is None:
        return dict(params)
    return {name: getattr(params, name) for name in model.model_fields if hasattr(params, name)}


def value_at(values: object, path: KeyPath, missing: object = None) -> Any:
    """Return the value at `path`, or `missing` if there is none.

    If a value on the way is not a mapping, it is returned.
    """
    for key in path:
        if not isinstance(values, Mapping):
            return values
        values = cast("Mapping[object, object]", values).get(key, missing)
    return values


def set_path(values: dict[str, Any], path: KeyPath, value: Any) -> None:
    """Set the value at `path`, making the mappings that are missing on the way."""
    for key in path[:-1]:
        inner = values.get(key)
        if not isinstance(inner, dict):
            inner = values[key] = {}
        values = cast("dict[str, Any]", inner)
    values[path[-1]] = value


def merge(values: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add `more` to `values`; its values win, and its mappings are copied."""
    for key, value in more.items():
        if isinstance(value, Mapping):
            if not isinstance(values.get(key), dict):
                values[key] = {}
            merge(values[key], cast("Mapping[str, Any]", value))
        else:
            values[key] = value


def leaves(values: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield path and value of each leaf in nested mappings; an empty mapping is a leaf."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(cast("dict[str, Any]", value), (*path, key))
        else:
            yield (*path, key), value
