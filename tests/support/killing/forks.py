"""A worker that runs each action in a new forked process, which may be killed.

The worker itself runs nothing, so a child inherits no threads and no connections. It reads commands
in lines of JSON, and answers each with the end of the child.
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
from handrail.sqlite import SqliteJournal

Work = Callable[[dict[str, Any]], dict[str, Any]]


class Count:
    """Counts calls from all threads, and ends this process at call number `at`.

    Args:
        at: The number of the call, from 1; None for never.
        when: `before` or `after` the call.
        strike: The signal; by default SIGKILL, like a power cut.
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
    """Kill the process at call number `nth` of a function, or of a method of all owners."""
    name, count = told["call"], Count(told["nth"], told["when"])
    for owner in owners:
        setattr(owner, name, count.around(getattr(owner, name)))


CHANGES = ("os.setxattr", "os.link", "os.rename", "os.remove", "os.mkdir", "os.rmdir")
"""The audit events of what changes a folder, but for files that are created."""


def at_change(number: int) -> None:
    """Kill the process before change number `number` that Python makes in any folder."""
    count = iter(range(number - 1, 0, -1))
    own = os.getpid()

    def kill(event: str, args: tuple[Any, ...]) -> None:
        made = event == "open" and isinstance(args[2], int) and args[2] & os.O_CREAT
        if (made or event in CHANGES) and next(count, None) is None:
            os.kill(own, signal.SIGKILL)

    sys.addaudithook(kill)


class Journal(SqliteJournal):
    """A journal whose process dies at its write number `at` to a run."""

    count: Count

    def open_run(self, new: Any, changes: Any = ()) -> Any:
        return self._counted(super().open_run(new, changes))

    def claim(self, number: int, *, take_over: bool = False) -> Any:
        return self._counted(super().claim(number, take_over=take_over))

    def _counted(self, owned: Any) -> Any:
        owned.write = self.count.around(owned.write)
        return owned


def carry_out(action: type[handrail.BaseAction[Any]], told: dict[str, Any]) -> dict[str, Any]:
    """Execute the command `told`; return the result or the error, and the number of writes."""
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
    """Answer each line with the value of `work` in a child started in its own folder."""
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
        # Wait without reaping: its process id must not be reused while the killer may signal it.
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
        # Output of steps would be mixed with the answers and with the output of the tests.
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            if told.get("change"):
                at_change(told["change"])
            answer = work(told)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(answer, file)
        code = 1 if "error" in answer else 0
    except BaseException:  # noqa: BLE001 - it is told by the exit code
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)
