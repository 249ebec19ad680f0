"""The journal in a file keeps what every journal has to keep."""

from __future__ import annotations

from journals.contract import (  # noqa: F401 - fixtures
    JournalContract,
    journal,
    opened,
    process,
)


class TestSqliteJournal(JournalContract):
    """All of the contract."""
