"""The journal in an SQLite file, for the processes of one machine."""

from __future__ import annotations

from handrail.journal.sqlite.journal import SqliteJournal

__all__ = ["SqliteJournal"]
