"""A project's changes to actions, as declared in its file; names are not resolved yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from handrail import Origin
from handrail.frozen import NOTHING, frozen
from handrail.plan.edits import Limiting, Removal

Options = Mapping[str, Any]


@frozen
class Insert:
    """A step or a group that the project inserts into an action, or of which it makes a workflow.

    Attributes:
        step: Name of the step, such as `to_webp` or `acme-webp:to_webp`; empty for a group.
        name: Its name in the action; empty for its own name.
        side: The side of the anchor.
        anchor: Name of the step beside which it is inserted; None for the end.
        options: Arguments for the class or function that makes the step.
        if_missing: Whether a missing anchor is an error, or the step is skipped.
        limits: Other limits for the step, by the keywords of `@step`.
        lanes: The steps of each lane of a group; empty for a step.
        concurrency: How many lanes run at the same time; None for all of them.
        origin: File and line.
    """

    step: str = ""
    name: str = ""
    side: Literal["before", "after", "end"] = "end"
    anchor: str | None = None
    options: Options = NOTHING
    if_missing: Literal["error", "skip"] = "error"
    limits: Options = NOTHING
    lanes: tuple[tuple[Insert, ...], ...] = ()
    concurrency: int | None = None
    origin: Origin

    @property
    def steps(self) -> tuple[Insert, ...]:
        """Itself, or the steps of the group."""
        return tuple(step for lane in self.lanes for step in lane) or (self,)


@frozen
class Wrap:
    """A wrapper that the project puts around a step.

    Attributes:
        step: Name of the step.
        use: Name of the wrapper, such as `retry` or `acme-tools:retry`.
        options: Arguments for the wrapper, in addition to the step.
        origin: File and line.
    """

    step: str
    use: str
    options: Options = NOTHING
    origin: Origin


@frozen
class Changes:
    """One table `[actions.NAME]` or `[workflows.NAME]`.

    Attributes:
        name: Name of the action or workflow.
        section: `actions` or `workflows`.
        extends: Name of the action that a workflow extends; empty for an action.
        chain: The actions of a workflow that is a chain, in order: the name in the chain and the
            action.
        inputs: The output that each input of an action of a chain is: `upload.catalogue` by
            `export.source`.
        steps: The steps and groups of which a workflow is made that extends none.
        params: Default values of params.
        inserts: Steps to insert, in the order of the file.
        removes: Steps to remove.
        wraps: Wrappers to add; for each step, the outermost first.
        limits: Other limits for steps.
        origin: File and line.
        lines: One-based line of each key, by its path below the table.
    """

    name: str
    section: Literal["actions", "workflows"]
    extends: str = ""
    chain: tuple[tuple[str, str], ...] = ()
    inputs: Mapping[str, str] = NOTHING
    steps: tuple[Insert, ...] = ()
    params: Options = NOTHING
    inserts: tuple[Insert, ...] = ()
    removes: tuple[Removal, ...] = ()
    wraps: tuple[Wrap, ...] = ()
    limits: tuple[Limiting, ...] = ()
    origin: Origin
    lines: Mapping[tuple[str | int, ...], int] = NOTHING

    def source_of(self, *path: str | int) -> Origin:
        """Return file and line of a key below the table, or of its nearest existing parent."""
        while path and path not in self.lines:
            path = path[:-1]
        line = self.lines.get(path, self.origin.line)
        return Origin(file=self.origin.file, line=line)


@frozen
class LocalName:
    """An action or step of the project, or something else of it that a pack looks up.

    Attributes:
        kind: `actions` or `steps`; or a word that packs look up, such as `formats`.
        name: Its name.
        target: Its location, such as `flows.py:nightly` or `company.flows:nightly`.
        origin: File and line.
    """

    kind: str
    name: str
    target: str
    origin: Origin
