"""How the tables of an older journal become those of today."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from handrail.errors import JournalError

if TYPE_CHECKING:
    from handrail.journal.backend.connection import Connection

Migrations = Sequence[Sequence[str]]
"""The statements that lead from each version to the next one; they only add."""


def migrate(
    migrations: Migrations,
    *,
    version: Callable[[], int],
    alone: Callable[[], AbstractContextManager[Connection]],
    stamp: str,
) -> None:
    """Bring the tables up to those of today, in one commit.

    Args:
        migrations: From the first version on.
        version: Returns the version of the tables, 0 where there are none yet; refuses newer ones.
        alone: Returns a transaction in which no other process makes them.
        stamp: The statement that writes their version, in place of its `{}`.
    """
    known = len(migrations)
    if version() == known:
        return
    with alone() as connection:
        # Another process may have been faster.
        for statements in migrations[version() :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(stamp.format(known))


def refuse_newer(shown: str, version: int, known: int, *, by: str, ways_out: Sequence[str]) -> None:
    """Refuse tables of a later version.

    Raises:
        JournalError: `version` is more than the `known` one.
    """
    if version > known:
        raise JournalError(
            f"{shown} was written by a newer {by}: it has format {version}, "
            f"and this one knows {known}",
            ways_out=tuple(ways_out),
        )
