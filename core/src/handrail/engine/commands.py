"""What the engine asks of a driver, and what a driver answers.

The command for a plain step is the `PlannedStep` itself: while going forward it means "execute it",
between `UNDO_BEGINS` and `UNDO_ENDS` it means "call its rollback with `RunState.undo_result`". The
answers are a StepResult or `Raised`. `Call`, `Attempt` and `Sleep` come from the wrappers' module.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import Enum
from typing import Any

Machine = Generator[Any, Any, None]
"""A run that is played: it yields commands, and is sent answers."""


class Mark(Enum):
    """A point in the run; answered by None, or by `Raised` where an interrupt is waiting.

    `CHECK` stands after the last ordinary step.
    """

    CHECK = "check"
    UNDO_BEGINS = "undo begins"
    UNDO_ENDS = "undo ends"


CHECK = Mark.CHECK
UNDO_BEGINS = Mark.UNDO_BEGINS
UNDO_ENDS = Mark.UNDO_ENDS


@dataclass(frozen=True, slots=True)
class Commit:
    """Ask the driver to commit the log; answered by None or `Raised`, interrupts wait."""


COMMIT = Commit()


@dataclass(frozen=True, slots=True)
class Report:
    """Ask the driver to report that the run has come to `percent`; answered by None or `Raised`."""

    percent: int


@dataclass(slots=True)
class NotRun:
    """The answer to a step that was not started, because `error` came first."""

    error: BaseException
