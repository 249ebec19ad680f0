"""Runs the command line in processes that may be killed; a new one for each, forked from this one.

This one never runs anything itself, so a child knows nothing of the runs before. It is told what
to do in lines of JSON, and answers each with how the child ended.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from typing import Any

from killing import disks
from killing.effects import client
from killing.forks import Count

from handrail.cli import main
from handrail.sqlite import SqliteJournal

OWN = ("__main__", "twenty", "all_kinds")
"""Modules that each child imports itself."""


class Written(Count):
    """Counts what this process writes to its journal, opening and claiming included."""

    def owned(self, usual: Callable[..., Any]) -> Callable[..., Any]:
        opens = self.around(usual)

        def opened(*given: Any, **more: Any) -> Any:
            owned = opens(*given, **more)
            owned.write = self.around(owned.write)
            return owned

        return opened


def journals() -> list[Any]:
    """Return the classes of the journals that are here."""
    with contextlib.suppress(ImportError):
        from handrail_postgres import PostgresJournal

        return [SqliteJournal, PostgresJournal]
    return [SqliteJournal]


def child(told: dict[str, Any], path: str) -> None:
    code = 70
    with open(path, "w", encoding="utf-8") as answer:
        try:
            os.dup2(answer.fileno(), 1)
            os.dup2(answer.fileno(), 2)
            os.environ.update(told["environment"])
            os.chdir(told["folder"])
            strike = signal.SIGSTOP if told.get("stop") else signal.SIGKILL
            count = Written(told.get("at"), told.get("when"), strike)
            if told.get("disk"):
                disks.fail(told["disk"])
            SqliteJournal.__init__.__kwdefaults__["lease"] = told.get("lease", 20.0)
            for each in journals():
                each.open_run = count.owned(each.open_run)
                each.claim = count.owned(each.claim)
            code = main(told["words"])
            sys.stdout.flush()
            more = {"writes": count.calls, "modules": sorted(sys.modules) * ("warm" in told)}
            more["calls"] = disks.calls()
            print(f"\n{json.dumps(more)}", flush=True)
        except BaseException:  # noqa: BLE001 - it is told by the exit code
            traceback.print_exc()
        finally:
            os._exit(code)


def answer(told: dict[str, Any]) -> dict[str, Any]:
    """Do it in a child, which is killed `after` so many seconds if it still lives."""
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as file:
        number = os.fork()
        if number == 0:
            child(told, file.name)
        killer = threading.Timer(told.get("after", 60), os.kill, (number, signal.SIGKILL))
        killer.start()
        # It is waited for before its number is given away: the killer hits nobody else.
        os.waitid(os.P_PID, number, os.WEXITED | os.WNOWAIT)
        killer.cancel()
        killer.join()
        status = os.waitpid(number, 0)[1]
        text = file.read()
    ended: dict[str, Any] = {"code": os.waitstatus_to_exitcode(status), "said": text}
    if ended["code"] >= 0:
        ended["said"], more = text.rstrip().rsplit("\n", 1)
        ended.update(json.loads(more))
        warm(ended.pop("modules"))
    return ended


def warm(names: list[str]) -> None:
    """Import what a child has imported, so that no other has to."""
    for name in names:
        if name.partition(".")[0] not in OWN and name not in sys.modules:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


if __name__ == "__main__" and sys.argv[1:]:
    # By itself: what it is told, and where its answer goes.
    child(json.loads(sys.argv[1]), sys.argv[2])
elif __name__ == "__main__":
    if "AWS_ENDPOINT_URL" in os.environ:
        client()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
