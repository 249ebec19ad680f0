"""Computes a digest of an installed pack's files that is the same on every machine."""

from __future__ import annotations

import csv
import json
import os
from hashlib import sha256
from typing import Any

from handrail.packs.metadata import bytes_of, stem_of
from handrail.packs.record import PackRecord
from handrail.settings.pack_names import normalised

# Files listed in RECORD that depend on how, where or by which program a wheel was installed.
_LOCAL = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json")


def record_digest(pack: PackRecord) -> str:
    """Return `sha256:` and a digest of the pack's RECORD, or `editable`, or `missing`.

    The digest covers the name and hash in RECORD of each file in the wheel; not compiled files,
    scripts and files written by the installer, which differ between machines. The files themselves
    are not read. The RECORD of an editable install does not list its sources.
    """
    info = _info_folder(pack)
    if info is None:
        return "missing"
    if is_editable(bytes_of(f"{info}/direct_url.json")):
        return "editable"
    text = bytes_of(f"{info}/RECORD").decode(errors="replace")
    stem = os.path.basename(info)
    rows = sorted(_rows(text, stem))
    if not rows:
        return "missing"
    return f"sha256:{sha256(''.join(rows).encode()).hexdigest()}"


def _rows(text: str, info: str) -> list[str]:
    rows: list[str] = []
    for row in csv.reader(text.splitlines()):
        name = row[0].replace("\\", "/") if row else ""
        outside = name.startswith(("../", "/")) or os.path.isabs(name)
        own = name.startswith(f"{info}/") and name.rpartition("/")[2] in _LOCAL
        if name and not outside and not own and not name.endswith((".pyc", ".pyo")):
            rows.append(f"{name},{row[1] if len(row) > 1 else ''}\n")
    return rows


def _info_folder(pack: PackRecord) -> str | None:
    try:
        names = sorted(os.listdir(pack.location))
    except OSError:
        return None
    found = [
        name
        for name in names
        if name.endswith(".dist-info") and normalised(stem_of(pack.location, name)[0]) == pack.id
    ]
    fitting = [name for name in found if stem_of(pack.location, name)[1] == pack.version]
    chosen = (fitting or found)[:1]
    return f"{pack.location}/{chosen[0]}" if chosen else None


def is_editable(raw: bytes) -> bool:
    """Return whether `raw`, the contents of a `direct_url.json`, is of an editable install."""
    try:
        document: Any = json.loads(raw or b"{}")
        return bool(document["dir_info"]["editable"])
    except (ValueError, LookupError, TypeError):
        return False
