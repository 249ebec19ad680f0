"""The params of an action as a journal stores them, and back: secrets by their variable only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from handrail.errors import ActionError, ParamsError, describe
from handrail.params.conversion import from_text
from handrail.params.model import (
    KeyPath,
    fields_of,
    kind_at,
    model_in,
    paths_of,
    secret_fields,
    secrets_of,
    set_path,
    variable_of,
)
from handrail.redact import mask_values, without_secrets

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

_COMPACT = json.JSONEncoder(separators=(",", ":")).encode


def params_text(
    model: type[BaseModel] | None,
    params: Any,
    action: str,
    variables: Mapping[KeyPath, str] | None = None,
    mask: Callable[[str], str] = str,
) -> str:
    """Return params as JSON: `values`, and for each secret the variable that it is read from.

    Secrets whose variable contains JSON, such as lists, are in `json`. A param that contains a URL
    with a password or a secret, or that is called like a secret, counts as one, and is in `hidden`
    without it. The paths of the others that differ from their defaults are in `changed`.

    Args:
        model: The params model, or None for an action without one.
        params: An instance of it, or the mapping of an action without one.
        action: Name of the action, for the variables of secrets.
        variables: Other variables, by the path of the secret.
        mask: Removes known secrets from a text.

    Raises:
        ActionError: The params have no JSON form.
    """
    given = variables or {}
    secrets: dict[str, str] = {}
    hidden: dict[str, str] = {}
    as_json: list[str] = []
    values: dict[str, Any] = {}
    changed: list[KeyPath] = []
    try:
        for path, _, value, variable, is_set, differs in _all_entries(model, params, action):
            # A default is in the code, for everyone to read.
            shown = without_secrets(path[-1] if is_set else "", json.loads(_COMPACT(value)))
            shown = mask_values(shown, mask) if is_set else shown
            with_password = variable is None and shown != value
            # Empty values contain no secret.
            if not with_password and (variable is None or value in ([], {}, "")):
                set_path(values, path, value)
                changed += [path] if differs else []
            elif value is not None:
                secrets[".".join(path)] = given.get(path, variable or variable_of(action, path))
                as_json += [".".join(path)] if isinstance(value, list | dict) else []
            if with_password:
                hidden[".".join(path)] = shown if isinstance(shown, str) else _COMPACT(shown)
        return _COMPACT(
            {
                "values": values,
                "secrets": secrets,
                "json": as_json,
                "hidden": hidden,
                "changed": changed,
            }
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise ActionError(
            f"the params of {action} cannot be stored in a journal: {describe(error)}",
            ways_out=("use types that have a JSON form, or run without a journal",),
        ) from error


def params_of(
    text: str,
    action: str,
    environ: Mapping[str, str],
    model: type[BaseModel] | None = None,
) -> dict[str, Any]:
    """Return the params in a text of `params_text`, with secrets from `environ`.

    Args:
        text: The text.
        action: Name of the action, for messages.
        environ: The variables.
        model: The params model, for the types of secrets.

    Raises:
        ParamsError: The variable of a secret is empty or not set, or does not contain JSON as
            required.
    """
    stored = json.loads(text)
    values: dict[str, Any] = stored["values"]
    hidden: dict[str, str] = stored.get("hidden", {})
    missing = [
        (path, f"{_not_stored(hidden.get(path))}; {_asked_for(variable, environ)}")
        for path, variable in stored["secrets"].items()
        if not environ.get(variable)
    ]
    if missing:
        raise ParamsError(action, missing)
    for path, variable in stored["secrets"].items():
        keys = tuple(path.split("."))
        kind = kind_at(model, keys) or str
        is_json = path in stored.get("json", ())
        given = environ[variable]
        value = _read(given, path, variable, action) if is_json else from_text(kind, given)
        set_path(values, keys, value)
    return values


def secret_values(
    model: type[BaseModel] | None, params: Any, stored: Mapping[str, Any]
) -> dict[str, str]:
    """Return the texts of the secrets that `params_text` has left out, by their variables.

    With them as the environment, `params_of` returns the params in another process.

    Args:
        model: The params model, or None for an action without one.
        params: An instance of it, or the mapping of an action without one.
        stored: What `params_text` returned, decoded.
    """
    values = {".".join(each.path): each.given for each in _all_entries(model, params, "")}
    texts: dict[str, str] = {}
    for path, variable in stored["secrets"].items():
        value = _revealed(values[path])
        texts[variable] = json.dumps(value) if path in stored["json"] else str(value)
    return texts


def _revealed(value: Any) -> Any:
    """Return a value with its secrets, as far as JSON goes."""
    if hasattr(value, "get_secret_value"):
        return _revealed(value.get_secret_value())
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    if isinstance(value, Mapping):
        items = cast("Mapping[object, Any]", cast("object", value)).items()
        return {str(key): _revealed(each) for key, each in items}
    if isinstance(value, list | tuple | set | frozenset):
        return [_revealed(each) for each in cast("list[Any]", value)]
    if hasattr(value, "model_dump"):
        return {name: _revealed(each) for name, each in dict(value).items()}
    return value if value is None or isinstance(value, str | int | float) else str(value)


def not_kept(text: str) -> list[tuple[str, str]]:
    """Return each param in which a password was hidden, and the variable that it is read from."""
    stored = json.loads(text)
    return [(path, stored["secrets"][path]) for path in stored["hidden"]]


def fields_not_stored(model: type[BaseModel] | None, text: str) -> frozenset[str]:
    """Return the names of the params that `params_text` has left out of `text`.

    Includes both the names of their fields and their aliases.
    """
    secrets = frozenset[KeyPath]() if model is None else secrets_of(model)
    hidden = [tuple(path.split(".")) for path in json.loads(text)["hidden"]]
    first = {path[0] for path in (*secrets, *hidden)}
    ways = {} if model is None else {name: paths_of(model, name) for name in fields_of(model)}
    named = {name for name, paths in ways.items() if any(path[0] in first for path in paths)}
    return frozenset(first | named)


def _not_stored(hidden: str | None) -> str:
    if hidden is None:
        return "is a secret, which is never stored"
    return f"was {hidden}, and a password is never stored"


def _asked_for(variable: str, environ: Mapping[str, str]) -> str:
    empty = ", it is empty now" if variable in environ else ""
    return f"set {variable} as when the run began{empty}"


def _read(text: str, path: str, variable: str, action: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        wrong = f"is read from {variable}, which has to hold JSON"
        raise ParamsError(action, [(path, wrong)]) from None


class _Entry(NamedTuple):
    """A param as it is stored.

    Attributes:
        path: Where it is.
        given: Its value in Python.
        value: Its value in JSON; None for a secret that is the default.
        variable: The variable of a secret; None for other params.
        is_set: Whether it was given.
        differs: Whether it was given, and differs from its default.
    """

    path: KeyPath
    given: Any
    value: Any
    variable: str | None
    is_set: bool
    differs: bool


def _all_entries(model: type[BaseModel] | None, params: Any, action: str) -> Iterator[_Entry]:
    """Yield the entries of params with and without a model."""
    if model is not None:
        dumped = params.model_dump(mode="json")
        set_here = params.model_dump(mode="json", exclude_unset=True)
        yield from _entries(model, params, dumped, set_here, action)
        return
    for name, value in dict(params).items():
        yield _Entry((str(name),), value, value, None, is_set=True, differs=True)


def _entries(
    model: type[BaseModel],
    params: object,
    values: Mapping[str, Any],
    set_here: Mapping[str, Any],
    action: str,
    prefix: KeyPath = (),
) -> Iterator[_Entry]:
    """Yield the entry of each field of `params`."""
    secrets = secret_fields(model)
    for name, info in fields_of(model).items():
        path = (*prefix, *paths_of(model, name)[0])
        value, given = values.get(name), getattr(params, name, None)
        inner, is_set = model_in(info.annotation), name in set_here
        if name in secrets:
            variable = variable_of(action, path, info)
            stored = value if is_set else None
            yield _Entry(path, given, stored, variable, is_set, differs=False)
        elif inner is not None and isinstance(value, Mapping):
            nested = cast("Mapping[str, Any]", value)
            known = cast("Mapping[str, Any]", set_here.get(name) or {})
            yield from _entries(inner, given, nested, known, action, path)
        elif name in values:
            differs = is_set and _differs(info, given)
            yield _Entry(path, given, value, None, is_set, differs)


def _differs(info: FieldInfo, given: object) -> bool:
    """Return whether a field that was set has another value than its default."""
    if info.is_required() or info.default_factory is not None:
        return bool(given) or info.is_required()
    return bool(given != info.get_default())
