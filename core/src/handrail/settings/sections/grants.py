"""Reads `[grants]`: the edits that each pack may make to steps of other packs."""

from __future__ import annotations

import re

from handrail.settings.names import normalised
from handrail.settings.table import TableReader
from handrail.settings.values import Value

_GRANT = re.compile(r"(?P<verb>replace|remove) +(?P<pack>[^\s:]+) *: *(?P<step>\S+)")

Grants = dict[str, tuple[Value[str], ...]]


def read_grants(reader: TableReader, value: object) -> Grants:
    """Return the grants of each pack, by its normalised name."""
    found: Grants = {}
    for key, each in reader.table(("grants",), value).items():
        path = ("grants", key)
        grants: list[Value[str]] = []
        for item in reader.names(path, each):
            match = _GRANT.fullmatch(item.value.strip())
            if match is None:
                reader.problem(
                    path,
                    f"grants.{key}: {item.value!r} is not a grant",
                    'write "replace PACK:STEP" or "remove PACK:STEP"',
                    line=int(item.source.rpartition(":")[2]),
                )
                continue
            grant = f"{match['verb']} {normalised(match['pack'])}:{match['step']}"
            grants.append(Value(value=grant, source=item.source, key=".".join(path)))
        name = normalised(key)
        found[name] = (*found.get(name, ()), *grants)
    return found
