"""Uploads in processes of their own, which are killed at random instants; see `killing.forks`."""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial
from typing import Any

import boto3.session
import pyarrow
from killing.forks import carry_out, serve

from handrail.builtin.records.run_record import rollback_data_of
from handrail.hookspecs import PrunedRun
from handrail.sqlite import SqliteJournal
from handrail_storage.claims import Clock, claims
from handrail_storage.claims.pruning import release
from handrail_upload import DefaultUploadAction
from handrail_upload.storage.local import LocalStorage
from handrail_upload.storage.objects import ObjectStorage

LOADED = (boto3.session, pyarrow)  # So that no child has to.


def work(told: dict[str, Any]) -> dict[str, Any]:
    """Upload, and go on, in small batches, with little patience for runs that are in the way."""
    LocalStorage.batch = ObjectStorage.batch = 4
    ObjectStorage.lag = 0.1  # A server beside it is quicker than one far away.
    later = told.get("later", 0.0)
    now = lambda: time.time() + later  # noqa: E731
    claims.Clock = partial(Clock, asking=0.2, undoing=0.2, now=now)  # type: ignore[misc,assignment]
    if told["do"] == "prune":
        return forget(told["journal"])
    return carry_out(DefaultUploadAction, told)


def forget(path: str) -> dict[str, Any]:
    """Release what the run of a journal keeps elsewhere, as if the journal were pruned."""
    with closing(SqliteJournal(path)) as journal:
        row = journal.read(1)
    said = release(
        PrunedRun(
            uid=row.uid,
            number=1,
            action=row.action,
            outcome=str(row.outcome),
            project=row.project,
            folder=row.cwd,
            rollback_data=rollback_data_of(row),
        )
    )
    return {"said": said}


if __name__ == "__main__":
    serve(work)
