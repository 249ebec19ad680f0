"""Reads `[local]`: actions and steps in the project's own files."""

from __future__ import annotations

from handrail.settings.changes import LocalName
from handrail.settings.table import TableReader, dotted


def read_local(reader: TableReader, value: object) -> tuple[LocalName, ...]:
    """Return the names of the section, in the order of the file."""
    found: list[LocalName] = []
    for path, kind, table in reader.fields(("local",), value, "local"):
        for name, each in reader.table(path, table).items():
            here = (*path, name)
            target = reader.text(here, each)
            head, colon, attribute = target.rpartition(":")
            if target and not (head.strip() and colon and attribute.strip()):
                hint = f'{name} = "flows.py:{name}"'
                message = f"{dotted(here)} is {target!r}; it has to be FILE.py:NAME or MODULE:NAME"
                reader.problem(here, message, hint)
            elif target and (":" in name or not name.strip()):
                reader.problem(here, f"{dotted(here)}: a name has no colon and is not empty")
            elif target:
                origin = reader.origin(here)
                found.append(LocalName(kind=kind, name=name, target=target, origin=origin))
    return tuple(found)
