"""ActionInfo: what is known of an action while it is planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.frozen import frozen

if TYPE_CHECKING:
    from handrail.origin import Origin


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
    context_type: type
    origin: Origin
