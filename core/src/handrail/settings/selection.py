"""Selection: the packs that flags and variables exclude, as recorded with a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from handrail.frozen import frozen

if TYPE_CHECKING:
    from handrail.settings.values import Choice

RECORDED = "as when the run began"
"""The source of choices that come from the record of a run."""


@frozen
class Selection:
    """The packs selected by flags and variables; the project file may exclude more.

    Attributes:
        no_packs: Packs to exclude.
        only_packs: The only packs to use; None for all.
    """

    no_packs: tuple[str, ...] = ()
    only_packs: tuple[str, ...] | None = None


def selection_of(choices: Sequence[Choice]) -> Selection:
    """Return the combined selection of `choices`, strongest first, without the project file."""
    no_packs: list[str] = []
    for choice in choices:
        no_packs += [name.value for name in choice.disable if not name.key]
        if choice.only is not None and not choice.only.key:
            # A list of the only packs decides for all packs; weaker sources are ignored.
            return Selection(no_packs=tuple(no_packs), only_packs=choice.only.value)
    return Selection(no_packs=tuple(no_packs))
