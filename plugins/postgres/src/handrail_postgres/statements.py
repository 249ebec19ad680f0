"""The PostgreSQL dialect, and the statements for locks. All times are those of the server."""

from __future__ import annotations

import re

from handrail.journal.backend import Dialect, Statements


def _time(moment: str) -> str:
    return f"""to_char(({moment}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


def _between(first: str, last: str) -> str:
    return f"""
        greatest(0.0, extract(epoch FROM ({last})::timestamptz - ({first})::timestamptz)::float8)
    """


def _render(statement: str) -> str:
    # Skip the `::` of casts.
    return re.sub("(?<!:):([a-z_]+)", r"%(\1)s", statement).replace("?", "%s")


_LEASE = "clock_timestamp() + make_interval(secs => :lease)"

SQL = Statements(
    Dialect(
        now=_time("clock_timestamp()"),
        at=_time("clock_timestamp()"),
        before=_time("clock_timestamp() - ?::interval"),
        between=_between,
        least="least",
        greatest="greatest",
        bytewise='COLLATE "C"',
        lease={"lease_until": _LEASE},
        lease_of_closed=_LEASE,
        newer_tables=("reliance", "chunk", "item_note", "observation"),
        checksums=True,
        counts=True,
        by_hand=True,
        lanes=True,
        times=True,
        given_id="OVERRIDING SYSTEM VALUE",
        prefix="handrail_",
        render=_render,
    )
)
OWNER = """
    SELECT fence, owner, coalesce(lease_until < clock_timestamp(), true),
           extract(epoch FROM clock_timestamp() - lease_until)::float8, outcome IS NULL
    FROM handrail_run WHERE id = %s
"""

# The lock of a run has two numbers: the oid of its table, which is unique in the database, and the
# number of the run.
LOCK_CLASS = "SELECT ('handrail_run'::regclass::oid::bigint & 2147483647)::integer"
LOCK = "SELECT pg_try_advisory_lock(%s, %s)"
UNLOCK = "SELECT pg_advisory_unlock_all()"
LOCK_FOR_NOW = "SELECT pg_try_advisory_xact_lock(%s, %s)"
_LOCKED = """
    FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid = %s::bigint::oid AND objid = (%s::bigint & 4294967295)::oid
"""
LOCKED = f"SELECT count(*) > 0 {_LOCKED}"
END_SESSION = f"SELECT pg_terminate_backend(pid, 5000) {_LOCKED}"

# Which transaction is this one, and which one has last written the row of a run. Only the owner of
# a run writes it, and a number that was given to a transaction before a crash may be given again;
# so this tells better than `pg_xact_status` whether a transaction was committed.
TRANSACTION = "SELECT CAST(CAST(pg_current_xact_id() AS xid) AS text)"
WRITTEN_BY = "SELECT fence, outcome, owner, CAST(xmin AS text) FROM handrail_run WHERE id = %s"
RUN_OF = "SELECT id FROM handrail_run WHERE uid = %s AND fence = 1"
END_FORMER = f"SELECT pg_terminate_backend(pid, 5000) {_LOCKED} AND pid = %s"

# The lock of a chunk of items has one number, a hash.
FENCE = "SELECT fence FROM handrail_run WHERE id = %s"
CHUNK_LOCK = "SELECT pg_advisory_lock(%s)"
CHUNK_UNLOCK = "SELECT pg_advisory_unlock(%s)"
CHUNK_IS_FREE = "SELECT pg_try_advisory_xact_lock(%s)"
_CHUNK = "step = %(step)s AND n = %(step_attempt)s AND number = %(chunk)s"
# What goes forward was recorded as started; what is undone may be in any state.
CHUNK_MAY = f"""
    SELECT run.id FROM handrail_run AS run JOIN handrail_chunk AS chunk ON chunk.run = run.id
    WHERE run.uid = %(run)s AND run.fence = %(fence)s AND {_CHUNK}
        AND attempt = %(attempt)s AND fenced < %(token)s AND (%(undo)s OR state = 'started')
"""
CHUNK_FORBID = f"""
    UPDATE handrail_chunk SET fenced = greatest(fenced, %(token)s)
    WHERE run = (SELECT id FROM handrail_run WHERE uid = %(run)s) AND {_CHUNK}
"""
_CHUNK_LOCKED = """
    FROM (
        SELECT pid, (classid::bigint << 32) | objid::bigint AS number
        FROM pg_locks
        WHERE locktype = 'advisory' AND granted AND objsubid = 1
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) AS lock
"""
CHUNK_HOLDERS = f"""
    SELECT number, application_name,
        coalesce(extract(epoch FROM clock_timestamp() - state_change)::float8, 0.0)
    {_CHUNK_LOCKED} JOIN pg_stat_activity USING (pid) WHERE number = ANY(%s::bigint[])
"""
CHUNK_EXPEL = f"SELECT pg_terminate_backend(pid, 5000) {_CHUNK_LOCKED} WHERE number = %s"


_LOCKS_OF_CHILDREN = 2**31 - 1


def lock_number(number: int) -> int:
    """Return the second number of the lock of a run, which has 32 bits.

    Those of children of sweeps are negative, like their own numbers, which are longer. Two of them
    may share a lock if they are of different sweeps: then one waits for the other.
    """
    return number if number > 0 else -1 - -number % _LOCKS_OF_CHILDREN


STORE_VALUE = """
    INSERT INTO handrail_value (run, name, content) VALUES (%s, %s, %s)
    ON CONFLICT DO NOTHING RETURNING name
"""
VALUE = "SELECT content FROM handrail_value WHERE run = %s AND name = %s"
