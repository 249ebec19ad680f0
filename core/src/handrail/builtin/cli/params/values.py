"""Collects the params given on the command line, in a file, and in variables."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import click
from click.core import ParameterSource

from handrail.builtin.cli.params.options import ParamOptions, items_of, named_items_of
from handrail.builtin.project.toml import MOST_NESTED, TomlError, is_deep, parse_toml
from handrail.errors import ParamsError, ParamsNeededError
from handrail.params import KeyPath, from_json, from_text, kind_at, merge, set_path, touches
from handrail.redact import KNOWN
from handrail.trust import read_file


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
        click.UsageError: A `-p` or the file cannot be read, `-p` is given a secret, or the action
            takes no params.
    """
    params: dict[str, Any] = {}
    merge(params, defaults or {})
    _put_secrets(params, context, options, os.environ if environ is None else environ)
    if file is not None:
        read = _read_file(file)
        _refuse_all(options, read, f"--params {file}")
        merge(params, read)
    put_pairs(params, options, pairs)
    for identifier, path in options.paths.items():
        if context.get_parameter_source(identifier) is not ParameterSource.COMMANDLINE:
            continue
        value: object = context.params[identifier]
        if value == ():
            continue  # click 8.1 reports a missing argument as given.
        kind = kind_at(options.model, path)
        by_name = named_items_of(kind)
        if isinstance(value, tuple) and by_name is not None:
            for name, text in _named(cast("tuple[str, ...]", value), options.labels[path]).items():
                set_path(params, (*path, name), from_text(by_name, text))
            continue
        if isinstance(value, tuple):
            item = items_of(kind)[1]
            value = [from_text(item, word) for word in cast("tuple[str, ...]", value)]
        elif isinstance(value, str):
            value = from_text(kind, value)
        set_path(params, path, value)
    return params


def _named(words: Iterable[str], option: str) -> dict[str, str]:
    """Return the values of `NAME=VALUE` by name.

    Raises:
        click.UsageError: A word has another form, or a name is given twice.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not (name and equals):
            raise click.UsageError(f"{option} takes NAME=VALUE, not '{word}'")
        if name in found:
            raise click.UsageError(f"{option} gives {name} twice")
        found[name] = text
    return found


def put_pairs(params: dict[str, Any], options: ParamOptions, pairs: Sequence[str]) -> None:
    """Set the values given as `-p key=value` in `params`.

    Raises:
        click.UsageError: A pair is malformed, or sets a secret; or the action takes no params.
    """
    for pair in pairs:
        path, text = _split(pair)
        _refuse_all(options, path[:1], "-p")
        if touches(path, options.hidden):
            raise click.UsageError(_refused(path, options))
        set_path(params, path, from_json(kind_at(options.model, path), text))


def _refuse_all(options: ParamOptions, names: Iterable[str], given: str) -> None:
    """Refuse every name for an action without a model, whose steps could not read the value."""
    for name in names if options.model is None else ():
        raise click.UsageError(f"{given}: there is no param '{name}': the action takes none")


def _split(pair: str) -> tuple[KeyPath, str]:
    name, equals, text = pair.partition("=")
    path = tuple(part.strip() for part in name.split("."))
    if not equals or not all(path):
        raise click.UsageError(f"-p takes key=value, not '{pair}'")
    return path, text


def _refused(path: KeyPath, options: ParamOptions) -> str:
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
            KNOWN.learn([environ[variable]])
            value = from_text(kind_at(options.model, secret.path), environ[variable])
            set_path(params, secret.path, value)
        elif context.params.get(secret.option):
            raise click.UsageError(f"the variable {variable} is not set")


def variables_of(context: click.Context, options: ParamOptions) -> dict[KeyPath, str]:
    """Return the variable of each secret, by the way to it."""
    given = context.params
    return {each.path: given.get(each.option) or each.variable for each in options.secrets}


def _read_file(name: str) -> dict[str, Any]:
    try:
        raw, _ = read_file(name)
        read: object = parse_toml(raw) if not name.lower().endswith(".json") else _json(raw)
    except OSError as error:
        raise click.UsageError(f"--params {name}: {error.strerror or error}") from error
    except TomlError as error:
        line = f":{error.line}" if error.line else ""
        raise click.UsageError(f"--params {name}{line}: {error}") from error
    except ValueError as error:
        raise click.UsageError(f"--params {name} is not valid JSON: {error}") from error
    if not isinstance(read, dict):
        raise click.UsageError(f"--params {name} holds {type(read).__name__}; it must be an object")
    return cast("dict[str, Any]", read)


def labelled(error: ParamsError, options: ParamOptions) -> ParamsError:
    """Return `error` with each field named as on the command line."""
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


def _json(raw: bytes) -> object:
    try:
        read: object = json.loads(raw)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if is_deep(read):
        raise ValueError(f"it is nested too deeply: at most {MOST_NESTED} levels")
    return read
