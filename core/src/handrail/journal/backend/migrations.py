"""Migrates the tables of an older journal to the current version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from handrail.errors import JournalError

if TYPE_CHECKING:
    from handrail.journal.backend.connection import Connection

Migrations = Sequence[Sequence[str]]
"""The statements that migrate each version to the next; they only add."""


def migrate(
    migrations: Migrations,
    *,
    version: Callable[[], int],
    alone: Callable[[], AbstractContextManager[Connection]],
    stamp: str,
) -> None:
    """Create or migrate the tables, in one commit.

    Args:
        migrations: The migrations, from the first version on.
        version: Returns the version of the tables, 0 if there are none; raises for newer ones.
        alone: Returns a transaction that excludes migrations by other processes.
        stamp: The statement that writes the version; `{}` stands for the number.
    """
    known = len(migrations)
    if version() == known:
        return
    with alone() as connection:
        # Read again: another process may have migrated them meanwhile.
        for statements in migrations[version() :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(stamp.format(known))


def refuse_newer(shown: str, version: int, known: int, *, by: str, ways_out: Sequence[str]) -> None:
    """Check that the tables are not newer than this version of Handrail.

    Raises:
        JournalError: `version` is greater than `known`.
    """
    if version > known:
        raise JournalError(
            f"{shown} was written by a newer {by}: it has format {version}, "
            f"and this one knows {known}",
            ways_out=tuple(ways_out),
        )
