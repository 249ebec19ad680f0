"""Gives the rows of a changed journal their checksums, as one who forges it would."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any

from handrail.builtin.sqlite.kit.rows import (
    ATTEMPT,
    CHUNK,
    FIELD,
    ITEM_NOTE,
    KEPT,
    NOTE,
    Kind,
    checksum,
    checksum_of_plan,
    checksum_of_run,
)


def reseal(database: sqlite3.Connection) -> None:
    """Write the checksum of each row in an SQLite file; what is no text any more keeps its own."""
    database.execute("PRAGMA ignore_check_constraints = ON")
    before, database.text_factory = database.text_factory, _decoded
    uids = dict(database.execute("SELECT id, uid FROM run").fetchall())
    database.execute("UPDATE run SET counts = NULL")
    runs = "SELECT run.*, plan.plan FROM run LEFT JOIN plan ON plan.run = run.id"
    for row in _rows(database, runs):
        with suppress(ValueError):
            crcs = (checksum_of_run(row), checksum_of_plan(row["uid"], row["plan"]))
            database.execute(
                "UPDATE run SET crc = ?, plan_crc = ? WHERE id = ?", (*crcs, row["id"])
            )
    for kind in (ATTEMPT, NOTE, FIELD, CHUNK, ITEM_NOTE, KEPT):
        _reseal_kind(database, kind, uids)
    database.text_factory = before


def _reseal_kind(database: sqlite3.Connection, kind: Kind, uids: dict[int, str]) -> None:
    keys = ("run", "boundary", "name") if kind is FIELD else ("id",)
    crcs = ", ".join(f"{name} = ?" for name in kind.checksums)
    where = " AND ".join(f"{key} = ?" for key in keys)
    for row in _rows(database, f"SELECT * FROM {kind.table}"):
        values = [row[name] for name in kind.columns]
        with suppress(ValueError):
            sums = [checksum(kind.table, uids[row["run"]], *each(values)) for each in kind._covers]
            changed = (*sums, *(row[key] for key in keys))
            database.execute(f"UPDATE {kind.table} SET {crcs} WHERE {where}", changed)


def _rows(database: sqlite3.Connection, statement: str) -> list[dict[str, Any]]:
    found = database.execute(statement)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")
