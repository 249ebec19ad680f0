"""What hooks receive of an action that is planned, and of a run that is to begin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from handrail.frozen import frozen, record

if TYPE_CHECKING:
    from handrail.origin import Origin
    from handrail.plan.plan import Plan


@frozen
class ActionInfo:
    """The action that is being planned, as hooks receive it.

    Attributes:
        name: The action's name on the command line.
        lineage: Its name and those of the actions it extends, nearest first. Test
            `"upload" in action.lineage` to include subclasses of `upload` and workflows that
            extend it.
        context_type: The context class.
        origin: Where the action came from.
    """

    name: str
    lineage: tuple[str, ...]
    context_type: type[Any]
    origin: Origin


@record
class CheckedRun:
    """A run, or the resume of one, before it begins; a check may say on it what it has found.

    Attributes:
        plan: The plan to run, or a part of it.
        whole: Returns the whole plan, of which `plan` may be a part.
        action_class: The class of the action.
        target: The action as the command line has found it by its name; None for a program.
        no_lock: Whether the lock is left aside, because of `--no-lock`.
        left_aside: Whether it was when the run to be resumed began.
        locked: Said by the check: True if the plan is locked; False if the lock was left aside;
            None if there is none.
    """

    plan: Plan
    whole: Callable[[], Plan]
    action_class: type[Any]
    target: Any = None
    no_lock: bool = False
    left_aside: bool = False
    locked: bool | None = None
