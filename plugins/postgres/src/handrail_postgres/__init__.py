"""The journal of Handrail in a PostgreSQL database, for processes on several machines."""

from __future__ import annotations

from handrail_postgres.journal import PostgresJournal, open_journal

__version__ = "0.1.0"

__all__ = ["PostgresJournal", "open_journal"]
