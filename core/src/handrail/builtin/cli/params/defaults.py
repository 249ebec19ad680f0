"""Params that the project sets for an action, and settings of packs from `-p PACK.KEY=VALUE`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from handrail.builtin.project.toml import leaves
from handrail.derived import lineage_of
from handrail.errors import ParamsError, Problem
from handrail.packs import settings_error
from handrail.params import KeyPath, set_path, touches, validated
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel

    from handrail import BaseAction
    from handrail.builtin.cli.params.options import ParamOptions
    from handrail.builtin.cli.session import Session
    from handrail.builtin.project.settings import Changes


def take_pack_values(
    session: Session, pairs: Sequence[str], options: ParamOptions
) -> tuple[str, ...]:
    """Give the session the settings of packs among `pairs`; return the pairs that are params.

    Raises:
        click.UsageError: A pack that is named has no settings; or neither a pack nor a param has
            the name, and that of a pack is near.
    """
    params = {path[0] for path in options.labels}
    catalog = session.packs.catalog
    values: list[tuple[str, str, str]] = []
    rest: list[str] = []
    for pair in pairs:
        key, equals, text = pair.partition("=")
        head, dot, tail = (part.strip() for part in key.partition("."))
        record = catalog.pack(head) if equals and dot else None
        if head in params:
            if record is not None and record.hooks and not record.is_local:
                raise _ambiguous(key.strip(), head, tail, record.id)
            record = None
        if record is None or record.is_local:
            packs = [each.id for each in catalog.records if each.hooks]
            hint = did_you_mean(head, packs) if dot and head not in params else ""
            if hint:
                raise click.UsageError(f"-p {key}: no pack and no param is called {head}; {hint}")
            rest.append(pair)
        elif not record.hooks:
            raise click.UsageError(f"-p {pair}: {record.origin} has no settings")
        else:
            values.append((record.id, tail, text))
    if values:
        session.set_pack_values(values)
    return tuple(rest)


def _ambiguous(key: str, head: str, tail: str, pack: str) -> click.UsageError:
    return click.UsageError(
        f"-p {key}: {head} is one of the params and the pack {pack} too; for the pack give "
        f"-p {pack}.{tail}=..., for the params [{head}] in a file and --params FILE"
    )


def defaults_of(
    session: Session, action_class: type[BaseAction[Any]], options: ParamOptions
) -> dict[str, Any]:
    """Return the params that the project sets for an action; its own go before its ancestors'.

    Those for an action hold for it in a chain, too; those for the chain itself go before them.

    Raises:
        SettingsError: A param does not exist, has a value of the wrong type, or is a secret.
    """
    settings, values, problems = session.settings, dict[str, Any](), list[Problem]()
    for action, (group, known) in options.groups.items():
        for changes in settings.changes(known.lineage):
            own = changes.params.items()
            given = {name: value for name, value in own if name not in known.wired}
            problems += _invalid(changes, group, known.lineage[0], given)
            problems += _put(values, (action,), changes, given, options)
    for changes in settings.changes(lineage_of(action_class)):
        name = action_class.action_name
        problems += _invalid(changes, action_class.params_model, name, changes.params)
        problems += _put(values, (), changes, changes.params, options)
    if problems:
        raise settings_error(problems)
    return values


def _put(
    values: dict[str, Any],
    prefix: KeyPath,
    changes: Changes,
    given: Mapping[str, Any],
    options: ParamOptions,
) -> Iterator[Problem]:
    """Set the params of a section; yield a problem for each that is a secret."""
    for path, value in leaves(given):
        set_path(values, (*prefix, *path), value)
    for name in given:
        if touches((*prefix, name), options.hidden):
            yield _problem(changes, name, " is a secret, and is read from a variable")


def _invalid(
    changes: Changes, model: type[BaseModel] | None, action: str, given: Mapping[str, Any]
) -> list[Problem]:
    """Return a problem for each param that does not exist, or has a value of the wrong type."""
    if not given:
        return []
    if model is None:
        return [_problem(changes, name, f": {action} takes no params") for name in given]
    try:
        validated(model, given, action, partly=True)
    except ParamsError as error:
        return [_problem(changes, path, f": {text}") for path, text in error.fields]
    return []


def _problem(changes: Changes, path: str, text: str) -> Problem:
    """Return a problem of the param at a dotted path; of all params if it is empty."""
    origin = changes.source_of("params", *path.split("."))
    shown = f"{changes.section}.{changes.name}.params{path and f'.{path}'}"
    return Problem(code="bad-setting", message=f"{origin.place}: {shown}{text}", origins=(origin,))
