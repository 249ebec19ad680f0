"""The commands of the engine to a driver, and the answers.

The command for a plain step is the `PlannedStep` itself: while going forward it means "execute it",
and is answered by a StepResult or `Raised`; while `Line.asking` it means "ask its `can_skip`".
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from handrail.frozen import frozen, record

if TYPE_CHECKING:
    from handrail.limits import Limits
    from handrail.steps import BaseStep, StepResult

Machine = Generator[Any, Any, None]
"""A run that is played: it yields commands, and is sent answers."""


class Mark(Enum):
    """A point in the run; answered by None, or by `Raised` if an interrupt is pending.

    `CHECK` comes after the last ordinary step.
    """

    CHECK = "check"


CHECK = Mark.CHECK


@record
class GoBack:
    """Play `walk` to its end, even if the run is cancelled; answered by None.

    In `walk`, a `PlannedStep` means "call its rollback with `Line.undo_result`"; it is answered by
    None or `Raised`. The driver plays it directly, not through the requesting machine: passing a
    command up through three generators costs as much as the rest of an undo.
    """

    walk: Machine


@record
class Abreast:
    """Play lanes side by side; answered by None once all are over, by `NotRun`, or by `Raised`.

    Only the thread of the driver moves a lane. Once `group.stopping` is set no lane may start a
    step, and the driver cancels what it can. `Raised` means that the run is left as it is: steps
    may be running still.

    Attributes:
        group: The `GroupRun`, which drivers stop; commands know no types of the engine.
        lanes: Each `Lane` of it, in the order in which they start.
        limit: How many lanes run at the same time; None for all of them.
    """

    group: Any
    lanes: tuple[Any, ...]
    limit: int | None


@frozen(kw_only=False)
class Commit:
    """Ask the driver to commit the log; answered by None or `Raised`, interrupts wait."""


COMMIT = Commit()


@frozen(kw_only=False)
class Report:
    """Ask the driver to report that the run has come to `percent`; answered by None or `Raised`."""

    percent: int


@record
class Call:
    """Ask a driver to call `function(*args)`, user code, and to send the value or a `Raised`.

    `inline` calls are short and never block: an async driver makes them in the event loop.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    inline: bool = False


@record
class Attempt:
    """Execute `step`, which is not a layer, once; answered by a StepResult or `Raised`.

    `resumed` is the record of an interrupted attempt, to be continued.
    """

    step: BaseStep[Any]
    resumed: StepResult | None = None


@record
class Limited:
    """Do `command` within `limits`; answered like the command itself.

    Once its time is over it is interrupted as far as the driver can, and the answer is a `Raised`
    with a StepTimeoutError, however it ended.
    """

    command: Attempt | Call
    limits: Limits


@record
class Revert:
    """Ask for the undo of the last attempt of `step`, which ended as `outcome`."""

    step: BaseStep[Any]
    outcome: StepResult


@frozen(kw_only=False)
class Pause:
    """Ask for a pause of `seconds`; a driver of async steps suspends, others block."""

    seconds: float


@record
class Raised:
    """The answer to a call that raised.

    `left` is rollback data that a step has returned before a layer around it raised.
    """

    error: BaseException
    left: dict[str, Any] | None = None


@record
class NotRun:
    """The answer to a step that was not started, because `error` came first."""

    error: BaseException


class Played(Protocol):
    """The layers of a step, which are moved on with the answer to each of their commands.

    Attributes:
        answer: What to move on with after None.
    """

    answer: Raised | None

    def move(self, answer: Any) -> Attempt | Limited | Revert | Pause | StepResult | Raised | None:
        """Return the next command, the outcome, or None."""
        ...
