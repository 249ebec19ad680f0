"""The commands of the engine to a driver, and the answers.

The command for a plain step is the `PlannedStep` itself: while going forward it means "execute it",
and is answered by a StepResult or `Raised`; while `Line.asking` it means "ask its `can_skip`".
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from handrail.frozen import frozen, record

if TYPE_CHECKING:
    from handrail.limits import Limits
    from handrail.steps import BaseStep, StepResult

Machine = Generator[Any, Any, None]
"""A run that is played: it yields commands, and is sent answers."""


@record
class GoBack:
    """Play `walk` to its end, even if the run is cancelled; answered by None.

    In `walk`, a `PlannedStep` means "call its rollback with `Line.undo_result`"; it is answered by
    None or `Raised`. The driver plays it directly, not through the requesting machine: passing a
    command up through three generators costs as much as the rest of an undo.
    """

    walk: Machine


@frozen(kw_only=False)
class Commit:
    """Ask the driver to commit the log; answered by None or `Raised`, interrupts wait."""


COMMIT = Commit()


@frozen(kw_only=False)
class Report:
    """Ask the driver to report that the run has come to `percent`.

    It is answered by None, or by `Raised`, also if an interrupt is pending.
    """

    percent: int


CHECK = Report(0)
"""Comes after the last ordinary step, where nothing is to be reported."""


@record
class Call:
    """Ask a driver to call `function(*args)`, user code, and to send the value or a `Raised`.

    Attributes:
        function: What to call.
        args: Its arguments.
        step: The step of which this is an attempt, if it is: then the answer is a StepResult or
            `Raised`.
        limits: Within which to do it. Once its time is over it is interrupted as far as the driver
            can, and the answer is a `Raised` with a StepTimeoutError, however it ended.
        inline: Whether it is short and never blocks: an async driver makes it in the event loop.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    step: BaseStep[Any] | None = None
    limits: Limits | None = None
    inline: bool = False


def attempt(
    step: BaseStep[Any],
    context: Any,
    resumed: StepResult | None = None,
    limits: Limits | None = None,
) -> Call:
    """Return the command for one attempt of a step, which is not a layer.

    Args:
        step: The step.
        context: Its context.
        resumed: The record of an interrupted attempt, to be continued.
        limits: The limits of the attempt.
    """
    if resumed is None:
        return Call(step.execute, (context,), step, limits)
    return Call(step.resume, (context, resumed), step, limits)


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
