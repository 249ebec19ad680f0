"""Completion in shells: names of packs, steps and runs, without importing a pack."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING

import click

from handrail.builtin.cli.session import session_of
from handrail.errors import HandrailError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


_MOST_RUNS = 50


def complete_packs(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the installed packs, each with its status."""
    records = session_of(ctx).packs.records
    return _items(((record.id, record.status) for record in records), incomplete)


def complete_steps(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the steps that an action had when it was locked or run last; else all offered ones."""
    from handrail.builtin.project.differences import known_steps  # noqa: PLC0415 - only for completion

    session = session_of(ctx)
    known = known_steps(session.settings.project.folder, ctx.info_name or "")
    offers = () if known else session.packs.catalog.offers("steps")
    named = [(entry.name, record.id) for record, entry in offers]
    return _items(known.items() if known else named, incomplete)


class RunType(click.types.StringParamType):
    """The type of an argument or an option that takes a run; shells complete its number.

    The value stays the text that was given: a number, or what else the command takes.

    Args:
        action: The action of the runs that are completed; those of all actions unless given.
    """

    name = "run"

    def __init__(self, action: str | None = None) -> None:
        self.action = action

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the numbers of the latest runs, each with its action and its state."""
        from handrail.builtin.cli.journals import session_journal  # noqa: PLC0415 - steps have no journal
        from handrail.records import status_of  # noqa: PLC0415 - the same

        try:
            with closing(session_journal(session_of(ctx), ctx.params.get("journal"))) as journal:
                rows = journal.runs(limit=_MOST_RUNS, action=self.action)
                statuses = [status_of(journal, row) for row in rows]
        except HandrailError:
            return []  # There is no journal yet, or it cannot be read.
        named = ((str(each.row.number), f"{each.row.action} · {each.state}") for each in statuses)
        return _items(named, incomplete)


def _items(named: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - only for completion

    return [
        CompletionItem(name, help=about) for name, about in named if name.startswith(incomplete)
    ]
