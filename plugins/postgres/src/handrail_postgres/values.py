"""The values of results that JSON lacks, in a table of the journal."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

from handrail.errors import JournalDamagedError, ValueTooLargeError
from handrail.journal import value_names
from handrail_postgres.statements import STORE_VALUE, VALUE

if TYPE_CHECKING:
    from handrail.sqlite import Connection
    from handrail_postgres.session import Session

LARGEST = 64_000_000
"""The largest value in bytes: it is in the memory of this process and of the server as a whole."""


class _Limited(BytesIO):
    def write(self, data: Any, /) -> int:
        if self.tell() + memoryview(data).nbytes > LARGEST:
            raise ValueTooLargeError(
                f"it is larger than {LARGEST // 1_000_000} MB, the limit of this journal"
            )
        return super().write(data)


def written(write: Callable[[BinaryIO], None]) -> bytes:
    """Return what `write` writes.

    Raises:
        ValueTooLargeError: It is larger than `LARGEST`.
    """
    buffer = _Limited()
    # A serializer may close its file.
    buffer.close = lambda: None  # type: ignore[method-assign]
    write(buffer)
    return buffer.getvalue()


def insert_value(
    connection: Connection, run: int, stem: str, suffix: str, content: bytes
) -> dict[str, Any]:
    """Insert a value of a run; return its name, size and checksum."""
    for name in value_names(stem, suffix):
        if connection.execute(STORE_VALUE, (run, name, content)).fetchone() is not None:
            digest = hashlib.sha256(content).hexdigest()
            return {"name": name, "size": len(content), "sha256": digest}
    raise AssertionError  # There is always another name.


def read_value(session: Session, run: int, name: str) -> BinaryIO:
    """Return a file with a value of a run.

    Raises:
        JournalDamagedError: There is none.
        JournalError: It cannot be read.
    """
    with session.using() as connection:
        row = connection.execute(VALUE, (run, name)).fetchone()
    if row is None:
        raise JournalDamagedError(
            f"run {run} is damaged in the journal: the value {name} is missing in {session.shown}",
            run=run,
            row=f"the value {name}",
        )
    return BytesIO(row[0])
