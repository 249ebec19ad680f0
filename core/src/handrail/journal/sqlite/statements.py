"""The statements on the tables of a journal."""

from __future__ import annotations

_NOW = "strftime('%Y-%m-%dT%H:%M:%fZ')"  # The same within a statement.

OPEN = """
    INSERT INTO run (uid, action, plan, params, packs, cwd, core_version, opened,
                     project, claimed, owner, lease_boot, lease_until)
    VALUES (:uid, :action, '', :params, :packs, :cwd, :core_version, :opened,
            :project, :opened, '', :boot, :until)
"""
PLAN = "INSERT INTO plan (run, plan) VALUES (?, ?)"
NAME_OWNER = "UPDATE run SET owner = ? WHERE id = ?"
# The time of the owner before, up to its last sign of life, is added to that of all others.
_ENDED = """
    coalesce(closed, max(coalesce(heard, opened), coalesce(
        (SELECT max(at) FROM attempt WHERE attempt.run = run.id), opened)))
"""
_BEGAN = "coalesce(claimed, opened)"
_TURNED = f"max({_BEGAN}, coalesce(turned, {_ENDED}))"


def _between(first: str, last: str) -> str:
    # Days with their fractions are right to some 40 us, and the times to 1 ms.
    return f"max(0.0, round((julianday({last}) - julianday({first})) * 86400.0, 3))"


CLAIM = f"""
    UPDATE run
    SET fence = fence + 1, owner = ?, lease_boot = ?, lease_until = ?,
        worked = worked + {_between(_BEGAN, f"min({_TURNED}, {_ENDED})")},
        undid = undid + {_between(_TURNED, _ENDED)},
        claimed = {_NOW}, heard = NULL, outcome = NULL, closed = NULL
    WHERE id = ? AND fence = ?
    RETURNING fence, uid
"""
OWNER = "SELECT fence, owner, lease_boot, lease_until FROM run WHERE id = ?"
STATE = "SELECT fence, outcome, owner FROM run WHERE id = ?"

# Each finds its one row only while the run is still ours and open.
HELD = "SELECT 1 FROM run WHERE id = ? AND fence = ? AND outcome IS NULL"
RELEASE = f"UPDATE run SET lease_until = NULL, heard = {_NOW} WHERE id = ? AND fence = ?"
RENEW = f"""
    UPDATE run SET lease_until = ?, heard = {_NOW} WHERE id = ? AND fence = ? AND outcome IS NULL
"""
CHANGE = f"""
    UPDATE run
    SET direction = coalesce(:direction, direction), sealed = coalesce(:sealed, sealed),
        turned = CASE WHEN :direction = 'undo' THEN coalesce(turned, {_NOW}) ELSE turned END,
        outcome = :outcome, closed = CASE WHEN :outcome IS NULL THEN NULL ELSE {_NOW} END,
        lease_until = CASE WHEN :outcome IS NULL THEN :lease END
    WHERE id = :run AND fence = :fence AND outcome IS NULL
"""
_CHANGED = ("direction", "sealed", "outcome", "lease", "run", "fence")


def changed(*values: object) -> dict[str, object]:
    """Return `values` for `CHANGE`: direction, sealed, outcome, lease, run and fence."""
    return dict(zip(_CHANGED, values, strict=True))


_ATTEMPT = "INSERT INTO attempt (run, step, n, state, data_version, result, error, at)"
_SAME_ATTEMPT = """
    ON CONFLICT (run, step, n) DO UPDATE
    SET state = excluded.state, result = coalesce(excluded.result, result),
        error = coalesce(excluded.error, error), at = excluded.at
"""
ATTEMPT = f"{_ATTEMPT} VALUES (?, ?, ?, ?, ?, ?, ?, ?) {_SAME_ATTEMPT}"


def _attempts_of_open_run(count: int) -> str:
    rows = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * count)
    columns = ", ".join(f"column{number}" for number in range(1, 8))
    return f"""
        {_ATTEMPT} SELECT {columns}, ? FROM run, (VALUES {rows})
        WHERE id = ? AND fence = ? AND outcome IS NULL {_SAME_ATTEMPT}
    """


# A whole commit in one statement, by the number of values in its rows: the end of a step, and the
# beginning of the next one. It takes the time, the rows, and what a run has to be; it changes all
# rows, or none.
ATTEMPTS_OF_OPEN_RUN = {7 * count: _attempts_of_open_run(count) for count in (1, 2)}
NOTE = 'INSERT INTO note (run, step, n, seq, key, "values") VALUES (?, ?, ?, ?, ?, ?)'
FIELD = """
    INSERT INTO field (run, boundary, name, value) VALUES (?, ?, ?, ?)
    ON CONFLICT (run, boundary, name) DO UPDATE SET value = excluded.value
"""

_BEFORE_PLAN = "SELECT uid, action"
_AFTER_PLAN = """
    params, packs, cwd, core_version, opened, project,
    id, direction, sealed, outcome, fence, owner, closed, claimed, turned, heard, worked, undid,
    lease_boot, lease_until FROM run
"""
_RUN = f"""
    {_BEFORE_PLAN}, coalesce(plan.plan, run.plan), {_AFTER_PLAN} LEFT JOIN plan ON plan.run = run.id
"""
_RUN_BUT_ITS_PLAN = f"{_BEFORE_PLAN}, '', {_AFTER_PLAN}"
RUN = f"{_RUN} WHERE id = ?"
RUN_BUT_ITS_PLAN = f"{_RUN_BUT_ITS_PLAN} WHERE id = ?"
_FOUND = """
    WHERE (:action IS NULL OR action = :action
           OR substr(action, -length(:action) - 1) = ':' || :action)
      AND (:outcome IS NULL OR coalesce(outcome, 'interrupted') = :outcome)
      AND (:project IS NULL OR project = :project)
    ORDER BY id DESC LIMIT :limit
"""
RUNS = f"{_RUN} {_FOUND}"
RUNS_WITHOUT_PLANS = f"{_RUN_BUT_ITS_PLAN} {_FOUND}"
NEAR = "SELECT id FROM run ORDER BY abs(id - ?), id LIMIT 3"
ATTEMPTS = """
    SELECT step, n, state, data_version, result, error, at FROM attempt WHERE run = ? ORDER BY id
"""
NOTES = 'SELECT step, n, seq, key, "values" FROM note WHERE run = ? ORDER BY id'
FIELDS = "SELECT boundary, name, value FROM field WHERE run = ? ORDER BY boundary, name"

_UNDONE = "('failed', 'rollback_incomplete')"  # What they did is still to be undone, or finished.
PRUNABLE = f"""
    SELECT id FROM run WHERE closed < ? AND outcome NOT IN {_UNDONE} ORDER BY id
"""
PRUNE = f"DELETE FROM run WHERE id = ? AND closed < ? AND outcome NOT IN {_UNDONE}"
