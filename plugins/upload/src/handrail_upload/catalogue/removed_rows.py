"""Moves the rows of removed files out of the public tables, and in again.

A removed file has a layer too, whose values are empty texts (see `removal`). Its row, and that of a
unit without any other file, is in a table that looks like the public one. In a transaction that may
change them, they are among the public ones.
"""

from __future__ import annotations

from handrail_upload.catalogue.database import Database

_OF_RUN = """
    {row}.run = :run OR EXISTS (
        SELECT 1 FROM handrail_replaced_{kind} r
        WHERE r.{kind} = {row}.id AND :run IN (r.run, r.replaced_by)
    )
"""
_GIVEN_UNITS = """
    handrail_removed_unit.collection = :collection AND EXISTS (
        SELECT 1 FROM given_file g WHERE g.unit = handrail_removed_unit.name
    )
"""
_GIVEN_FILES = """
    EXISTS (
        SELECT 1 FROM handrail_data_unit u
        JOIN given_file g ON g.unit = u.name AND g.role = handrail_removed_file.role
        WHERE u.id = handrail_removed_file.unit AND u.collection = :collection
    )
"""
_UNITS_OF_RUN = f"""
    {_OF_RUN.format(kind="unit", row="handrail_removed_unit")} OR EXISTS (
        SELECT 1 FROM handrail_removed_file f WHERE f.unit = handrail_removed_unit.id
        AND ({_OF_RUN.format(kind="file", row="f")})
    )
"""
_FILES_OF_RUN = f"""
    {_OF_RUN.format(kind="file", row="handrail_removed_file")} OR EXISTS (
        SELECT 1 FROM handrail_data_unit u WHERE u.id = handrail_removed_file.unit
        AND ({_OF_RUN.format(kind="unit", row="u")})
    )
"""

_HIDE_UNITS = """
    INSERT INTO handrail_removed_unit
    SELECT * FROM handrail_data_unit
    WHERE id IN (SELECT unit FROM handrail_data_file WHERE location = '')
    AND NOT EXISTS (
        SELECT 1 FROM handrail_data_file f
        WHERE f.unit = handrail_data_unit.id AND f.location <> ''
    )
"""
_HIDE_FILES = """
    INSERT INTO handrail_removed_file SELECT * FROM handrail_data_file WHERE location = ''
"""


def show_given(database: Database, collection: int) -> tuple[int, int]:
    """Put the removed rows that are published anew among the others; return how many.

    Returns:
        The numbers of units and of files.
    """
    units = _show(database, "unit", _GIVEN_UNITS, collection=collection)
    return units, _show(database, "file", _GIVEN_FILES, collection=collection)


def show_of_run(database: Database, run: str) -> tuple[int, int]:
    """Put the removed rows that `run` has a layer of among the others; see `show_given`."""
    units = _show(database, "unit", _UNITS_OF_RUN, run=run)
    return units, _show(database, "file", _FILES_OF_RUN, run=run)


def hide(database: Database) -> tuple[int, int]:
    """Move removed files, and units without any other, out of the public tables; return how many.

    Returns:
        The numbers of units and of files.
    """
    # Where nothing is to be hidden, nothing is written: the disk may be full.
    if not database.rows("SELECT 1 FROM handrail_data_file WHERE location = '' LIMIT 1"):
        return 0, 0
    units, files = database.change(_HIDE_UNITS), database.change(_HIDE_FILES)
    database.change("DELETE FROM handrail_data_file WHERE location = ''")
    if units:
        hidden = "SELECT id FROM handrail_removed_unit"
        database.change(f"DELETE FROM handrail_data_unit WHERE id IN ({hidden})")
    return units, files


def _show(database: Database, kind: str, which: str, **values: object) -> int:
    removed, public = f"handrail_removed_{kind}", f"handrail_data_{kind}"
    # Where nothing is to be shown, nothing is written.
    if not database.rows(f"SELECT 1 FROM {removed} WHERE {which} LIMIT 1", **values):
        return 0
    shown = database.change(f"INSERT INTO {public} SELECT * FROM {removed} WHERE {which}", **values)
    database.change(
        f"DELETE FROM {removed} WHERE EXISTS (SELECT 1 FROM {public} p WHERE p.id = {removed}.id)"
    )
    return shown
