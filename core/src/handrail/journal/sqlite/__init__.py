"""The journal in an SQLite file, for processes on one machine."""

from __future__ import annotations

from handrail.journal.sqlite.journal import SqliteJournal

__all__ = ["SqliteJournal"]
