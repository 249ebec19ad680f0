"""Params that the project sets for an action, and settings of packs from `-p PACK.KEY=VALUE`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from handrail.errors import ParamsError, Problem
from handrail.frozen import frozen
from handrail.params.partial import partial
from handrail.params.secrets import touches
from handrail.params.values import leaves, set_path, value_at
from handrail.settings.load import settings_error
from handrail.suggest import did_you_mean

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


@frozen
class Defaults:
    """The params that the project sets for an action.

    Attributes:
        values: The values; the action's own take precedence over those of its ancestors.
        action_class: The action.
        changes: The sections that set them.
    """

    values: Mapping[str, Any]
    action_class: type[BaseAction[Any]]
    changes: Sequence[Changes]

    def covered_by(self, params: Mapping[str, Any]) -> bool:
        """Return whether `params` has all of them, so that they are validated along with it."""
        missing = object()
        return self.action_class.params_model is not None and all(
            value_at(params, path, missing) == value
            for changes in self.changes
            for path, value in leaves(changes.params)
        )

    def check(self) -> None:
        """Check the defaults alone, without the params of the command line.

        Raises:
            SettingsError: A param does not exist, or has a value of the wrong type.
        """
        problems = self.problems()
        if problems:
            raise settings_error(problems)

    def problems(self) -> list[Problem]:
        """Return a problem for each param that does not exist, or has a value of the wrong type."""
        return [
            _problem(changes, path, f": {text}")
            for changes in self.changes
            for path, text in _invalid(changes.params, self.action_class)
        ]


def defaults_of(
    session: Session, action_class: type[BaseAction[Any]], options: ParamOptions
) -> Defaults:
    """Return the params that the project sets for an action, not checked but for secrets.

    Raises:
        SettingsError: One of the params is a secret.
    """
    settings = session.packs.settings
    sections = (settings.actions, settings.workflows)
    names = reversed(_lineage(action_class))
    changes = [section[name] for name in names for section in sections if name in section]
    values: dict[str, Any] = {}
    for each in changes:
        for path, value in leaves(each.params):
            set_path(values, path, value)
    defaults = Defaults(values=values, action_class=action_class, changes=changes)
    secrets = [
        _problem(each, name, " is a secret, and is read from a variable")
        for each in changes
        for name in each.params
        if touches((name,), options.hidden)
    ]
    if secrets:
        raise settings_error([*secrets, *defaults.problems()])
    return defaults


def _lineage(action_class: type[BaseAction[Any]]) -> tuple[str, ...]:
    names = (getattr(base, "action_name", "") for base in action_class.__mro__)
    return tuple(dict.fromkeys(name for name in names if name))


def _invalid(
    params: Mapping[str, Any], action_class: type[BaseAction[Any]]
) -> Sequence[tuple[str, str]]:
    model = action_class.params_model
    if not params:
        return ()
    if model is None:
        return [(name, f"{action_class.action_name} takes no params") for name in params]
    try:
        partial(model, params, action_class.action_name)
    except ParamsError as error:
        return error.fields
    return ()


def _problem(changes: Changes, path: str, text: str) -> Problem:
    """Return a problem of the param at a dotted path; of all params if it is empty."""
    origin = changes.source_of("params", *path.split("."))
    shown = f"{changes.section}.{changes.name}.params{path and f'.{path}'}"
    return Problem(code="bad-setting", message=f"{origin.place}: {shown}{text}", origins=(origin,))
