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
        seen="""
            extract(epoch FROM lease_until)::float8 AS lease_until,
            extract(epoch FROM clock_timestamp())::float8 AS read_at
        """,
        newer_tables=("reliance", "chunk", "item_note"),
        checksums=True,
        counts=True,
        by_hand=True,
        lanes=True,
        prefix="handrail_",
        render=_render,
    )
)
OWNER = """
    SELECT fence, owner, coalesce(lease_until < clock_timestamp(), true),
           extract(epoch FROM clock_timestamp() - lease_until)::float8
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
        AND classid = %s::bigint::oid AND objid = %s::bigint::oid
"""
LOCKED = f"SELECT count(*) > 0 {_LOCKED}"
END_SESSION = f"SELECT pg_terminate_backend(pid, 5000) {_LOCKED}"

STORE_VALUE = """
    INSERT INTO handrail_value (run, name, content) VALUES (%s, %s, %s)
    ON CONFLICT DO NOTHING RETURNING name
"""
VALUE = "SELECT content FROM handrail_value WHERE run = %s AND name = %s"
