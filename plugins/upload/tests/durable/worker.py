"""Runs uploads in processes that may be killed; a new one for each, forked from this one.

This one never uploads anything itself, so a child has no threads and no connections of others. It
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
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import boto3.session
import psycopg
import pyarrow

import handrail
import handrail_upload.steps.generate_data_units as generate_data_units
from handrail.journal.sqlite import SqliteJournal
from handrail_upload import DefaultUploadAction
from handrail_upload.catalogue import Catalogue
from handrail_upload.reading import Reading
from handrail_upload.storage import unfinished
from handrail_upload.storage.local import LocalStorage
from handrail_upload.storage.objects import ObjectStorage

LOADED = (boto3.session, psycopg, pyarrow)  # So that no child has to.


STORAGES = (LocalStorage, ObjectStorage)
CALLS: dict[str, tuple[type[Any], ...]] = {
    **dict.fromkeys(("put", "probe", "set_aside", "put_back", "delete", "discard"), STORAGES),
    **dict.fromkeys(("prepare", "stage", "publish", "remove", "withdraw"), (Catalogue,)),
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

    def deadly(usual: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *given: Any) -> Any:
            with lock:
                count[0] += 1
                here = count[0] == told["nth"]
            if here and told["when"] == "before":
                die()
            answer = usual(self, *given)
            if here:
                die()
            return answer

        return call

    for owner in CALLS[told["call"]]:
        setattr(owner, told["call"], deadly(getattr(owner, told["call"])))


def at_part(told: dict[str, Any]) -> None:
    """Let the process die when it reads part number `part` of a file, and one is on its way."""
    usual = Reading.parts

    def parts(self: Any, *given: Any) -> Iterator[bytes]:
        for number, part in enumerate(usual(self, *given), 1):
            yield part
            if number + 1 == told["part"]:
                time.sleep(1)  # Until the server has heard of it; there is nothing to wait for.
                die()

    Reading.parts = parts  # type: ignore[method-assign]


def work(told: dict[str, Any]) -> dict[str, Any]:
    os.environ.update(told["environment"])
    os.chdir(told["folder"])
    LocalStorage.batch = ObjectStorage.batch = told["batch"]
    ObjectStorage.lag = 0.1  # A server beside it is quicker than one far away.
    generate_data_units._PAGE = 4
    if told.get("call"):
        at_call(told)
    # moto says of every upload in parts that it was begun in 2010.
    unfinished._SKEW = timedelta(days=20 * 366)
    if told.get("part"):
        at_part(told)
    journal = Journal(told["journal"])
    journal.told = told
    answer: dict[str, Any] = {}
    try:
        if told["do"] == "run":
            answer = DefaultUploadAction(told["params"], packs=()).run(journal=journal)
        else:
            go_on = getattr(handrail, told["do"])
            answer = go_on(DefaultUploadAction, 1, journal=journal, packs=())
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
