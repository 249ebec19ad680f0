"""What arrives from a killed process after the undo has looked is found by a second look."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

import pytest

from handrail_storage.claims import Claimant, Claims, Clock, undo_claimed
from handrail_upload.storage import open_storage

RUN, OTHER = f"{uuid.uuid4()}", f"{uuid.uuid4()}"


@pytest.mark.parametrize("killed", [True, False])
@pytest.mark.parametrize(("run", "left"), [(RUN, []), (OTHER, ["a"])], ids=["own", "other"])
def test_what_arrives_late_is_deleted_if_it_is_the_runs(
    monkeypatch: pytest.MonkeyPatch, run: str, left: list[str], killed: bool
) -> None:
    monkeypatch.setattr("handrail_storage.backend.objects.MEMORY_LAG", 1.0)
    target = f"memory://{uuid.uuid4().hex}/data"
    storage: Any = open_storage(target)
    pauses: list[float] = []

    def arrive(mark: str, seconds: float) -> None:
        pauses.append(seconds)
        storage.create("a", b"late", mark)

    claim = Claims(storage, Claimant(run=RUN)).ask({"a": None, "b": None})
    mark = claim.mark("upload_files").replace(RUN, run)
    clock = Clock(sleep=partial(arrive, mark))
    undoing = Claims(storage, Claimant(run=RUN), clock=clock).undo()
    undo_claimed(
        *(undoing, storage, RUN),
        claimed=True,
        made=None,
        killed=killed,
        leave=storage.leave_folders,
    )
    assert pauses == ([storage.lag] if killed else [])
    assert list(storage.look_up(["a", "b"])) == (left if killed else [])
