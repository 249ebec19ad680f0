"""The contract of journals, which that of core passes."""

from __future__ import annotations

from handrail_testing import JournalContract


class TestSqlite(JournalContract):
    """A file on this machine."""

    factory = "handrail.builtin.sqlite.journal:open_journal"
    url = "sqlite://{folder}/runs.db"
