"""How the tables of an older journal become those of today."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from handrail.errors import JournalError

if TYPE_CHECKING:
    from handrail.journal.backend.connection import Connection

Migrations = Sequence[Sequence[str]]
"""The statements that lead from each version to the next one; they only add."""


class Tables(ABC):
    """The tables of a journal.

    Args:
        connection: The connection, outside of a transaction.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @abstractmethod
    def version(self, known: int) -> int:
        """Return their version, 0 where there are none yet.

        Raises:
            JournalError: It is more than the `known` one, or they are those of another program.
        """

    @abstractmethod
    def alone(self) -> AbstractContextManager[object]:
        """Return a transaction in which no other process makes them."""

    @abstractmethod
    def stamp(self, version: int) -> None:
        """Write their version."""

    def migrate(self, migrations: Migrations) -> None:
        """Bring them up to those of today, in one commit.

        Raises:
            JournalError: They are newer, or those of another program.
        """
        known = len(migrations)
        if self.version(known) == known:
            return
        with self.alone():
            # Another process may have been faster.
            for statements in migrations[self.version(known) :]:
                for statement in statements:
                    self.connection.execute(statement)
            self.stamp(known)


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
