"""Which packs a call leaves out: what its flags and variables say, as a run records it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from handrail.frozen import frozen

if TYPE_CHECKING:
    from handrail.settings.values import Choice

RECORDED = "as when the run began"
"""The source of a selection that a run has recorded."""


@frozen
class Selection:
    """What flags and variables say about which packs are on; the project's file says more.

    Attributes:
        no_packs: Packs that are off.
        only_packs: The only packs that are on, or None for no such limit.
    """

    no_packs: tuple[str, ...] = ()
    only_packs: tuple[str, ...] | None = None


def selection_of(choices: Sequence[Choice]) -> Selection:
    """Return as one what `choices`, the strongest first, say beside the project's file."""
    no_packs: list[str] = []
    for choice in choices:
        no_packs += [name.value for name in choice.disable if not name.key]
        if choice.only is not None and not choice.only.key:
            # Whoever names the only packs decides for all of them; the weaker are not heard.
            return Selection(no_packs=tuple(no_packs), only_packs=choice.only.value)
    return Selection(no_packs=tuple(no_packs))
