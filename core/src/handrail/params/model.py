"""Params models: markers, names, types and secrets of their fields, and where values are."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    TypeGuard,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
)

from handrail.errors import ActionError
from handrail.frozen import NOTHING, frozen
from handrail.redact import named_secrets

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


def holds_secret(annotation: Any, seen: tuple[Any, ...] = ()) -> bool:
    """Return whether a value of this type has a secret anywhere in it."""
    kind = bare(annotation)
    if hasattr(kind, "get_secret_value"):
        return True
    if is_model(kind):
        return kind not in seen and any(
            is_secret(info) or holds_secret(info.annotation, (*seen, kind))
            for info in fields_of(kind).values()
        )
    return any(holds_secret(each, seen) for each in get_args(kind))


def is_secret(info: FieldInfo) -> bool:
    """Return whether a field as a whole is a secret: read from a variable, and never shown.

    A nested model that has secrets is none itself; a list or a choice of such models is.
    """
    if marker_of(info, FromEnv) is not None:
        return True
    return model_in(info.annotation) is None and holds_secret(info.annotation)


def secret_fields(model: type[BaseModel]) -> frozenset[str]:
    """Return the names of the fields of `model` that are secrets as a whole."""
    fields_of(model)  # Completes it, if the names that it mentions are defined by now.
    return _secret_fields(model, has_fields(model))


@lru_cache(maxsize=64)
def _secret_fields(model: type[BaseModel], _complete: bool) -> frozenset[str]:
    # Cached, because it looks into the types of all fields and a run asks for it often.
    return frozenset(name for name, info in fields_of(model).items() if is_secret(info))


def secrets_of(
    model: type[BaseModel], prefix: KeyPath = (), seen: tuple[type, ...] = ()
) -> frozenset[KeyPath]:
    """Return the paths of the fields of `model` whose values must not be shown."""
    found: set[KeyPath] = set()
    secret = secret_fields(model)
    for name, info in fields_of(model).items():
        inner = model_in(info.annotation)
        # By its own name too, also where only an alias is read: it may be given so by mistake.
        for path in dict.fromkeys((*paths_of(model, name), (name,))):
            if name in secret:
                found.add((*prefix, *path))
            elif inner is not None and inner not in seen:
                found |= secrets_of(inner, (*prefix, *path), (*seen, model))
    return frozenset(found)


def touches(path: KeyPath, secrets: frozenset[KeyPath]) -> bool:
    """Return whether the value at `path` is a secret, is part of one, or has one in it."""
    return any(path[: len(each)] == each[: len(path)] for each in secrets)


def variable_of(action: str, path: KeyPath, info: FieldInfo | None = None) -> str:
    """Return the variable of a param: that of its marker, or one derived from its path."""
    marker = None if info is None else marker_of(info, FromEnv)
    if marker is not None:
        return marker.variable
    words = "_".join(("HANDRAIL", action, *path)).upper()
    return re.sub("[^A-Z0-9]+", "_", words)


def secret_texts(model: type[BaseModel] | None, params: Any) -> Iterator[str]:
    """Yield each text that is secret among `params`, by its type or by its name.

    Args:
        model: Their model, or None for a mapping.
        params: An instance of the model, or the mapping; what is nested in it is looked into.
    """
    if model is None:
        yield from named_secrets("", params)
        return
    secret = secret_fields(model)
    for name, info in fields_of(model).items():
        value = getattr(params, name, None)
        inner = model_in(info.annotation)
        if name in secret:
            yield from texts_in(value)
        elif inner is not None and isinstance(value, inner):
            yield from secret_texts(inner, value)
        elif name in params.model_fields_set:  # A default is in the code, for everyone to read.
            yield from named_secrets(name, value)


def given_secrets(model: type[BaseModel] | None, values: object) -> Iterator[str]:
    """Yield each text that is secret among values that are not validated yet."""
    for path in () if model is None else secrets_of(model):
        # A value in place of a mapping with secrets counts as a secret too.
        yield from texts_in(value_at(values, path))
    yield from named_secrets("", values)


def texts_in(value: object) -> Iterator[str]:
    """Yield every text in a value, secrets among them revealed."""
    waiting: list[object] = [value]
    seen: dict[int, object] = {}  # With the values, so that no id is used again meanwhile.
    while waiting:
        each: Any = waiting.pop()
        if id(each) in seen:
            continue
        seen[id(each)] = each
        if isinstance(each, str):
            yield each
        elif isinstance(each, bytes):
            yield each.decode(errors="surrogateescape")
        elif hasattr(each, "get_secret_value"):
            revealed = each.get_secret_value()
            waiting.append(str(revealed) if isinstance(revealed, int | float) else revealed)
        elif isinstance(each, Mapping):
            waiting.extend(cast("Mapping[object, object]", each).values())
        elif isinstance(each, list | tuple | set | frozenset):
            waiting.extend(cast("list[object]", each))
        elif hasattr(each, "__dict__"):
            waiting.extend(cast("dict[str, object]", vars(each)).values())


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
