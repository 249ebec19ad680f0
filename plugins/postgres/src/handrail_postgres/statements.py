"""The statements on the tables of a journal. All times are those of the server."""

from __future__ import annotations

from typing import LiteralString

_NOW: LiteralString = """
    to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
"""
_BEFORE: LiteralString = """
    to_char((clock_timestamp() - %s::interval) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
"""
_LEASE: LiteralString = "clock_timestamp() + make_interval(secs => %s)"

# The lock of a run has two numbers: the one of its table, which no other table of this database
# has, and its own.
LOCK_CLASS: LiteralString = "SELECT ('handrail_run'::regclass::oid::bigint & 2147483647)::integer"
LOCK: LiteralString = "SELECT pg_try_advisory_lock(%s, %s)"
UNLOCK: LiteralString = "SELECT pg_advisory_unlock_all()"
LOCK_FOR_NOW: LiteralString = "SELECT pg_try_advisory_xact_lock(%s, %s)"
_LOCKED: LiteralString = """
    FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid = %s::bigint::oid AND objid = %s::bigint::oid
"""
LOCKED: LiteralString = f"SELECT count(*) > 0 {_LOCKED}"
END_SESSION: LiteralString = f"SELECT pg_terminate_backend(pid, 5000) {_LOCKED}"

OPEN: LiteralString = """
    INSERT INTO handrail_run (uid, action, plan, params, packs, cwd, core_version, opened,
                              project, claimed, owner, lease_until)
    VALUES (%(uid)s, %(action)s, %(plan)s, %(params)s, %(packs)s, %(cwd)s, %(core_version)s,
            %(opened)s, %(project)s, %(opened)s, %(owner)s,
            clock_timestamp() + make_interval(secs => %(lease)s))
    RETURNING id
"""

# The time of the owner before, up to its last sign of life, is added to that of all others.
_ENDED: LiteralString = """
    coalesce(closed, greatest(coalesce(heard, opened), coalesce(
        (SELECT max(at COLLATE "C") FROM handrail_attempt WHERE run = handrail_run.id), opened)))
"""
_BEGAN: LiteralString = "coalesce(claimed, opened)"
_TURNED: LiteralString = f"greatest({_BEGAN}, coalesce(turned, {_ENDED}))"


def _between(first: LiteralString, last: LiteralString) -> LiteralString:
    return f"""
        greatest(0.0, extract(epoch FROM ({last})::timestamptz - ({first})::timestamptz)::float8)
    """


CLAIM: LiteralString = f"""
    UPDATE handrail_run
    SET fence = fence + 1, owner = %s, lease_until = {_LEASE},
        worked = worked + {_between(_BEGAN, f"least({_TURNED}, {_ENDED})")},
        undid = undid + {_between(_TURNED, _ENDED)},
        claimed = {_NOW}, heard = NULL, outcome = NULL, closed = NULL
    WHERE id = %s AND fence = %s
    RETURNING fence, uid
"""
OWNER: LiteralString = """
    SELECT fence, owner, coalesce(lease_until < clock_timestamp(), true),
           extract(epoch FROM clock_timestamp() - lease_until)::float8
    FROM handrail_run WHERE id = %s
"""
STATE: LiteralString = "SELECT fence, outcome, owner FROM handrail_run WHERE id = %s"

# Each finds its one row only while the run is still ours and open, and locks it until the commit.
RENEW: LiteralString = f"""
    UPDATE handrail_run SET lease_until = {_LEASE}, heard = {_NOW}
    WHERE id = %s AND fence = %s AND outcome IS NULL
    RETURNING fence
"""
CHANGE: LiteralString = f"""
    UPDATE handrail_run
    SET direction = coalesce(%(direction)s, direction), sealed = coalesce(%(sealed)s, sealed),
        turned = CASE WHEN %(direction)s::text = 'undo' THEN coalesce(turned, {_NOW})
                 ELSE turned END,
        outcome = %(outcome)s::text,
        closed = CASE WHEN %(outcome)s::text IS NOT NULL THEN {_NOW} END,
        lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
    WHERE id = %(run)s AND fence = %(fence)s AND outcome IS NULL
    RETURNING fence
"""
RELEASE: LiteralString = f"""
    UPDATE handrail_run SET lease_until = NULL, heard = {_NOW} WHERE id = %s AND fence = %s
"""

ATTEMPT: LiteralString = f"""
    INSERT INTO handrail_attempt (run, step, n, state, data_version, result, error, at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, {_NOW})
    ON CONFLICT (run, step, n) DO UPDATE
    SET state = excluded.state, result = coalesce(excluded.result, handrail_attempt.result),
        error = coalesce(excluded.error, handrail_attempt.error), at = excluded.at
"""
NOTE: LiteralString = """
    INSERT INTO handrail_note (run, step, n, seq, key, "values") VALUES (%s, %s, %s, %s, %s, %s)
"""
FIELD: LiteralString = """
    INSERT INTO handrail_field (run, boundary, name, value) VALUES (%s, %s, %s, %s)
    ON CONFLICT (run, boundary, name) DO UPDATE SET value = excluded.value
"""

_COLUMNS: LiteralString = """
    params, packs, cwd, core_version, opened, project,
    id, direction, sealed, outcome, fence, owner, closed, claimed, turned, heard, worked, undid,
    extract(epoch FROM lease_until)::float8, extract(epoch FROM clock_timestamp())::float8
"""
_FOUND: LiteralString = """
    WHERE (%(action)s::text IS NULL OR action = %(action)s::text
           OR right(action, length(%(action)s::text) + 1) = ':' || %(action)s::text)
      AND (%(outcome)s::text IS NULL OR coalesce(outcome, 'interrupted') = %(outcome)s::text)
      AND (%(project)s::text IS NULL OR project = %(project)s::text)
    ORDER BY id DESC LIMIT %(limit)s
"""
_RUN: LiteralString = f"SELECT uid, action, plan, {_COLUMNS} FROM handrail_run"
RUN: LiteralString = f"{_RUN} WHERE id = %s"
RUNS: LiteralString = f"{_RUN} {_FOUND}"
RUNS_WITHOUT_PLANS: LiteralString = f"SELECT uid, action, '', {_COLUMNS} FROM handrail_run {_FOUND}"
NEAR: LiteralString = "SELECT id FROM handrail_run ORDER BY abs(id - %s), id LIMIT 3"
ATTEMPTS: LiteralString = """
    SELECT step, n, state, data_version, result, error, at
    FROM handrail_attempt WHERE run = %s ORDER BY id
"""
NOTES: LiteralString = """
    SELECT step, n, seq, key, "values" FROM handrail_note WHERE run = %s ORDER BY id
"""
FIELDS: LiteralString = """
    SELECT boundary, name, value FROM handrail_field WHERE run = %s
    ORDER BY boundary, name COLLATE "C"
"""

_OLD: LiteralString = f"closed < {_BEFORE} AND outcome NOT IN ('failed', 'rollback_incomplete')"
PRUNABLE: LiteralString = f"SELECT id FROM handrail_run WHERE {_OLD} ORDER BY id"
PRUNE: LiteralString = f"DELETE FROM handrail_run WHERE {_OLD} AND id = %s"
