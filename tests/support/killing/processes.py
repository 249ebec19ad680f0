"""Processes that die before or after a write to their journal."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from handrail.journal.sqlite import SqliteJournal


def in_child(work: Callable[[], object]) -> int:
    """Call `work` in a forked process; return its status from `waitpid`."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            work()
            code = 0
        except BaseException as error:  # noqa: BLE001 - it is told by the exit code
            with open(os.environ.get("HANDRAIL_TEST_ERRORS", os.devnull), "a") as file:
                file.write(f"{type(error).__name__}: {error}\n")
            code = 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Killing(SqliteJournal):
    """A journal whose process dies before or after its write number `at`."""

    at = 0
    when = "before"

    def open_run(self, new: Any, changes: Any = ()) -> Any:
        return self._deadly(super().open_run(new, changes))

    def claim(self, number: int, *, take_over: bool = False) -> Any:
        return self._deadly(super().claim(number, take_over=take_over))

    def _deadly(self, owned: Any) -> Any:
        write, left = owned.write, [self.at]

        def deadly(changes: Any) -> None:
            left[0] -= 1
            if left[0] == 0 and self.when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            write(changes)
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        owned.write = deadly
        return owned
