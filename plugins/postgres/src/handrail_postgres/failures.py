"""Converts errors of the server to JournalError, with ways out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.errors import JournalError

if TYPE_CHECKING:
    import psycopg

# Ways out by the first characters of an error's SQLSTATE.
_WAYS_OUT = {
    "": "check with psql and the same URL that the server is running and reachable",
    "08": "the connection was lost; what was committed is safe",
    "25006": "this server only reads; name the one that writes",
    "28": "check the user and its password: PGPASSWORD, or ~/.pgpass",
    "3D000": "make the database first: createdb, or name another one in the URL",
    "42501": "ask who administers the database for the right, or use another schema: "
    "?options=-csearch_path%3DNAME",
    "53": "the server is out of space or connections; what was committed is safe",
    "55P03": "another session holds a lock for too long: see pg_stat_activity",
    "57014": "statement_timeout of the server is too short; set it higher for this user",
    "57P01": "the server was stopped, or the session was ended; what was committed is safe",
}


class UnreachableError(JournalError):
    """The connection broke, or could not be made; a transaction may have been committed."""


def journal_error(error: psycopg.Error, shown: str, *, lost: bool) -> JournalError:
    """Return the JournalError for an error of the journal at `shown`.

    Args:
        error: The error of the driver.
        shown: The URL of the journal.
        lost: Whether another connection may do what this one could not.
    """
    diagnosis = error.diag
    words = [diagnosis.message_primary, diagnosis.message_detail, diagnosis.message_hint]
    message = "; ".join(word for word in words if word) or str(error)
    state = error.sqlstate or ""
    way_out = _WAYS_OUT.get(state) or _WAYS_OUT.get(state[:2], "")
    kind = UnreachableError if lost else JournalError
    return kind(f"the journal {shown}: {' '.join(message.split())}", ways_out=(way_out,))
