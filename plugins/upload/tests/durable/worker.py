"""Runs uploads in processes that may be killed; see `killing.forks`."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3.session
import psycopg
import pyarrow
from killing.forks import at_call, carry_out, serve

from handrail_storage.backend import unfinished
from handrail_storage.backend.labels import Labels
from handrail_storage.backend.small import SmallLocalFiles
from handrail_storage.backend.small_objects import SmallObjects
from handrail_storage.claims import Claim, Claims
from handrail_upload import DefaultUploadAction
from handrail_upload.catalogue import Catalogue
from handrail_upload.catalogue.database import Database
from handrail_upload.reading import Reading
from handrail_upload.storage.local import LocalStorage
from handrail_upload.storage.objects import ObjectStorage

LOADED = (boto3.session, psycopg, pyarrow)  # So that no child has to.

STORAGES = (LocalStorage, ObjectStorage)
CALLS: dict[str, tuple[type[Any], ...]] = {
    **dict.fromkeys(("put", "probe", "set_aside", "put_over", "delete_found"), STORAGES),
    **dict.fromkeys(("leave_folders",), STORAGES),
    "carry": (Labels,),
    **dict.fromkeys(("ask", "undo"), (Claims,)),
    **dict.fromkeys(("hold", "seal", "replaced", "keep_replaced"), (Claim,)),
    **dict.fromkeys(("swap", "create", "remove_all"), (SmallLocalFiles, SmallObjects)),
    **dict.fromkeys(("prepare", "publish", "remove", "withdraw"), (Catalogue,)),
    **dict.fromkeys(("change",), (Database,)),
}


def at_part(told: dict[str, Any]) -> None:
    """Let the process die when it reads part number `part` of a file, and one is on its way."""
    usual = Reading.parts

    def parts(self: Any, *given: Any) -> Iterator[bytes]:
        for number, part in enumerate(usual(self, *given), 1):
            yield part
            if number + 1 == told["part"]:
                time.sleep(1)  # Until the server has heard of it; there is nothing to wait for.
                os.kill(os.getpid(), signal.SIGKILL)

    Reading.parts = parts  # type: ignore[method-assign]


def grow_at_put(told: dict[str, Any]) -> None:
    """Let a file of the source grow once something is put."""
    usual = LocalStorage.put

    def put(self: Any, *given: Any) -> Any:
        with open(os.path.join(told["params"]["source"], told["grows"]), "ab") as file:
            file.write(b"more")
        return usual(self, *given)

    LocalStorage.put = put  # type: ignore[method-assign]


def work(told: dict[str, Any]) -> dict[str, Any]:
    """Upload, and go on, in small batches."""
    LocalStorage.batch = ObjectStorage.batch = told["batch"]
    ObjectStorage.lag = 0.1  # A server beside it is quicker than one far away.
    # moto says of every upload in parts that it was begun in 2010.
    unfinished._SKEW = timedelta(days=20 * 366)
    if told.get("call"):
        at_call(told, CALLS[told["call"]])
    if told.get("part"):
        at_part(told)
    if told.get("grows"):
        grow_at_put(told)
    return carry_out(DefaultUploadAction, told)


if __name__ == "__main__":
    serve(work)
