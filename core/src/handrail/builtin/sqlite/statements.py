"""The SQLite dialect, and statements specific to SQLite."""

from __future__ import annotations

from handrail.builtin.sqlite.kit.kinds import ATTEMPT
from handrail.builtin.sqlite.kit.statements import Dialect, Statements, marks


def _between(first: str, last: str) -> str:
    # julianday() is accurate to about 40 us, and the times to 1 ms.
    return f"max(0.0, round((julianday({last}) - julianday({first})) * 86400.0, 3))"


DIALECT = Dialect(
    now="strftime('%Y-%m-%dT%H:%M:%fZ')",  # Constant within a statement.
    at="?",
    before="strftime('%Y-%m-%dT%H:%M:%fZ', 'now', -CAST(? AS REAL) || ' seconds')",
    between=_between,
    least="min",
    greatest="max",
    bytewise="COLLATE BINARY",
    lease={"lease_boot": ":boot", "lease_until": ":until"},
    lease_of_closed="NULL",
    lease_columns={"lease_boot": "TEXT NOT NULL", "lease_until": "REAL"},
    integer="INTEGER",
    real="REAL",
    id="INTEGER PRIMARY KEY",
    run_id="INTEGER PRIMARY KEY AUTOINCREMENT",
    strict=" STRICT",
    keyed=" STRICT, WITHOUT ROWID",
)
SQL = Statements(DIALECT)
OWNER = "SELECT fence, owner, lease_boot, lease_until FROM run WHERE id = ?"


def _attempts_of_open_run(count: int) -> str:
    width = len(ATTEMPT.written)
    rows = ", ".join([f"({marks(width)})"] * count)
    columns = ", ".join(f"column{number + 1}" for number in range(width))
    return f"""
        {SQL.attempts_into} SELECT {columns}, ? FROM run, (VALUES {rows})
        WHERE id = ? AND fence = ? AND outcome IS NULL {SQL.same_attempt}
    """


# A whole commit in one statement, by the number of values: the end of a step and the start of the
# next. Parameters are the time, the rows, and the id and fence of the run; it changes all rows or
# none.
ATTEMPTS_OF_OPEN_RUN = {
    len(ATTEMPT.written) * count: _attempts_of_open_run(count) for count in (1, 2)
}
