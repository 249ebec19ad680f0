"""Uploads in processes of their own, which are killed at random instants; see `killing.forks`."""

from __future__ import annotations

from typing import Any

import boto3.session
import pyarrow
from killing.forks import carry_out, serve

from handrail_storage.claims import Clock
from handrail_upload import DefaultUploadAction
from handrail_upload.storage.local import LocalStorage
from handrail_upload.storage.objects import ObjectStorage

LOADED = (boto3.session, pyarrow)  # So that no child has to.


def work(told: dict[str, Any]) -> dict[str, Any]:
    """Upload, and go on, in small batches, with little patience for runs that are in the way."""
    LocalStorage.batch = ObjectStorage.batch = 4
    ObjectStorage.lag = 0.1  # A server beside it is quicker than one far away.
    Clock.__init__.__kwdefaults__.update(asking=0.2, undoing=0.2)
    return carry_out(DefaultUploadAction, told)


if __name__ == "__main__":
    serve(work)
