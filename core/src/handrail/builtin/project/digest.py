"""Computes a digest of an installed pack's files that is the same on every machine."""

from __future__ import annotations

import csv
import json
import os
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # It has the same names, and types.
    from importlib.metadata import Distribution

    from handrail.packs import PackRecord
else:
    from importlib_metadata import Distribution

# Files listed in RECORD that depend on how, where or by which program a wheel was installed.
_LOCAL = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json")


def record_digest(pack: PackRecord) -> str:
    """Return `sha256:` and a digest of the pack's RECORD, or `editable`, or `missing`.

    The digest covers the name and hash in RECORD of each file in the wheel; not compiled files,
    scripts and files written by the installer, which differ between machines. The files themselves
    are not read. The RECORD of an editable install does not list its sources.
    """
    distribution = next(iter(Distribution.discover(name=pack.id, path=[pack.location])), None)
    if distribution is None:
        return "missing"
    if _is_editable(distribution):
        return "editable"
    try:
        rows = sorted(_rows(distribution.read_text("RECORD") or ""))
    except (ValueError, csv.Error):  # It is not UTF-8, or no table.
        rows = []
    if not rows:
        return "missing"
    return f"sha256:{sha256(''.join(rows).encode()).hexdigest()}"


def _rows(text: str) -> list[str]:
    rows: list[str] = []
    for row in csv.reader(text.splitlines()):
        name = row[0].replace("\\", "/") if row else ""
        folder, _, note = name.rpartition("/")
        outside = name.startswith(("../", "/")) or os.path.isabs(name)
        own = folder.endswith(".dist-info") and note in _LOCAL
        if name and not outside and not own and not name.endswith((".pyc", ".pyo")):
            rows.append(f"{name},{row[1] if len(row) > 1 else ''}\n")
    return rows


def _is_editable(distribution: Distribution) -> bool:
    try:
        document = json.loads(distribution.read_text("direct_url.json") or "{}")
        return bool(document["dir_info"]["editable"])
    except (ValueError, LookupError, TypeError):
        return False
