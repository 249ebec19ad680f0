"""The params that were given on the command line, in a file, and in variables."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import click
from click.core import ParameterSource

from handrail.cli.kinds import from_json, from_text
from handrail.cli.options import ParamOptions
from handrail.errors import ParamsError, ParamsNeededError
from handrail.fields import PathOf, touches


def params_from(
    context: click.Context,
    options: ParamOptions,
    *,
    file: str | None = None,
    pairs: Sequence[str] = (),
    defaults: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the params that were given: options, over `-p`, over the params file, over secrets.

    All of these go before `defaults`, those of the project.

    Raises:
        click.UsageError: A `-p` or the file cannot be read, or `-p` is given a secret.
    """
    params: dict[str, Any] = {}
    _merge(params, defaults or {})
    _put_secrets(params, context, options, os.environ if environ is None else environ)
    if file is not None:
        _merge(params, _read_file(file))
    put_pairs(params, options, pairs)
    for identifier, path in options.paths.items():
        if context.get_parameter_source(identifier) is not ParameterSource.COMMANDLINE:
            continue
        value: object = context.params[identifier]
        if value == ():
            continue  # click 8.1 takes an argument that stands for nothing as given.
        kind = options.kinds[path]
        if isinstance(value, tuple):
            words = cast("tuple[str, ...]", value)
            _put(params, path, [from_text(kind, word) for word in words])
        else:
            _put(params, path, from_text(kind, value) if isinstance(value, str) else value)
    return params


def put_pairs(params: dict[str, Any], options: ParamOptions, pairs: Sequence[str]) -> None:
    """Put what was given as `-p key=value` into `params`.

    Raises:
        click.UsageError: One cannot be read, or is a secret.
    """
    for pair in pairs:
        path, text = _split(pair)
        if touches(path, options.hidden):
            raise click.UsageError(_refused(path, options))
        _put(params, path, from_json(options.kinds.get(path), _parsed(text), text))


def _split(pair: str) -> tuple[PathOf, str]:
    name, equals, text = pair.partition("=")
    path = tuple(part.strip() for part in name.split("."))
    if not equals or not all(path):
        raise click.UsageError(f"-p takes key=value, not '{pair}'")
    return path, text


def _refused(path: PathOf, options: ParamOptions) -> str:
    name = ".".join(path)
    inside = next((each.path for each in options.secrets if len(each.path) > len(path)), None)
    if inside is not None and inside[: len(path)] == path:
        return f"'{name}' has a secret, {'.'.join(inside)}; set what else it has one by one"
    return f"'{name}' is a secret and is read from a variable, never from the command line"


def _put_secrets(
    params: dict[str, Any],
    context: click.Context,
    options: ParamOptions,
    environ: Mapping[str, str],
) -> None:
    for secret in options.secrets:
        variable = context.params.get(secret.option) or secret.variable
        if variable in environ:
            text = environ[variable]
            _put(params, secret.path, _parsed(text) if secret.as_json else text)
        elif context.params.get(secret.option):
            raise click.UsageError(f"the variable {variable} is not set")


def variables_of(context: click.Context, options: ParamOptions) -> dict[PathOf, str]:
    """Return the variable of each secret, by the way to it."""
    given = context.params
    return {each.path: given.get(each.option) or each.variable for each in options.secrets}


def _put(params: dict[str, Any], path: PathOf, value: Any) -> None:
    for name in path[:-1]:
        inner = params.get(name)
        if not isinstance(inner, dict):
            inner = params[name] = {}
        params = cast("dict[str, Any]", inner)
    params[path[-1]] = value


def _merge(params: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        mine = params.get(name)
        if isinstance(mine, dict) and isinstance(value, Mapping):
            _merge(cast("dict[str, Any]", mine), cast("Mapping[str, Any]", value))
        else:
            params[name] = value


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _read_file(name: str) -> dict[str, Any]:
    path = Path(name)
    try:
        text = path.read_text(encoding="utf-8")
        read = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except OSError as error:
        raise click.UsageError(f"--params {name}: {error.strerror or error}") from error
    except RecursionError:
        raise click.UsageError(f"--params {name} is nested too deeply") from None
    except (ValueError, UnicodeDecodeError) as error:
        kind = "JSON" if path.suffix.lower() == ".json" else "TOML"
        raise click.UsageError(f"--params {name} is not valid {kind}: {error}") from error
    if not isinstance(read, dict):
        raise click.UsageError(f"--params {name} holds {type(read).__name__}; it must be an object")
    return cast("dict[str, Any]", read)


def labelled(error: ParamsError, options: ParamOptions) -> ParamsError:
    """Return `error` with each field called what a person typed, or would have to type."""
    named: list[tuple[str, str]] = []
    for path, text in error.fields:
        parts = tuple(path.split("."))
        inside = [each for each in options.needed if each[: len(parts)] == parts]
        if text == "is required" and inside:
            named += [(options.labels[each], text) for each in inside]
            continue
        known = next(
            (parts[:end] for end in range(len(parts), 0, -1) if parts[:end] in options.labels), None
        )
        label = options.labels[known] if known else path
        rest = ".".join(parts[len(known) :]) if known else ""
        named.append((f"{label} [{rest}]" if rest else label, text))
    better = ParamsError(error.action, named, ways_out=error.ways_out)
    better.__cause__ = error.__cause__
    return better


def labelled_need(error: ParamsNeededError, options: ParamOptions) -> ParamsNeededError:
    """Return `error` with the way out that a person can type."""
    label = options.labels.get(error.path)
    if label is None:
        return error
    given = f"{label}=..." if label.startswith("-p ") else f"{label} ..."
    return ParamsNeededError(error.action, error.path, ways_out=(f"give it: {given}",))
