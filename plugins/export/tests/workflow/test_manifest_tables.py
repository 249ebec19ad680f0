"""The tables of a manifest are made all at once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from handrail_export.errors import ExportError
from handrail_export.manifest import Manifest, manifest


def test_made_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With some of its tables, after a kill, it would count as a file of others."""
    path = tmp_path / "run.db"
    schema = manifest._SCHEMA.replace("CREATE TABLE IF NOT EXISTS file", "stop; CREATE TABLE file")
    monkeypatch.setattr(manifest, "_SCHEMA", schema)
    with pytest.raises(ExportError):
        Manifest(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_schema").fetchall() == []
