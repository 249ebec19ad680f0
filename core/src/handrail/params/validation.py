"""Validates params, with one readable line for each problem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from inspect import getattr_static
from typing import TYPE_CHECKING, Annotated, Any, cast

from handrail.errors import ParamsError, ParamsNeededError, describe
from handrail.params.model import (
    ActionParams,
    KeyPath,
    fields_of,
    given_secrets,
    marker_of,
    model_at,
    model_in,
    paths_of,
    secret_texts,
    secrets_of,
    texts_in,
    touches,
    value_at,
)
from handrail.redact import KNOWN, Mask, named_secrets, without_secrets
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic.fields import FieldInfo

_LONGEST = 80  # Characters of a value that are shown.
# pydantic's messages for these explain its internals, not the expected value.
_CLEARER = {
    "byte_size": "is not a size, such as 500kB or 20MiB",
    "byte_size_unit": "is not a size, such as 500kB or 20MiB",
}


def validated(model: type[BaseModel], params: object, action: str, *, partly: bool = False) -> Any:
    """Return `params`, a model or a mapping, as an instance of `model`.

    Args:
        model: The model.
        params: The params.
        action: Name of the action, for messages.
        partly: Whether some may be missing: PartialParams are returned then.

    Raises:
        ParamsError: Something is missing, unknown or of the wrong type; it lists every field.
    """
    from pydantic import BaseModel, ValidationError  # noqa: PLC0415 - only where a model is used

    if isinstance(params, model):
        KNOWN.learn(secret_texts(model, params))
        return params
    if isinstance(params, BaseModel) or not isinstance(params, Mapping | None):
        expected = f"expected {model.__name__} or a mapping, not {type(params).__name__}"
        raise ParamsError(action, [("", expected)])
    values = dict(cast("Mapping[str, Any]", params or {}))
    KNOWN.learn(given_secrets(model, values))
    lines = unknown_fields(model, values)
    wrong = list(lines)  # Without what is only missing.
    cause: Exception | None = None
    try:
        made = model.model_validate(values)
    except ValidationError as error:
        cause, problems = error, readable(error, model)
        lines += [line for line, _ in problems]
        wrong += [line for line, is_missing in problems if not is_missing]
    except Exception as error:  # noqa: BLE001 - validators and defaults of the model
        cause = error
        lines.append(raised(error, model, values))
    else:
        if not lines:
            KNOWN.learn(secret_texts(model, made))
            return made
    if partly and not wrong:
        known = PartialParams(model, values, action)
        # A validator may have raised something of its own because a value is missing.
        if isinstance(cause, ValidationError) or not known.is_complete:
            return known
    # The text of the cause contains the given values, and may cut them short.
    has_secrets = bool(secrets_of(model)) or without_secrets("", values) != values
    shown = wrong if partly and wrong else lines
    raise ParamsError(action, shown) from (None if has_secrets else cause)


def unchecked(model: type[BaseModel], values: Mapping[str, Any]) -> BaseModel:
    """Return formerly valid params as an instance of `model`, without validation.

    Each value is converted to the type of its field if possible; a file need not exist.
    """
    KNOWN.learn(given_secrets(model, values))
    fields = _given_fields(model, values)
    return model.model_construct(**{name: _typed(info, value) for name, info, _, value in fields})


def _given_fields(
    model: type[BaseModel], values: Mapping[str, Any]
) -> Iterator[tuple[str, FieldInfo, KeyPath, Any]]:
    """Yield the name of each field, the field, and path and value wherever there is one for it.

    The value at the preferred place comes last.
    """
    for name, info in fields_of(model).items():
        for path in reversed(paths_of(model, name)):
            value = value_at(values, path, info)  # Which is no value, and has none in it.
            if value is not info:
                yield name, info, path, value


def _typed(info: FieldInfo, value: Any) -> Any:
    for markers in (info.metadata, []):
        with suppress(Exception):  # Third-party types and validators.
            return _converted(info.annotation, markers, value)
    inner = model_in(info.annotation)
    if inner is not None and isinstance(value, Mapping):
        return unchecked(inner, cast("Mapping[str, Any]", value))
    return value


def _converted(kind: Any, markers: Sequence[Any], value: Any) -> Any:
    """Return a value as a type reads it that has these markers."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - only where a model is used

    kind = Annotated[(kind, *markers)] if markers else kind
    return cast("Any", TypeAdapter(kind)).validate_python(value)


def as_dict(params: object, action: str) -> dict[str, Any]:
    """Return the params of an action that has no model.

    Raises:
        ParamsError: The params are not a mapping.
    """
    if params is None or isinstance(params, Mapping):
        values = dict(cast("Mapping[str, Any]", params or {}))
        KNOWN.learn(named_secrets("", values))
        return values
    raise ParamsError(action, [("", f"expected a mapping, not {type(params).__name__}")])


def readable(error: ValidationError, model: type[BaseModel]) -> list[tuple[tuple[str, str], bool]]:
    """Return a `(field path, message)` for each problem in `error`, and whether it is missing.

    Values are shown, except for secrets and values that contain them.
    """
    secrets = secrets_of(model)
    lines: list[tuple[tuple[str, str], bool]] = []
    for each in error.errors(include_url=False, include_context=False):
        path = ".".join(str(part) for part in each["loc"])
        if each["type"] == "missing":
            text = "is required" if each["msg"] == "Field required" else each["msg"]
            lines.append(((path, text), True))
            continue
        if each["type"] == "extra_forbidden":
            lines.append(((path, unknown_message(model, each["loc"])), False))
            continue
        place = tuple(part for part in each["loc"] if isinstance(part, str))
        given = cast("object", each.get("input"))
        text = _CLEARER.get(each["type"]) or each["msg"]
        text = text.removeprefix("Value error, ").removeprefix("Assertion failed, ")
        if place and touches(place, secrets):
            below = frozenset(path[len(place) :] for path in secrets if path[: len(place)] == place)
            text = _redacted(text, given, below or frozenset({()}))
        else:
            name = next(reversed(place), "")
            text = _redacted(text, {name: given}, frozenset({(name, *each) for each in secrets}))
            text += _given(without_secrets(name, given))
        lines.append(((path, text), False))
    return lines


def raised(error: Exception, model: type[BaseModel], values: object) -> tuple[str, str]:
    """Return the line for a validator, or a default, that raised something of its own."""
    text = _redacted(describe(error), values, secrets_of(model)).partition("\n")[0]
    return "", f"{model.__name__} raised {type(error).__name__}: {text}"


def _given(value: object) -> str:
    if value is None or isinstance(value, Mapping):
        return ""
    text = repr(value)
    return f" (given: {text if len(text) <= _LONGEST else f'{text[:_LONGEST]}…'})"


def _redacted(text: str, given: object, secrets: frozenset[KeyPath]) -> str:
    """Return `text` without the secrets among the given values."""
    # A value in place of a mapping with secrets counts as a secret too.
    found = [each for path in secrets for each in texts_in(value_at(given, path))]
    return Mask([*found, *named_secrets("", given)])(text)


def unknown_fields(
    model: type[BaseModel], values: Mapping[str, Any], prefix: str = ""
) -> list[tuple[str, str]]:
    """Return `(path, message)` for each value without a field, in nested models too.

    A model that configures extra values itself, to forbid, allow or ignore them, is left alone.
    """
    fields = fields_of(model)
    known = {path[0]: name for name in fields for path in reversed(paths_of(model, name))}
    found: list[tuple[str, str]] = []
    for key, value in values.items():
        if key in known:
            info = fields[known[key]]
            inner = model_in(info.annotation)
            if inner is not None and isinstance(value, Mapping):
                nested = cast("Mapping[str, Any]", value)
                found += unknown_fields(inner, nested, f"{prefix}{key}.")
        elif model.model_config.get("extra") is None:
            found.append((f"{prefix}{key}", _unknown(model, str(key), known)))
    return found


def unknown_message(model: type[BaseModel], path: Sequence[int | str]) -> str:
    """Return the message for a value at `path` that `model`, or a model in it, forbids."""
    inner = model_at(model, tuple(map(str, path[:-1])))
    if inner is None:
        return "unknown param"
    known = {each[0]: name for name in fields_of(inner) for each in reversed(paths_of(inner, name))}
    return _unknown(inner, str(path[-1]), known)


def _unknown(model: type[BaseModel], key: str, known: Mapping[str, str]) -> str:
    if key in model.model_fields:
        return f"unknown param; this one is called {'.'.join(paths_of(model, key)[0])}"
    # The params of an action may be those of others, a group for each.
    inside = [
        f"{name}.{key}"
        for name, info in fields_of(model).items()
        if marker_of(info, ActionParams) is not None
        and (inner := model_in(info.annotation)) is not None
        and key in fields_of(inner)
    ]
    hint = f"did you mean {' or '.join(inside)}?" if inside else did_you_mean(key, known)
    return " ".join(filter(None, ("unknown param;", hint))).rstrip(";")


class PartialParams:
    """A proxy for params of which some are unknown, while a plan is made.

    Known values and defaults read as usual, and so do properties and methods that the model
    defines; reading a missing value raises ParamsNeededError.
    """

    def __init__(
        self, model: type[BaseModel], values: Mapping[str, Any], action: str, at: KeyPath = ()
    ) -> None:
        self.__dict__.update(_model=model, _action=action, _at=at)
        for name, info, path, value in _given_fields(model, values):
            self.__dict__[name] = _known(info, value, action, (*at, *path))

    @property
    def is_complete(self) -> bool:
        """Whether every required field is known."""
        return not any(map(self._lacks, self._model.model_fields))

    def __getattr__(self, name: str) -> Any:
        model: type[BaseModel] = self._model
        info = model.model_fields.get(name)
        if info is not None and not info.is_required():
            value = self.__dict__[name] = _default(info, self.__dict__)
            return value
        if info is not None:
            raise self._needed((*self._at, *paths_of(model, name)[0]))
        own = getattr_static(model, name, None)
        if own is None:
            raise AttributeError(f"{model.__name__} has no field {name!r}")
        if hasattr(own, "__get__") and _is_own(model, name):
            return own.__get__(self, model)
        first = next(each for each in model.model_fields if self._lacks(each))
        raise self._needed((*self._at, *paths_of(model, first)[0]))

    def _lacks(self, name: str) -> bool:
        return name not in self.__dict__ and bool(self._model.model_fields[name].is_required())

    def _needed(self, path: KeyPath) -> ParamsNeededError:
        return ParamsNeededError(self._action, path)


def _known(info: FieldInfo, value: Any, action: str, at: KeyPath) -> Any:
    """Return a given value converted by its field, without the validators of the model."""
    from pydantic import ValidationError  # noqa: PLC0415 - only where a model is used

    try:
        return _converted(info.annotation, info.metadata, value)
    except ValidationError as error:
        inner = model_in(info.annotation)
        if inner is not None and isinstance(value, Mapping):
            return PartialParams(inner, cast("Mapping[str, Any]", value), action, at)
        # The values may be secret.
        text = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise ParamsError(action, [(".".join(at), text)]) from None
    except Exception:  # noqa: BLE001 - types that only the whole model can read
        return value


def _default(info: FieldInfo, known: dict[str, Any]) -> Any:
    # Not `get_default` for factories: in some versions of pydantic it needs validated data for any.
    factory: Any = info.default_factory
    if factory is None:
        return info.get_default()
    if getattr(info, "default_factory_takes_validated_data", False):
        return factory({name: value for name, value in known.items() if name[0] != "_"})
    return factory()


def _is_own(model: type[BaseModel], name: str) -> bool:
    """Return whether the model of the action defines `name`, rather than pydantic."""
    owner = next(part for part in model.__mro__ if name in part.__dict__)
    return not owner.__module__.startswith("pydantic.")
