"""Edits as data: the changes that packs and the project make to an action's steps."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal

from handrail.frozen import frozen, record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handrail.entry import Entry
    from handrail.origin import Origin
    from handrail.registry import IfMissing, Wrapper

Side = Literal["before", "after", "end"]

PROJECT = "project"  # The owner of the project's edits.


@record
class Insertion:
    """A block of steps and groups that hangs before or after an anchor, or at the end.

    Attributes:
        entries: The steps of the block, in order; those of a group have its lanes.
        anchor: Name of the step or group that the block hangs on; None at the end.
        side: On which side of the anchor.
        origin: Origin of the edit.
        if_missing: Whether a missing anchor is an error, or the block is left out.
        causes: The packs that led to it, including its own; they are not asked about its steps.
        sources: Origin of each step, if they differ from that of the edit.
    """

    entries: tuple[Entry, ...]
    anchor: str | None
    side: Side
    origin: Origin
    if_missing: IfMissing = "error"
    causes: frozenset[str] = frozenset()
    sources: tuple[Origin, ...] = ()

    @property
    def names(self) -> list[str]:
        """All anchors that it brings: the names of its steps and of its groups."""
        groups: dict[str, None] = {}
        names: list[str] = []
        for entry in self.entries:
            if entry.lane is not None:
                groups[entry.lane.group.name] = None
            names += entry.names
        return [*groups, *names]

    @property
    def titles(self) -> tuple[str, ...]:
        """What it brings, for messages: the name of a group stands for those of its steps."""
        brought = (each.lane.group if each.lane is not None else each for each in self.entries)
        return tuple(dict.fromkeys(each.name for each in brought))


@record
class Replacement:
    """Another step in the place of the one called `name`."""

    name: str
    entry: Entry
    origin: Origin


@record
class Wrapping:
    """A layer around the step called `name`.

    Attributes:
        layer: The wrapper, or a function that returns it for the step.
        around: The step that the layer was created for, if a hook returned it.
        source: Origin of the layer, if it differs from that of the edit.
    """

    name: str
    layer: Wrapper
    origin: Origin
    around: object = None
    source: Origin | None = None


@frozen
class Removal:
    """The step called `name`, or the group with all the steps that it brought, is taken out."""

    name: str
    origin: Origin
    missing_ok: bool = False


@frozen
class Limiting:
    """Other limits and another undo policy that the project gives the step called `name`.

    Attributes:
        values: Values by the keywords of `@step`, such as `timeout` and `rollback_retries`.
    """

    name: str
    values: Mapping[str, object]
    origin: Origin
    missing_ok: bool = False


@record
class EditSet:
    """All edits of one action by one pack or the project, in the order of the calls."""

    owner: str
    insertions: list[Insertion] = field(default_factory=list["Insertion"])
    replacements: list[Replacement] = field(default_factory=list["Replacement"])
    wrappings: list[Wrapping] = field(default_factory=list["Wrapping"])
    removals: list[Removal] = field(default_factory=list["Removal"])
    limitings: list[Limiting] = field(default_factory=list["Limiting"])

    @property
    def count(self) -> int:
        """The number of edits."""
        placed = len(self.insertions) + len(self.replacements) + len(self.removals)
        return placed + len(self.wrappings) + len(self.limitings)


@frozen(eq=False)
class History:
    """The input from which a plan was resolved.

    Attributes:
        base: The steps of the action itself, in order, with their origins.
        edits: The sets of edits, in the order in which they were applied.
        left_out: Optional insertions whose anchor was missing.
        grants: The permitted changes of each pack to steps of others.
    """

    base: tuple[tuple[Entry, Origin], ...]
    edits: tuple[EditSet, ...]
    left_out: tuple[Insertion, ...]
    grants: Mapping[str, frozenset[str]]
