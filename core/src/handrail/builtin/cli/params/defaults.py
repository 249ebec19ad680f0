"""Params that the project sets for an action, and settings of packs from `-p PACK.KEY=VALUE`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from handrail.actions import lineage_of
from handrail.errors import ParamsError, Problem
from handrail.frozen import frozen
from handrail.packs.entry_points import settings_error
from handrail.params.partial import partial
from handrail.params.secrets import touches
from handrail.params.values import KeyPath, leaves, set_path
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel

    from handrail import BaseAction
    from handrail.builtin.cli.params.options import ParamOptions
    from handrail.builtin.cli.session import Session
    from handrail.builtin.project.changes import Changes


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
class Section:
    """The params that one section of the project sets.

    Attributes:
        changes: The section.
        model: The model of the params that it sets.
        action: The action of a chain that it sets them for; empty for those of the whole.
        name: Name of the action, for messages.
        values: The values, without those that come from other actions.
    """

    changes: Changes
    model: type[BaseModel] | None
    action: str
    name: str
    values: Mapping[str, Any]

    @property
    def prefix(self) -> KeyPath:
        """Where the params of its action are among all."""
        return (self.action,) if self.action else ()

    def invalid(self) -> Sequence[tuple[str, str]]:
        """Return path and message for each param that does not exist, or has a wrong value."""
        if not self.values:
            return ()
        if self.model is None:
            return [(name, f"{self.name} takes no params") for name in self.values]
        try:
            partial(self.model, self.values, self.name)
        except ParamsError as error:
            return error.fields
        return ()


@frozen
class Defaults:
    """The params that the project sets for an action.

    Attributes:
        values: The values; the action's own take precedence over those of its ancestors.
        sections: The sections that set them.
    """

    values: Mapping[str, Any]
    sections: Sequence[Section]

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
            _problem(section.changes, path, f": {text}")
            for section in self.sections
            for path, text in section.invalid()
        ]


def defaults_of(
    session: Session, action_class: type[BaseAction[Any]], options: ParamOptions
) -> Defaults:
    """Return the params that the project sets for an action, not checked but for secrets.

    Those for an action hold for it in a chain, too; those for the chain itself go before them.

    Raises:
        SettingsError: One of the params is a secret.
    """
    sections: list[Section] = []
    for action, (group, known) in options.groups.items():
        for changes in session.settings.changes(known.lineage):
            own = changes.params.items()
            given = {each: value for each, value in own if each not in known.wired}
            made = Section(
                changes=changes, model=group, action=action, name=known.lineage[0], values=given
            )
            sections.append(made)
    model = action_class.params_model
    for changes in session.settings.changes(lineage_of(action_class)):
        name, values = action_class.action_name, changes.params
        sections.append(Section(changes=changes, model=model, action="", name=name, values=values))
    together: dict[str, Any] = {}
    for section in sections:
        for path, value in leaves(section.values):
            set_path(together, (*section.prefix, *path), value)
    defaults = Defaults(values=together, sections=sections)
    secrets = [
        _problem(section.changes, name, " is a secret, and is read from a variable")
        for section in sections
        for name in section.values
        if touches((*section.prefix, name), options.hidden)
    ]
    if secrets:
        raise settings_error([*secrets, *defaults.problems()])
    return defaults


def _problem(changes: Changes, path: str, text: str) -> Problem:
    """Return a problem of the param at a dotted path; of all params if it is empty."""
    origin = changes.source_of("params", *path.split("."))
    shown = f"{changes.section}.{changes.name}.params{path and f'.{path}'}"
    return Problem(code="bad-setting", message=f"{origin.place}: {shown}{text}", origins=(origin,))
