"""What the settings and `-p PACK.KEY=VALUE` bring to a call, beside the params on its line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from handrail.errors import ParamsError, Problem
from handrail.params.partial import partial
from handrail.params.secrets import touches
from handrail.params.values import set_path
from handrail.settings.load import settings_error
from handrail.settings.policy import leaves

if TYPE_CHECKING:
    from handrail.actions import BaseAction
    from handrail.cli.params.options import ParamOptions
    from handrail.cli.session import Session
    from handrail.settings.changes import Changes


def take_pack_values(
    session: Session, pairs: Sequence[str], options: ParamOptions
) -> tuple[str, ...]:
    """Give the session the settings of packs among `pairs`; return the pairs that are params.

    Raises:
        click.UsageError: A pack that is named has no settings.
    """
    params = {path[0] for path in options.labels}
    catalog = session.packs.catalog
    values: list[tuple[str, str, str]] = []
    rest: list[str] = []
    for pair in pairs:
        key, equals, text = pair.partition("=")
        head, dot, tail = (part.strip() for part in key.partition("."))
        record = catalog.pack(head) if equals and dot and head not in params else None
        if record is None or record.is_local:
            rest.append(pair)
        elif not record.hooks:
            raise click.UsageError(f"-p {pair}: {record.origin} has no settings")
        else:
            values.append((record.id, tail, text))
    if values:
        session.set_pack_values(values)
    return tuple(rest)


def defaults_of(
    session: Session, action_class: type[BaseAction[Any]], options: ParamOptions
) -> dict[str, Any]:
    """Return the params that the project sets for an action, those of its own name last.

    Raises:
        SettingsError: A param does not exist, has a value of the wrong type, or is a secret.
    """
    settings = session.packs.settings
    lineage = _lineage(action_class)
    params: dict[str, Any] = {}
    problems: list[Problem] = []
    for name in reversed(lineage):
        for section in (settings.actions, settings.workflows):
            if name in section:
                problems += _mistakes(section[name], action_class, options)
                for path, value in leaves(section[name].params):
                    set_path(params, path, value)
    if problems:
        raise settings_error(problems)
    return params


def _lineage(action_class: type[BaseAction[Any]]) -> tuple[str, ...]:
    names = (getattr(base, "action_name", "") for base in action_class.__mro__)
    return tuple(dict.fromkeys(name for name in names if name))


def _mistakes(
    changes: Changes, action_class: type[BaseAction[Any]], options: ParamOptions
) -> Iterable[Problem]:
    shown = f"{changes.section}.{changes.name}.params"
    for name in changes.params:
        if touches((name,), options.hidden):
            message = f"{shown}.{name} is a secret, and is read from a variable"
            yield _problem(changes, (name,), message)
    for path, text in _invalid(changes.params, action_class):
        where = f"{shown}.{path}" if path else shown
        yield _problem(changes, tuple(path.split(".")), f"{where}: {text}")


def _invalid(
    params: Mapping[str, Any], action_class: type[BaseAction[Any]]
) -> Sequence[tuple[str, str]]:
    model = action_class.params_model
    if model is None or not params:
        return ()
    try:
        partial(model, params, action_class.action_name)
    except ParamsError as error:
        return error.fields
    return ()


def _problem(changes: Changes, path: tuple[str, ...], message: str) -> Problem:
    origin = changes.source_of("params", *path)
    return Problem(code="bad-setting", message=f"{origin.place}: {message}", origins=(origin,))
