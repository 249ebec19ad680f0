"""Runs actions in processes that may be killed; a new one for each, forked from this one.

This one never runs anything itself, so a child has no threads and no connections of others. It is
told what to do in lines of JSON, and answers each with how the child ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import handrail
from handrail.journal.sqlite import SqliteJournal

Work = Callable[[dict[str, Any]], dict[str, Any]]


class Count:
    """Counts calls, from whatever thread, and lets this process end around number `at`.

    Args:
        at: The number, from 1; None for never.
        when: `before` or `after` the call.
        strike: The signal: as a power cut would, unless given.
    """

    def __init__(self, at: int | None, when: str | None, strike: int = signal.SIGKILL) -> None:
        self.at, self.when, self.calls = at, when, 0
        self._strike = strike
        self._lock = threading.Lock()

    def around(self, usual: Callable[..., Any]) -> Callable[..., Any]:
        """Return `usual`, counted."""

        def call(*given: Any, **named: Any) -> Any:
            with self._lock:
                self.calls += 1
                here = self.calls == self.at
            if here and self.when == "before":
                os.kill(os.getpid(), self._strike)
            answer = usual(*given, **named)
            if here and self.when == "after":
                os.kill(os.getpid(), self._strike)
            return answer

        return call


def at_call(told: dict[str, Any], owners: Iterable[Any]) -> None:
    """Let the process die around call number `nth` of a function, or of a method of all owners."""
    name, count = told["call"], Count(told["nth"], told["when"])
    for owner in owners:
        setattr(owner, name, count.around(getattr(owner, name)))


class Journal(SqliteJournal):
    """A journal whose process dies around its write number `at` to a run."""

    count: Count

    def open_run(self, new: Any, changes: Any = ()) -> Any:
        return self._counted(super().open_run(new, changes))

    def claim(self, number: int, *, take_over: bool = False) -> Any:
        return self._counted(super().claim(number, take_over=take_over))

    def _counted(self, owned: Any) -> Any:
        owned.write = self.count.around(owned.write)
        return owned


def carry_out(action: type[handrail.BaseAction[Any]], told: dict[str, Any]) -> dict[str, Any]:
    """Do what `told` says; return the result, or the error, and how often it was written."""
    journal = Journal(told["journal"])
    journal.count = Count(told.get("at"), told.get("when"))
    answer: dict[str, Any] = {}
    try:
        if told["do"] == "run":
            keep = told.get("on_failure", "undo")
            answer = action(told["params"], packs=()).run(journal=journal, on_failure=keep)
        else:
            answer = getattr(handrail, told["do"])(action, 1, journal=journal, packs=())
    except Exception as error:  # noqa: BLE001 - it is the answer
        cause = error.__cause__ or error
        answer = {"error": type(error).__name__, "message": f"{error} ({cause})"}
        if os.environ.get("HANDRAIL_TEST_TRACE"):
            traceback.print_exc(file=sys.__stderr__)
    journal.close()
    return {**answer, "writes": journal.count.calls}


def serve(work: Work) -> None:
    """Answer each line with what `work` returned in a child that began in its own folder."""
    for line in sys.stdin:
        print(json.dumps(_answer(work, json.loads(line))), flush=True)


def _answer(work: Work, told: dict[str, Any]) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile() as file:
        number = os.fork()
        if number == 0:
            _child(work, told, file.name)
        killer = None
        if told.get("after"):
            killer = threading.Timer(told["after"], os.kill, (number, signal.SIGKILL))
            killer.start()
        # It is waited for before its number is given away: the killer hits nobody else.
        os.waitid(os.P_PID, number, os.WEXITED | os.WNOWAIT)
        if killer is not None:
            killer.cancel()
            killer.join()
        status = os.waitpid(number, 0)[1]
        text = file.read().decode()
    return {"code": os.waitstatus_to_exitcode(status), **(json.loads(text) if text else {})}


def _child(work: Work, told: dict[str, Any], path: str) -> None:
    code = 70
    try:
        os.environ.update(told["environment"])
        os.chdir(told["folder"])
        # What steps say would be mixed into the answers, and into what the tests say.
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            answer = work(told)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(answer, file)
        code = 1 if "error" in answer else 0
    except BaseException:  # noqa: BLE001 - it is told by the exit code
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)
