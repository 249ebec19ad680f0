"""Processes that die before or after a write to their journal."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from handrail.sqlite import SqliteJournal


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


class Deadly:
    """A journal whose process dies before or after its write number `at`; mixed into a class.

    The writes are those of all its runs, and the opening of each that is a part of another.
    """

    at = 0
    when = "before"
    _left: int | None = None

    def open_run(self, new: Any, changes: Any = ()) -> Any:
        def add() -> Any:
            return super(Deadly, self).open_run(new, changes)  # type: ignore[misc]

        return self._deadly(add() if new.parent is None else self._counted(add))

    def claim(self, number: int, *, take_over: bool = False) -> Any:
        return self._deadly(super().claim(number, take_over=take_over))  # type: ignore[misc]

    def _deadly(self, owned: Any) -> Any:
        write = owned.write
        owned.write = lambda changes: self._counted(lambda: write(changes))
        return owned

    def _counted(self, write: Callable[[], Any]) -> Any:
        self._left = (self.at if self._left is None else self._left) - 1
        if self._left == 0 and self.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = write()
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done


class Killing(Deadly, SqliteJournal):
    """The same in a file."""
