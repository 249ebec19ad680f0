"""The params of an action as a journal stores them, and back: secrets by their variable only."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from handrail.errors import ActionError, ParamsError, describe
from handrail.fields import PathOf, fields_of, is_secret, model_in, paths_of, secrets_of
from handrail.masks import HIDDEN, json_has_password, without_passwords
from handrail.orchestrator.journaled import RunAbout
from handrail.params import FromEnv

if TYPE_CHECKING:
    from pydantic import BaseModel

    from handrail.actions import BaseAction


_COMPACT = json.JSONEncoder(separators=(",", ":")).encode


def params_text(
    model: type[BaseModel] | None,
    params: Any,
    action: str,
    variables: Mapping[PathOf, str] | None = None,
) -> str:
    """Return params as JSON: `values`, and for each secret the variable that it is read from.

    Those whose variable holds JSON, such as lists of secrets, are in `json`. A param that has a URL
    with a password in it counts as a secret, and is in `hidden` without the password.

    Args:
        model: The params model, or None for an action without one.
        params: An instance of it, or the mapping of an action without one.
        action: Name of the action, for the variables of secrets.
        variables: Other variables, by the path of the secret.

    Raises:
        ActionError: They have no JSON form.
    """
    given = variables or {}
    secrets: dict[str, str] = {}
    hidden: dict[str, str] = {}
    as_json: list[str] = []
    values: dict[str, Any] = {}
    try:
        for path, value, variable in _all_entries(model, params, action):
            text = _COMPACT(value)
            with_password = variable is None and json_has_password(text)
            # What is empty holds no secret.
            if not with_password and (variable is None or value in ([], {})):
                _put(values, path, value)
            elif value is not None:
                secrets[".".join(path)] = given.get(path, variable or variable_of(action, path))
                as_json += [".".join(path)] if isinstance(value, list | dict) else []
            if with_password:
                shown = value if isinstance(value, str) else text
                hidden[".".join(path)] = without_passwords(shown)
        stored = {"values": values, "secrets": secrets, "json": as_json, "hidden": hidden}
        return _COMPACT(stored)
    except (TypeError, ValueError, RecursionError) as error:
        raise ActionError(
            f"the params of {action} cannot be stored in a journal: {describe(error)}",
            ways_out=("use types that have a JSON form, or run without a journal",),
        ) from error


def params_of(text: str, action: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the params that `params_text` made text of, with secrets from `environ`.

    Raises:
        ParamsError: The variable of a secret is not set, or does not hold JSON where it has to.
    """
    stored = json.loads(text)
    values: dict[str, Any] = stored["values"]
    hidden: dict[str, str] = stored.get("hidden", {})
    missing = [
        (path, f"{_not_stored(hidden.get(path))}; set {variable} as when the run began")
        for path, variable in stored["secrets"].items()
        if variable not in environ
    ]
    if missing:
        raise ParamsError(action, missing)
    for path, variable in stored["secrets"].items():
        text = environ[variable]
        read = _read(text, path, variable, action) if path in stored.get("json", ()) else text
        _put(values, tuple(path.split(".")), read)
    return values


def not_kept(text: str) -> list[tuple[str, str]]:
    """Return each param in which a password was hidden, and the variable that it is read from."""
    stored = json.loads(text)
    return [(path, stored["secrets"][path]) for path in stored["hidden"]]


def _not_stored(hidden: str | None) -> str:
    if hidden is None:
        return "is a secret, which is never stored"
    return f"was {hidden}, and a password is never stored"


def _read(text: str, path: str, variable: str, action: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        wrong = f"is read from {variable}, which has to hold JSON"
        raise ParamsError(action, [(path, wrong)]) from None


def variable_of(action: str, path: PathOf) -> str:
    """Return the variable that a secret param is read from unless another one is named."""
    words = "_".join(("HANDRAIL", action, *path)).upper()
    return re.sub("[^A-Z0-9]+", "_", words)


def _all_entries(
    model: type[BaseModel] | None, params: Any, action: str
) -> Iterator[tuple[PathOf, Any, str | None]]:
    """Yield the entries of params with and without a model."""
    if model is None:
        yield from (((str(name),), value, None) for name, value in dict(params).items())
        return
    dumped = params.model_dump(mode="json")
    set_here = params.model_dump(mode="json", exclude_unset=True)
    yield from _entries(model, dumped, set_here, action)


def _entries(
    model: type[BaseModel],
    values: Mapping[str, Any],
    set_here: Mapping[str, Any],
    action: str,
    prefix: PathOf = (),
) -> Iterator[tuple[PathOf, Any, str | None]]:
    """Yield the path, the value and the variable of each field; no variable if it is no secret.

    Of a secret that has its default, as it is not in `set_here`, the value is None.
    """
    for name, info in fields_of(model).items():
        path = (*prefix, *paths_of(model, name)[0])
        value = values.get(name)
        inner = model_in(info.annotation)
        if is_secret(info):
            markers = (each for each in info.metadata if isinstance(each, FromEnv))
            marker = next(markers, None)
            given = value if name in set_here else None
            yield path, given, variable_of(action, path) if marker is None else marker.variable
        elif inner is not None and isinstance(value, Mapping):
            nested = cast("Mapping[str, Any]", value)
            known = cast("Mapping[str, Any]", set_here.get(name) or {})
            yield from _entries(inner, nested, known, action, path)
        elif name in values:
            yield path, value, None


def _put(values: dict[str, Any], path: PathOf, value: Any) -> None:
    for part in path[:-1]:
        values = values.setdefault(part, {})
    values[path[-1]] = value


def about_action(
    action: type[BaseAction[Any]],
    params: Any,
    *,
    recorded_as: str | None = None,
    packs: str = "{}",
    variables: Mapping[PathOf, str] | None = None,
) -> RunAbout:
    """Return what a journal has to know of an action.

    Args:
        action: Its class.
        params: Its params.
        recorded_as: How a journal finds it again; its name unless given.
        packs: Which packs were chosen, as JSON.
        variables: Where secrets were read from, by their path, if not from the usual variables.

    Raises:
        ActionError: The params have no JSON form.
    """
    name, model = action.action_name, action.params_model
    secrets = frozenset[PathOf]() if model is None else secrets_of(model)
    text = params_text(model, params, name, variables)
    hidden = [tuple(path.split(".")) for path in json.loads(text)["hidden"]]
    first = {path[0] for path in (*secrets, *hidden)}
    return RunAbout(
        action=recorded_as or name,
        params=text,
        packs=packs,
        mask=mask_of(() if model is None else secret_texts(model, params)),
        secrets=frozenset(first | _fields_at(model, first)),
    )


def _fields_at(model: type[BaseModel] | None, first: set[str]) -> set[str]:
    """Return the names of the fields whose values are given under one of these."""
    if model is None:
        return set()
    ways = {name: paths_of(model, name) for name in fields_of(model)}
    return {name for name, paths in ways.items() if any(path[0] in first for path in paths)}


def mask_of(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return what takes `secrets`, and the passwords of URLs, out of a text.

    Secrets are found as they are and as JSON has them.
    """
    known = {each for each in secrets if each}
    # The longest first: one may be part of another.
    forms = sorted(known | {json.dumps(each)[1:-1] for each in known}, key=len, reverse=True)
    if not forms:
        return without_passwords
    pattern = re.compile("|".join(map(re.escape, forms)))
    return lambda told: without_passwords(pattern.sub(HIDDEN, told))


def secret_texts(model: type[BaseModel], params: Any) -> Iterator[str]:
    """Yield each text that is secret among `params`, an instance of `model`, or in models in it."""
    for name, info in fields_of(model).items():
        value = getattr(params, name, None)
        inner = model_in(info.annotation)
        if is_secret(info):
            yield from _revealed(value)
        elif inner is not None and value is not None:
            yield from secret_texts(inner, value)


def _revealed(value: Any) -> Iterator[str]:
    reveal = getattr(value, "get_secret_value", None)
    if reveal is not None:
        yield from _revealed(reveal())
    elif isinstance(value, bytes):
        yield value.decode(errors="surrogateescape")
    elif isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _revealed(list(cast("Mapping[Any, Any]", cast("object", value)).values()))
    elif isinstance(value, list | tuple | set | frozenset):
        for each in cast("list[Any]", value):
            yield from _revealed(each)
    elif hasattr(value, "__dict__"):
        yield from _revealed(vars(value))
