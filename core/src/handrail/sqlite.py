"""The journal in an SQLite file, and the kit for journals in SQL databases.

`SqliteJournal` is for processes on one machine. SQLite and PostgreSQL are two dialects of the kit.
It keeps the promises of every journal: one commit for the end of a step and the start of the next,
a fence that each claim raises, and no write after a failed one. A database adds its SQL fragments,
tables, connections and locks.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.builtin.sqlite.journal import SqliteJournal as SqliteJournal
    from handrail.builtin.sqlite.kit.changes import Connection as Connection
    from handrail.builtin.sqlite.kit.changes import add_run as add_run
    from handrail.builtin.sqlite.kit.changes import change_run as change_run
    from handrail.builtin.sqlite.kit.changes import lost_error as lost_error
    from handrail.builtin.sqlite.kit.changes import rows_of as rows_of
    from handrail.builtin.sqlite.kit.journal import SqlJournal as SqlJournal
    from handrail.builtin.sqlite.kit.owned import SECONDS as SECONDS
    from handrail.builtin.sqlite.kit.owned import Claimed as Claimed
    from handrail.builtin.sqlite.kit.owned import SqlOwnedRun as SqlOwnedRun
    from handrail.builtin.sqlite.kit.owned import after_orphans as after_orphans
    from handrail.builtin.sqlite.kit.owned import held_error as held_error
    from handrail.builtin.sqlite.kit.owner import Owner as Owner
    from handrail.builtin.sqlite.kit.owner import this_process as this_process
    from handrail.builtin.sqlite.kit.rows import ITEM_NOTE as ITEM_NOTE
    from handrail.builtin.sqlite.kit.rows import unknown_run as unknown_run
    from handrail.builtin.sqlite.kit.rows import with_parts as with_parts
    from handrail.builtin.sqlite.kit.statements import Dialect as Dialect
    from handrail.builtin.sqlite.kit.statements import Statements as Statements
    from handrail.builtin.sqlite.kit.tables import Migrations as Migrations
    from handrail.builtin.sqlite.kit.tables import migrate as migrate
    from handrail.builtin.sqlite.kit.tables import refuse_newer as refuse_newer
    from handrail.builtin.sqlite.kit.tables import tables_of as tables_of
