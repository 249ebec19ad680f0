"""Runs exports in processes that may be killed; a new one for each, forked from this one.

This one never exports anything itself, so a child has no threads and no connections of others. It
is told what to do in lines of JSON, and answers each with how the child ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
import traceback
from typing import Any

import adbc_driver_sqlite.dbapi
import duckdb
import PIL.Image
import pyarrow.parquet

import handrail
from handrail.journal.sqlite import SqliteJournal
from handrail_export import DefaultExportAction
from handrail_export.formats.coco import CocoFormat
from handrail_export.formats.tables import CsvFormat, ParquetFormat
from handrail_export.manifest import Manifest
from handrail_export.storage.local import LocalTarget
from handrail_export.storage.objects import ObjectTarget

LOADED = (adbc_driver_sqlite.dbapi, duckdb, PIL.Image, pyarrow.parquet)  # So that no child has to.

TARGETS = (LocalTarget, ObjectTarget)
CALLS: dict[str, tuple[type[Any], ...]] = {
    **dict.fromkeys(("prepare", "put", "set_aside", "put_back", "delete", "flush"), TARGETS),
    "write": (CsvFormat, ParquetFormat, CocoFormat),
    "add": (Manifest,),
    "settle": (Manifest,),
}


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly:
    """An owned run whose process dies at one of its writes."""

    def __init__(self, owned: Any, told: dict[str, Any]) -> None:
        self.owned, self.told, self.writes = owned, told, 0

    def write(self, changes: Any) -> None:
        self.writes += 1
        here = self.writes == self.told.get("at")
        if here and self.told["when"] == "before":
            die()
        self.owned.write(changes)
        if here:
            die()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.owned, name)


class Journal(SqliteJournal):
    """A journal of such runs."""

    told: dict[str, Any]
    run: Deadly | None = None

    def open_run(self, new: Any, changes: Any = ()) -> Any:
        self.run = Deadly(super().open_run(new, changes), self.told)
        return self.run

    def claim(self, number: int, *, take_over: bool = False) -> Any:
        self.run = Deadly(super().claim(number, take_over=take_over), self.told)
        return self.run


def at_call(told: dict[str, Any]) -> None:
    """Let the process die around call number `nth` of a method."""
    lock, count = threading.Lock(), [0]

    def deadly(usual: Any) -> Any:
        def call(self: Any, *given: Any, **named: Any) -> Any:
            with lock:
                count[0] += 1
                here = count[0] == told["nth"]
            if here and told["when"] == "before":
                die()
            answer = usual(self, *given, **named)
            if here:
                die()
            return answer

        return call

    for owner in CALLS[told["call"]]:
        setattr(owner, told["call"], deadly(getattr(owner, told["call"])))


def work(told: dict[str, Any]) -> dict[str, Any]:
    os.environ.update(told["environment"])
    os.chdir(told["folder"])
    LocalTarget.page = ObjectTarget.page = 3
    if told.get("call"):
        at_call(told)
    journal = Journal(told["journal"])
    journal.told = told
    answer: dict[str, Any] = {}
    try:
        if told["do"] == "run":
            answer = DefaultExportAction(told["params"], packs=()).run(journal=journal)
        else:
            go_on = getattr(handrail, told["do"])
            answer = go_on(DefaultExportAction, 1, journal=journal, packs=())
    except Exception as error:  # noqa: BLE001 - it is the answer
        cause = error.__cause__ or error
        answer = {"error": type(error).__name__, "message": f"{error} ({cause})"}
        if os.environ.get("HANDRAIL_TEST_TRACE"):
            traceback.print_exc()
    writes = 0 if journal.run is None else journal.run.writes
    journal.close()
    return {**answer, "writes": writes}


def child(told: dict[str, Any], path: str) -> None:
    code = 70
    try:
        # Progress would be mixed into the answers.
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            answer = work(told)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(answer, file)
        code = 1 if "error" in answer else 0
    except BaseException:  # noqa: BLE001 - it is told by the exit code
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def answer(told: dict[str, Any]) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile() as file:
        number = os.fork()
        if number == 0:
            child(told, file.name)
        killer = None
        if told.get("after"):

            def kill() -> None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)

            killer = threading.Timer(told["after"], kill)
            killer.start()
        status = os.waitpid(number, 0)[1]
        if killer is not None:
            killer.cancel()
            killer.join()
        text = file.read().decode()
    return {"code": os.waitstatus_to_exitcode(status), **(json.loads(text) if text else {})}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
