"""`[journal]`: where the project keeps its runs."""

from __future__ import annotations

from handrail.settings.table import TableReader
from handrail.settings.values import Value


def read_journal(reader: TableReader, value: object) -> Value[str] | None:
    """Return the URL, as the file says it, or None where there is none that can be used."""
    found: Value[str] | None = None
    for path, key, each in reader.fields(("journal",), value, "journal"):
        url = reader.text(path, each)
        if url:
            found = Value(value=url, source=reader.source(path), key=f"journal.{key}")
    return found
