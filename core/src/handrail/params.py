"""Params of an action: the model that a class names, validation with readable errors, markers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args, get_origin

from handrail.errors import ParamsError, ParamsNeededError
from handrail.names import did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError


@dataclass(frozen=True, slots=True)
class Argument:
    """Marks a param as positional on the command line: `source: Annotated[Path, Argument()]`."""


@dataclass(frozen=True, slots=True)
class Option:
    """Names the option of a param on the command line: `Annotated[int, Option("-n", "--limit")]`.

    Attributes:
        names: The option names, each with its dashes.
    """

    names: tuple[str, ...] = ()

    def __init__(self, *names: str) -> None:
        wrong = [name for name in names if not name.startswith("-")]
        if wrong or not names:
            raise ValueError(f"Option takes names such as '-n' or '--limit', not {names!r}")
        object.__setattr__(self, "names", names)


@dataclass(frozen=True, slots=True)
class FromEnv:
    """Names the variable that holds a secret: `token: Annotated[SecretStr, FromEnv("ACME_TOKEN")]`.

    Secrets are never options; without this marker the variable is `HANDRAIL_<ACTION>_<PARAM>`.
    """

    variable: str


def params_argument(cls: type, root: type) -> type[BaseModel] | None:
    """Return the params model that `cls` gives to the generic `root`, through any bases between."""
    bound: dict[Any, Any] = {}
    for base in getattr(cls, "__orig_bases__", ()):
        origin = get_origin(base)
        if origin is None or not issubclass(origin, root):
            continue
        parameters = getattr(origin, "__parameters__", ())
        bound.update(zip(parameters, get_args(base), strict=False))
        for argument in bound.values():
            if _is_model(argument):
                return cast("type[BaseModel]", argument)
            if argument is dict or argument is Any or isinstance(argument, TypeVar):
                continue
    return None


def _is_model(candidate: object) -> bool:
    return isinstance(candidate, type) and hasattr(candidate, "model_fields")


def validated(model: type[BaseModel], params: object, action: str) -> BaseModel:
    """Return `params`, a model or a mapping, as an instance of `model`.

    Raises:
        ParamsError: Something is missing, unknown or of the wrong type; it lists every field.
    """
    from pydantic import BaseModel, ValidationError  # noqa: PLC0415 - only where a model is used

    if isinstance(params, model):
        return params
    if params is None:
        params = {}
    if isinstance(params, BaseModel) or not isinstance(params, Mapping):
        raise ParamsError(
            action,
            [("", f"expected {model.__name__} or a mapping, not {type(params).__name__}")],
        )
    values = cast("Mapping[str, Any]", params)
    unknown = unknown_fields(model, values)
    try:
        made = model.model_validate(dict(values))
    except ValidationError as error:
        secret = secrets_of(model)
        cause = None if secret else error  # Its text holds the values that were given.
        raise ParamsError(action, [*unknown, *readable(error, secret)]) from cause
    if unknown:
        raise ParamsError(action, unknown)
    return made


def unknown_fields(model: type[BaseModel], values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return `(name, message)` for each value that no field takes, unless the model allows that."""
    if model.model_config.get("extra") is not None:
        return []  # The model says itself what happens: pydantic forbids, allows or ignores.
    known: set[str] = set()
    for name, field in model.model_fields.items():
        known.add(name)
        known.update(alias for alias in (field.alias,) if alias)
        choices: Any = getattr(field.validation_alias, "choices", [field.validation_alias])
        known.update(choice for choice in choices if isinstance(choice, str))
    return [
        (name, " ".join(filter(None, ("unknown param;", did_you_mean(name, known)))).rstrip(";"))
        for name in values
        if name not in known
    ]


def secrets_of(model: type[BaseModel], prefix: str = "") -> frozenset[str]:
    """Return the dotted paths of the fields of `model` whose values must not be shown."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        for kind in (field.annotation, *get_args(field.annotation)):
            if hasattr(kind, "get_secret_value"):
                found.add(path)
            elif _is_model(kind):
                found |= secrets_of(cast("type[BaseModel]", kind), f"{path}.")
    return frozenset(found)


def readable(error: ValidationError, secret: frozenset[str] = frozenset()) -> list[tuple[str, str]]:
    """Return one `(field path, message)` for each thing that `error` complains about.

    Values are shown, but for those of the `secret` paths.
    """
    lines: list[tuple[str, str]] = []
    for each in error.errors(include_url=False, include_context=False):
        path = ".".join(str(part) for part in each["loc"])
        if each["type"] == "missing":
            lines.append((path, "is required"))
        elif each["type"] == "extra_forbidden":
            lines.append((path, "unknown param"))
        else:
            given = each.get("input")
            hidden = given is None or isinstance(given, Mapping) or path in secret
            shown = "" if hidden else f" (given: {given!r})"
            lines.append((path, f"{each['msg']}{shown}"))
    return lines


class PartialParams:
    """Stands for params of which some are not known, while a plan is made.

    Known values and defaults read as usual; reading a missing one raises ParamsNeededError.
    """

    def __init__(self, model: type[BaseModel], values: Mapping[str, Any], action: str) -> None:
        self.__dict__.update(_action=action, _model=model)
        for name, field in model.model_fields.items():
            if name in values:
                self.__dict__[name] = values[name]
            elif not field.is_required():
                self.__dict__[name] = field.get_default(call_default_factory=True)

    def __getattr__(self, name: str) -> Any:
        if name in self._model.model_fields:
            option = f"--{name.replace('_', '-')}"
            raise ParamsNeededError(
                f"planning {self._action} needs the param '{name}'",
                ways_out=(f"give it: {option} ...", f"or: -p {name}=..."),
            )
        raise AttributeError(f"{self._model.__name__} has no field {name!r}")


def partial(model: type[BaseModel], params: Mapping[str, Any], action: str) -> Any:
    """Return `params` as far as they are given: the model itself where they are complete.

    Raises:
        ParamsError: A given value is not valid.
    """
    from pydantic import ValidationError  # noqa: PLC0415 - only where a model is used

    unknown = unknown_fields(model, params)
    try:
        made = model.model_validate(dict(params))
    except ValidationError as error:
        wrong = [
            entry
            for entry, raw in zip(readable(error, secrets_of(model)), error.errors(), strict=True)
            if raw["type"] != "missing"
        ]
        if wrong or unknown:
            raise ParamsError(action, [*unknown, *wrong]) from None
        return PartialParams(model, params, action)
    if unknown:
        raise ParamsError(action, unknown)
    return made
