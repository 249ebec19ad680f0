"""Edits as data: who wants to change what about an action's steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handrail.origin import Origin
    from handrail.plan.builder import Draft
    from handrail.plan.entry import Entry
    from handrail.registry import IfMissing, Wrapper

Side = Literal["before", "after", "end"]

PROJECT = "project"  # The owner of the edits that no pack makes.


@dataclass(slots=True, kw_only=True, eq=False)
class Insertion:
    """A block of steps that hangs before or after an anchor, or at the end.

    Attributes:
        entries: The steps of the block, in order.
        anchor: Name of the step that the block hangs on; None at the end.
        side: On which side of the anchor.
        origin: Who put it there.
        if_missing: What to do when nothing answers to `anchor`.
        causes: The packs that led to it, its own included; those are not asked about its steps.
        source: Where the steps are from, when that is not who put them there.
    """

    entries: tuple[Entry, ...]
    anchor: str | None
    side: Side
    origin: Origin
    if_missing: IfMissing = "error"
    causes: frozenset[str] = frozenset()
    source: Origin | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Replacement:
    """Another step in the place of the one called `name`."""

    name: str
    entry: Entry
    origin: Origin


@dataclass(slots=True, kw_only=True, eq=False)
class Wrapping:
    """A layer around the step called `name`.

    Attributes:
        layer: The wrapper, or what makes it from the step.
        around: The step that the layer was made around, where a hook made it.
        source: Where the layer is from, when that is not who put it there.
    """

    name: str
    layer: Wrapper
    origin: Origin
    around: object = None
    source: Origin | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Removal:
    """The step called `name` is taken out."""

    name: str
    origin: Origin
    missing_ok: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class EditSet:
    """Everything that one pack, or the project, wants of one action, in the order of its calls."""

    owner: str
    insertions: list[Insertion] = field(default_factory=list["Insertion"])
    replacements: list[Replacement] = field(default_factory=list["Replacement"])
    wrappings: list[Wrapping] = field(default_factory=list["Wrapping"])
    removals: list[Removal] = field(default_factory=list["Removal"])

    @property
    def count(self) -> int:
        """How many edits there are."""
        return (
            len(self.insertions) + len(self.replacements) + len(self.wrappings) + len(self.removals)
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """What a plan was made from.

    Attributes:
        base: The steps of the action itself, in order.
        edits: The sets of edits, in the order in which they were applied.
        left_out: Those of their insertions that may do without an anchor, and missed it.
        grants: What each pack was allowed to do to the steps of others.
    """

    base: tuple[Draft, ...]
    edits: tuple[EditSet, ...]
    left_out: tuple[Insertion, ...]
    grants: Mapping[str, frozenset[str]]
