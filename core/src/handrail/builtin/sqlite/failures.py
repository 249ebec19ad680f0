"""Converts errors of SQLite and the system to JournalError, with ways out."""

from __future__ import annotations

import errno
import os
import shlex
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from handrail.errors import JournalDamagedError, JournalError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_PRIMARY = 0xFF  # The lowest byte of SQLite's extended error codes is the primary code.
# SQLite also raises the second, for its own messages about damaged names.
ERRORS = (sqlite3.Error, UnicodeDecodeError)
_ANOTHER = "or use another file: --journal PATH"
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
READ_ONLY = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@contextmanager
def convert_os_errors(path: Path) -> Generator[None, None, None]:
    """Convert an OSError in the block to a JournalError about the journal at `path`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _full(path) from error
        if error.errno in _DENIED:
            raise unwritable(path, str(error.strerror), error.filename) from error
        raise JournalError(
            f"the journal {path} cannot be used: {error.strerror or error}", ways_out=(_ANOTHER,)
        ) from error


def journal_error(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> JournalError:
    """Return the JournalError for an SQLite error of the journal at `path`."""
    if isinstance(error, UnicodeDecodeError):
        return _damaged(path, "its tables have names that are no text")
    # Errors of the driver itself, such as for a closed connection, have no code.
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    primary = code & _PRIMARY
    if primary == sqlite3.SQLITE_FULL or (primary == sqlite3.SQLITE_IOERR and not _room(path)):
        return _full(path)
    if primary in READ_ONLY:
        return _full(path) if not _room(path) else unwritable(path, str(error))
    if primary in _BUSY:
        return JournalError(
            f"the journal {path} is locked: another process has been writing to it for too long",
            ways_out=(f"see which process has it open: fuser -v {path}",),
        )
    if primary in _DAMAGED:
        if primary == sqlite3.SQLITE_NOTADB:
            return JournalError(f"{path} is not a journal: {error}", ways_out=(_ANOTHER,))
        return _damaged(path, str(error))
    if primary == sqlite3.SQLITE_IOERR:
        ways_out = "see what the system says of its disk:  dmesg"
    else:
        ways_out = _ANOTHER
    return JournalError(f"the journal {path} cannot be used: {error}", ways_out=(ways_out,))


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an SQLite error tells that the file is damaged."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & _PRIMARY in _DAMAGED


def _full(path: Path) -> JournalError:
    return JournalError(
        f"the disk with the journal {path} is full",
        ways_out=("make room on it; what was committed before is safe",),
    )


def unwritable(path: Path, reason: str, place: str | None = None) -> JournalError:
    """Return the error for a journal that cannot be written; `place` is what stops it."""
    place = place or str(path)
    return JournalError(
        f"the journal {path} cannot be written: {reason}",
        ways_out=(f"make {place} and its folder writable for this user", _ANOTHER),
    )


def _damaged(path: Path, reason: str) -> JournalError:
    name = shlex.quote(str(path))
    return JournalDamagedError(
        f"the journal {path} is damaged: {reason}",
        ways_out=(
            f"copy it before you try anything:  cp {name}* /a/safe/place",
            f"see what can still be read:  handrail doctor --journal {name}",
            f"save that:  sqlite3 {name} .recover | sqlite3 recovered.db",
            f"then begin a new one:  mv {name} {shlex.quote(f'{path}.damaged')}",
        ),
    )


def _room(path: Path) -> bool:
    try:
        # A few free blocks may remain on a full disk.
        return os.statvfs(path.parent).f_bavail > 8
    except (OSError, AttributeError):
        return True
