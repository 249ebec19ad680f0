"""Trains in processes that may be killed; a new one for each, forked from this one.

This one never trains anything itself, so a child has no threads and no locks of others. It is told
what to do in lines of JSON, and answers each with how the child ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Any

import obstore
import pyarrow.csv
import sklearn.linear_model
import sklearn.neural_network
import sklearn.pipeline
import sklearn.preprocessing
import skops.io

import handrail
from handrail.journal.sqlite import SqliteJournal
from handrail_train import DefaultTrainAction, checkpoints, publishing
from handrail_train.store.local import LocalStore
from handrail_train.store.objects import ObjectStore

# So that no child has to.
LOADED = (obstore, pyarrow.csv, sklearn.linear_model, sklearn.neural_network, skops.io)
MORE = (sklearn.pipeline, sklearn.preprocessing)

STORES = (LocalStore, ObjectStore)
CALLS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("create", "delete", "identities", "settle", "withdraw"), STORES),
    "write_whole": (checkpoints,),
    "remove": (checkpoints.Checkpoints,),
    "publish": (publishing.Publishing,),
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

    def open_run(self, new: Any, changes: Any = ()) -> Any:
        return Deadly(super().open_run(new, changes), self.told)

    def claim(self, number: int, *, take_over: bool = False) -> Any:
        return Deadly(super().claim(number, take_over=take_over), self.told)


def at_call(told: dict[str, Any]) -> None:
    """Let the process die around call number `nth` of a function or method."""
    count = [0]

    def deadly(usual: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            count[0] += 1
            here = count[0] == told["nth"]
            if here and told["when"] == "before":
                die()
            answer = usual(*given, **named)
            if here:
                die()
            return answer

        return call

    for owner in CALLS[told["call"]]:
        setattr(owner, told["call"], deadly(getattr(owner, told["call"])))


class Quiet:
    """Where what steps say goes: nowhere."""

    def log(self, *_: Any) -> None: ...
    def set_progress(self, *_: Any) -> None: ...
    def set_metrics(self, *_: Any) -> None: ...


def work(told: dict[str, Any]) -> dict[str, Any]:
    os.environ.update(told["environment"])
    os.chdir(told["folder"])
    for store in STORES:
        store.lag = min(store.lag, told["lag"])
    if told.get("call"):
        at_call(told)
    journal = Journal(told["journal"])
    journal.told = told
    quiet = handrail.RuntimeContext(logger=Quiet())
    try:
        if told["do"] == "run":
            made = DefaultTrainAction(told["params"], quiet, packs=())
            answer = made.run(journal=journal, on_failure=told.get("on_failure", "undo"))
        else:
            go_on = getattr(handrail, told["do"])
            answer = go_on(DefaultTrainAction, 1, journal=journal, packs=(), ctx=quiet)
    except Exception as error:  # noqa: BLE001 - it is the answer
        cause = error.__cause__ or error
        answer = {"error": type(error).__name__, "message": f"{error} ({cause})"}
        if os.environ.get("HANDRAIL_TEST_TRACE"):
            traceback.print_exc()
    journal.close()
    return dict(answer)


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
        status = os.waitpid(number, 0)[1]
        text = file.read().decode()
    return {"code": os.waitstatus_to_exitcode(status), **(json.loads(text) if text else {})}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
