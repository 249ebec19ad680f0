"""Runs exports in processes that may be killed; see `killing.forks`."""

from __future__ import annotations

from typing import Any

import adbc_driver_sqlite.dbapi
import duckdb
import PIL.Image
import pyarrow.parquet
from killing.forks import at_call, carry_out, serve

from handrail_export import DefaultExportAction
from handrail_export.formats.coco import CocoFormat
from handrail_export.formats.tables import CsvFormat, ParquetFormat
from handrail_export.manifest import Manifest
from handrail_export.placing import Placing
from handrail_storage.backend import LocalStore, ObjectStore
from handrail_storage.backend.labels import Labels
from handrail_storage.claims import Claim
from handrail_storage.claims.claim import OwnClaim
from handrail_storage.claims.ledger import Ledger

LOADED = (adbc_driver_sqlite.dbapi, duckdb, PIL.Image, pyarrow.parquet)  # So that no child has to.

TARGETS = (LocalStore, ObjectStore)
CALLS: dict[str, tuple[type[Any], ...]] = {
    **dict.fromkeys(("prepare", "set_aside", "put_over", "delete_found", "flush"), TARGETS),
    **dict.fromkeys(("change", "end"), (OwnClaim,)),
    **dict.fromkeys(("hold", "seal", "discard_asides", "replaced", "keep_replaced"), (Claim,)),
    **dict.fromkeys(("put_wanted", "put", "put_held", "remove_epoch_if_last"), (Ledger,)),
    "_put": (Placing,),
    "carry": (Labels,),
    "write": (CsvFormat, ParquetFormat, CocoFormat),
    "add": (Manifest,),
    "settle": (Manifest,),
}


def work(told: dict[str, Any]) -> dict[str, Any]:
    """Export, and go on, in small batches."""
    LocalStore.batch = ObjectStore.batch = 3
    if told.get("call"):
        at_call(told, CALLS[told["call"]])
    return carry_out(DefaultExportAction, told)


if __name__ == "__main__":
    serve(work)
