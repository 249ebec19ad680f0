"""Listing: the data units of an upload, to be compared by the database of a catalogue."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from handrail.frozen import frozen
from handrail_upload.errors import UploadError

_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

EMPTY = "{}"
"""Canonical JSON of no metadata."""


@frozen
class Listing:
    """Data units and their files, as SELECT statements over an SQLite file.

    So many of them are compared and copied at once, without an object for each. The statements name
    the tables of the file as `listing.TABLE`, and may call `merged`, which merges canonical JSON.

    Attributes:
        path: The file. Other connections may have it open, and changes have to be committed.
        units: Selects the name and the metadata, as canonical JSON, of each unit.
        files: Selects the unit, role, name, location, key, size, sha256 and etag of each file; see
            `DataFile`. Each unit has at least one.
        removed: Selects the locations of files that are gone, each once; empty for none.
        left_out: The number of files without which the run went on.
    """

    path: Path
    units: str
    files: str
    removed: str = ""
    left_out: int = 0

    def attach(self, connection: sqlite3.Connection) -> None:
        """Attach the file to `connection`, which was opened with `uri=True`, to be read there.

        Raises:
            UploadError: The file cannot be read.
        """
        connection.create_function("merged", 1, _merged, deterministic=True)
        url = f"file:{quote(os.fsencode(self.path.absolute()))}?mode=ro"
        with self._converting_errors():
            connection.execute("ATTACH ? AS listing", (url,))

    def rows(self, select: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of `units` or `files`.

        Raises:
            UploadError: The file cannot be read.
        """
        with closing(sqlite3.connect(":memory:", uri=True)) as connection:
            self.attach(connection)
            with self._converting_errors():
                yield from connection.execute(select)

    @contextmanager
    def _converting_errors(self) -> Generator[None, None, None]:
        try:
            yield
        except sqlite3.Error as error:
            message = f"the list of files {self.path} cannot be used: {error}"
            raise UploadError(message) from error


def as_json(metadata: Any) -> str:
    """Return `metadata` as canonical JSON: equal values have the same text.

    Raises:
        ValueError: A value has no JSON form, such as NaN.
        TypeError: A value has a type without a JSON form.
    """
    # Databases reject lone surrogates; as an escape it is valid JSON, and is restored on reading.
    return _LONE_SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", _JSON.encode(metadata))


def _merged(by_role: str) -> str:
    """Merge the metadata of several files of a unit; in the order of roles, the last one wins.

    Args:
        by_role: A JSON object: roles, and the metadata of each, or null.
    """
    metadata: dict[str, Any] = {}
    for _, values in sorted(json.loads(by_role).items()):
        metadata.update(values or {})
    return as_json(metadata)
