"""Validates params, with one readable line for each problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, cast

from handrail.errors import ParamsError, describe
from handrail.params.markers import ActionParams
from handrail.params.model import fields_of, marker_of, model_in, paths_of
from handrail.params.secrets import given_secrets, secret_texts, secrets_of, texts_in, touches
from handrail.params.values import KeyPath, value_at
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


def validated(model: type[BaseModel], params: object, action: str) -> BaseModel:
    """Return `params`, a model or a mapping, as an instance of `model`.

    Raises:
        ParamsError: Something is missing, unknown or of the wrong type; it lists every field.
    """
    from pydantic import BaseModel, ValidationError  # noqa: PLC0415 - only where a model is used

    if isinstance(params, model):
        KNOWN.learn(secret_texts(model, params))
        return params
    if params is None:
        params = {}
    if isinstance(params, BaseModel) or not isinstance(params, Mapping):
        raise ParamsError(
            action,
            [("", f"expected {model.__name__} or a mapping, not {type(params).__name__}")],
        )
    values = dict(cast("Mapping[str, Any]", params))
    KNOWN.learn(given_secrets(model, values))
    unknown = unknown_fields(model, values)
    has_secrets = bool(secrets_of(model)) or without_secrets("", values) != values
    try:
        made = model.model_validate(values)
    except ValidationError as error:
        # Its text contains the given values, and may cut them short.
        shown = None if has_secrets else error
        raise ParamsError(action, [*unknown, *readable(error, model)]) from shown
    except Exception as error:  # noqa: BLE001 - validators and defaults of the model
        cause = None if has_secrets else error
        raise ParamsError(action, [*unknown, raised(error, model, values)]) from cause
    if unknown:
        raise ParamsError(action, unknown)
    KNOWN.learn(secret_texts(model, made))
    return made


def unchecked(model: type[BaseModel], values: Mapping[str, Any]) -> BaseModel:
    """Return formerly valid params as an instance of `model`, without validation.

    Each value is converted to the type of its field if possible; a file need not exist.
    """
    KNOWN.learn(given_secrets(model, values))
    found: dict[str, Any] = {}
    for name, info in fields_of(model).items():
        for path in reversed(paths_of(model, name)):
            value = value_at(values, path, found)
            if value is not found:
                found[name] = _typed(info, value)
    return model.model_construct(**found)


def _typed(info: FieldInfo, value: Any) -> Any:
    from pydantic import TypeAdapter  # noqa: PLC0415 - only where a model is used

    inner = model_in(info.annotation)
    kinds: list[Any] = [info.annotation]
    if info.metadata:
        kinds.insert(0, Annotated[(info.annotation, *info.metadata)])
    for kind in kinds:
        try:
            return TypeAdapter(kind).validate_python(value)
        except Exception:  # noqa: BLE001 - third-party types and validators
            continue
    if inner is not None and isinstance(value, Mapping):
        return unchecked(inner, cast("Mapping[str, Any]", value))
    return value


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


def readable(error: ValidationError, model: type[BaseModel]) -> list[tuple[str, str]]:
    """Return a `(field path, message)` for each problem in `error`.

    Values are shown, except for secrets and values that contain them.
    """
    secrets = secrets_of(model)
    lines: list[tuple[str, str]] = []
    for each in error.errors(include_url=False, include_context=False):
        path = ".".join(str(part) for part in each["loc"])
        if each["type"] == "missing":
            lines.append((path, "is required" if each["msg"] == "Field required" else each["msg"]))
            continue
        if each["type"] == "extra_forbidden":
            lines.append((path, unknown_message(model, each["loc"])))
            continue
        place = tuple(part for part in each["loc"] if isinstance(part, str))
        given = cast("object", each.get("input"))
        text = _CLEARER.get(each["type"]) or each["msg"]
        text = text.removeprefix("Value error, ").removeprefix("Assertion failed, ")
        if place and touches(place, secrets):
            below = frozenset(path[len(place) :] for path in secrets if path[: len(place)] == place)
            lines.append((path, _redacted(text, given, below or frozenset({()}))))
        else:
            name = next(reversed(place), "")
            text = _redacted(text, {name: given}, frozenset({(name, *each) for each in secrets}))
            lines.append((path, f"{text}{_given(without_secrets(name, given))}"))
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
    inner: type[BaseModel] | None = model
    for part in path[:-1]:
        field = None if inner is None else fields_of(inner).get(str(part))
        inner = None if field is None else model_in(field.annotation)
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
