"""Options that packs add to commands of core: `run.over` is `--over` of `handrail run`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar

import click

from handrail.errors import HandrailError, PackError
from handrail.frozen import frozen, replace
from handrail.packs import OURS

if TYPE_CHECKING:
    from handrail import BaseAction
    from handrail.builtin.cli.session import Session
    from handrail.journal.records import RunRow

COMMANDS = ("resume", "rollback", "run", "show")
"""The commands to which packs may add options."""


@frozen
class Request:
    """What a call of a command asks for, as the options of packs receive it.

    Attributes:
        session: The call: its packs and its output.
        values: The value of each option, also of those that packs have added, by the name that
            click gives it.
        carry_out: Carries the request out, and returns the exit code. It is called once, with the
            request as the last option has returned it.
        taken_by: The option that has put its own `carry_out` there, if one has.
    """

    session: Session
    values: Mapping[str, Any]
    carry_out: Callable[[Any], int]
    taken_by: str = ""


R = TypeVar("R", bound=Request)


@frozen
class Option:
    """An option that a pack adds to a command of core.

    Its entry point in the group `handrail.options` is called after the command and the option:
    `run.over` for `handrail run --over`. The command is `run`, `show`, `resume` or `rollback`.

    Attributes:
        click_params: The option as click has it, and those that go with it.
        apply: Receives the request of each call of the command, whether these options are given or
            not, and returns what is to be carried out: the request itself, or one with other
            fields. It is a `RunRequest`, a `ShowRequest`, or for one run a `ResumeRequest` or a
            `RollbackRequest`.
        derive: For an option that gives a `RunRequest` a `Derivation`: returns the class of the
            derived action from that of the other one and a recorded run, which is resumed or
            rolled back.
    """

    click_params: Sequence[click.Option]
    apply: Callable[[Any], Any]
    derive: Callable[[type[BaseAction[Any]], RunRow], type[BaseAction[Any]]] | None = None


def with_options(command: click.Command, name: str, session: Session) -> click.Command:
    """Return a command of core with the options that packs add to it, by its entry point.

    In place of one that cannot be used there is a hidden one, which says why when it is given.
    """
    if name not in COMMANDS:
        return command
    taken = {text for each in command.params for text in each.opts}
    params: list[click.Parameter] = [*command.params]
    for entry, found in options_of(session, name).items():
        made = found.click_params if isinstance(found, Option) else (_refusing(entry, found),)
        own = {text for each in made for text in each.opts}
        if own & taken:
            there = f"{name} has {', '.join(sorted(own & taken))} already"
            session.options[name][entry] = HandrailError(there)
            session.console.note(f"warning: the option {entry} is left out: {there}")
            continue
        taken |= own
        params += made
    whole = copy(command)
    whole.params = params
    return whole


def options_of(session: Session, command: str) -> dict[str, Option | HandrailError]:
    """Return the options that packs add to a command, by entry point.

    In place of one that cannot be used there is the error that says why. None is imported twice.
    """
    if command not in session.options:
        of_command = [each for each in _names(session) if each.partition(".")[0] == command]
        session.options[command] = {name: _loaded(session, name) for name in of_command}
    return session.options[command]


def applied(request: R, command: str) -> R:
    """Return the request of a call of a command as the options of packs make it.

    Raises:
        click.UsageError: Two of them want to carry it out.
    """
    for entry, option in options_of(request.session, command).items():
        if isinstance(option, HandrailError):
            continue
        made: R = option.apply(request)
        if made.carry_out is not request.carry_out:
            name = entry.partition(".")[2]
            if request.taken_by:
                raise click.UsageError(f"--{request.taken_by} and --{name} do not go together")
            made = replace(made, taken_by=name)
        request = made
    return request


def _names(session: Session) -> dict[str, None]:
    """Return the entry points of options, and those of ours that are not installed."""
    try:
        catalog = session.packs.catalog
    except HandrailError:
        return {}  # The packs cannot be looked at.
    installed = {record.id for record in catalog.records}
    absent = (entry for entry, pack in OURS["options"].items() if pack not in installed)
    return dict.fromkeys((*(entry.name for _, entry in catalog.offers("options")), *absent))


def _loaded(session: Session, entry: str) -> Option | HandrailError:
    try:
        found = session.packs.catalog.load("options", entry)
    except HandrailError as error:
        return error
    if isinstance(found, Option):
        return found
    record, _ = session.packs.catalog.find("options", entry)
    return PackError(
        f"the option {entry} of {record.origin} is {found!r}",
        origin=record.origin,
        ways_out=(f"leave the pack out:  --no-pack {record.id}",),
    )


def _refusing(entry: str, error: HandrailError) -> click.Option:
    """Return an option that raises an error when it is given, with a value or without."""

    def refuse(context: click.Context, _param: click.Parameter, value: object) -> None:
        if value is not None and not context.resilient_parsing:
            raise error

    return click.Option(
        [f"--{entry.partition('.')[2]}"],
        hidden=True,
        expose_value=False,
        is_flag=False,
        flag_value="",
        callback=refuse,
    )
