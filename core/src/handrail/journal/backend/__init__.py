"""The kit for journals in SQL databases; SQLite and PostgreSQL are two dialects of it.

It keeps the promises of every journal: one commit for the end of a step and the start of the next,
a fence that each claim raises, and no write after a failed one. A database adds its SQL fragments,
tables, connections and locks.
"""

from __future__ import annotations

from handrail.journal.backend.changes import (
    add_run,
    change_run,
    count_rows,
    new_values,
    rows_of,
    write_observations,
    write_rows,
)
from handrail.journal.backend.connection import Connection
from handrail.journal.backend.journal import SqlJournal
from handrail.journal.backend.kinds import ITEM_NOTE
from handrail.journal.backend.lease import SECONDS, after_orphans, held_error, lost_error
from handrail.journal.backend.owned import Claimed, SqlOwnedRun
from handrail.journal.backend.owner import Owner, this_process
from handrail.journal.backend.rows import unknown_run, with_parts
from handrail.journal.backend.statements import Dialect, Statements
from handrail.journal.backend.tables import Migrations, migrate, refuse_newer, tables_of
from handrail.journal.backend.value_names import value_names
from handrail.journal.codec import encode
from handrail.journal.damage import decoding
from handrail.journal.opening import refuse_password

__all__ = [
    "ITEM_NOTE",
    "SECONDS",
    "Claimed",
    "Connection",
    "Dialect",
    "Migrations",
    "Owner",
    "SqlJournal",
    "SqlOwnedRun",
    "Statements",
    "add_run",
    "after_orphans",
    "change_run",
    "count_rows",
    "decoding",
    "encode",
    "held_error",
    "lost_error",
    "migrate",
    "new_values",
    "refuse_newer",
    "refuse_password",
    "rows_of",
    "tables_of",
    "this_process",
    "unknown_run",
    "value_names",
    "with_parts",
    "write_observations",
    "write_rows",
]
