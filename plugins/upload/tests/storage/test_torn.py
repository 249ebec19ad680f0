"""Which files an upload that was killed may have left in parts, by its list of files."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from handrail_upload.manifest import INVALID, NEW, REPLACE, SENT, UNCHANGED, Manifest
from handrail_upload.storage import open_storage
from handrail_upload.undo import torn_in

PART, LARGE = 5 << 20, 6 << 20


def test_only_large_files_and_what_is_replaced_may_be_in_parts(source: Any, tmp_path: Path) -> None:
    """What is not valid was never claimed, so others may send it at that time."""
    states = {"small": NEW, "large": NEW, "large sent": SENT, "replaced": REPLACE}
    states |= {"large, not valid": INVALID, "small, unchanged": UNCHANGED}
    manifest = Manifest(tmp_path / "manifest")
    for key, state in states.items():
        size = LARGE if key.startswith("large") else 10
        manifest.add([replace(source(key, b"1"), state=state, size=size)])
    manifest.close()
    storage: Any = open_storage(f"memory://{uuid.uuid4().hex}")
    torn = torn_in(tmp_path / "manifest", storage, PART)
    assert torn == ["large", "large sent", "replaced"]


def test_without_a_list_that_is_not_known(tmp_path: Path) -> None:
    storage: Any = open_storage(f"memory://{uuid.uuid4().hex}")
    assert torn_in(tmp_path / "manifest", storage, PART) is None
    (tmp_path / "manifest").write_bytes(b"no database" * 100)
    assert torn_in(tmp_path / "manifest", storage, PART) is None
    local: Any = open_storage(str(tmp_path / "target"))
    assert torn_in(tmp_path / "manifest", local, PART) is None
