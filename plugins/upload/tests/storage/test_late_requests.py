"""What arrives from a killed process after the undo has looked is found by a second look."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from handrail_upload import undo
from handrail_upload.recorded import read_transfer
from handrail_upload.storage import open_storage


@pytest.fixture
def target() -> str:
    return f"memory://{uuid.uuid4().hex}/data"


@pytest.mark.parametrize("killed", [True, False])
@pytest.mark.parametrize(
    ("mark", "left"), [("run/upload_files", []), ("other/upload_files", ["a"])]
)
def test_what_arrives_late_is_deleted_if_it_is_the_runs(
    target: str,
    site_of: Any,
    monkeypatch: pytest.MonkeyPatch,
    mark: str,
    left: list[str],
    killed: bool,
) -> None:
    monkeypatch.setattr("handrail_storage.backend.objects.MEMORY_LAG", 1.0)
    storage: Any = open_storage(target)
    pauses: list[float] = []

    def arrive(seconds: float = 0.0) -> None:
        pauses.append(seconds)
        attributes = storage.requests.attributes_of("a", {"handrail-run": mark})
        storage.requests.put("a", b"late", attributes, "overwrite")

    monkeypatch.setattr(undo.time, "sleep", arrive)
    data = {"target": [target], "mark": ["run/upload_files"], "keys": ["a", "b"]}
    recorded = read_transfer(data, site_of(target))
    undo.TransferUndo(recorded).run(killed=killed)
    assert pauses == ([storage.lag] if killed else [])
    assert list(storage.look_up(["a", "b"])) == (left if killed else [])
