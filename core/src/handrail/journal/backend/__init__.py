"""The kit for journals in SQL databases; SQLite and PostgreSQL are two dialects of it.

It keeps the promises of every journal: one commit for the end of a step and the start of the next,
a fence that each claim raises, and no write after a failed one. A database adds its SQL fragments,
tables, connections and locks.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.journal.backend.changes import add_run as add_run
    from handrail.journal.backend.changes import change_run as change_run
    from handrail.journal.backend.changes import count_rows as count_rows
    from handrail.journal.backend.changes import new_values as new_values
    from handrail.journal.backend.changes import rows_of as rows_of
    from handrail.journal.backend.changes import write_observations as write_observations
    from handrail.journal.backend.changes import write_rows as write_rows
    from handrail.journal.backend.connection import Connection as Connection
    from handrail.journal.backend.journal import SqlJournal as SqlJournal
    from handrail.journal.backend.kinds import ITEM_NOTE as ITEM_NOTE
    from handrail.journal.backend.lease import SECONDS as SECONDS
    from handrail.journal.backend.lease import after_orphans as after_orphans
    from handrail.journal.backend.lease import held_error as held_error
    from handrail.journal.backend.lease import lost_error as lost_error
    from handrail.journal.backend.owned import Claimed as Claimed
    from handrail.journal.backend.owned import SqlOwnedRun as SqlOwnedRun
    from handrail.journal.backend.owner import Owner as Owner
    from handrail.journal.backend.owner import this_process as this_process
    from handrail.journal.backend.rows import unknown_run as unknown_run
    from handrail.journal.backend.rows import with_parts as with_parts
    from handrail.journal.backend.statements import Dialect as Dialect
    from handrail.journal.backend.statements import Statements as Statements
    from handrail.journal.backend.tables import Migrations as Migrations
    from handrail.journal.backend.tables import migrate as migrate
    from handrail.journal.backend.tables import refuse_newer as refuse_newer
    from handrail.journal.backend.tables import tables_of as tables_of
    from handrail.journal.codec import encode as encode
    from handrail.journal.damage import decoding as decoding
    from handrail.journal.opening import refuse_password as refuse_password
    from handrail.journal.values import value_names as value_names
