"""What the engine asks of a driver, and what a driver answers.

The command for a plain step is the `PlannedStep` itself: while going forward it means "execute it",
and is answered by a StepResult or `Raised`; while `RunState.asking` it means "ask its `can_skip`".
`Call`, `Attempt` and `Sleep` come from the wrappers' module.
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


CHECK = Mark.CHECK


@dataclass(slots=True)
class GoBack:
    """Ask the driver to play `walk` to its end, whatever cancels the run; answered by None.

    In there a `PlannedStep` means "call its rollback with `RunState.undo_result`"; it is answered
    by None or `Raised`. The driver plays it by itself, not through the machine that asks: handing
    a command up through three generators costs as much as the rest of an undo.
    """

    walk: Machine


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
