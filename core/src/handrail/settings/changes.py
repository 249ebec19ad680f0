"""What a project changes about an action, as its file says it; nothing is looked up yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from handrail.frozen import NOTHING, frozen
from handrail.origin import Origin

Options = Mapping[str, Any]


@frozen
class Insert:
    """A step that the project puts into an action.

    Attributes:
        step: Name of the step, as `to_webp` or `acme-webp:to_webp`.
        name: What it is called there; empty for its own name.
        side: On which side of the anchor.
        anchor: Name of the step that it hangs on; None at the end.
        options: Arguments for the class or function that makes the step.
        if_missing: What to do when nothing answers to the anchor.
        origin: File and line.
    """

    step: str
    name: str = ""
    side: Literal["before", "after", "end"] = "end"
    anchor: str | None = None
    options: Options = NOTHING
    if_missing: Literal["error", "skip"] = "error"
    origin: Origin


@frozen
class Wrap:
    """A layer that the project puts around a step.

    Attributes:
        step: Name of the step.
        use: Name of the wrapper, as `retry` or `acme-tools:retry`.
        options: Arguments for the wrapper, beside the step.
        origin: File and line.
    """

    step: str
    use: str
    options: Options = NOTHING
    origin: Origin


@frozen
class Remove:
    """A step that the project takes out, with file and line."""

    step: str
    origin: Origin


@frozen
class Changes:
    """One table `[actions.NAME]` or `[workflows.NAME]`.

    Attributes:
        name: Name of the action or workflow.
        section: `actions` or `workflows`.
        extends: Name of the action that a workflow is made from; empty for an action.
        params: Defaults of params.
        inserts: Steps to put in, in the order of the file.
        removes: Steps to take out.
        wraps: Layers, each step's outermost first.
        origin: File and line.
        lines: One-based line of each key, by the path to it below the table.
    """

    name: str
    section: Literal["actions", "workflows"]
    extends: str = ""
    params: Options = NOTHING
    inserts: tuple[Insert, ...] = ()
    removes: tuple[Remove, ...] = ()
    wraps: tuple[Wrap, ...] = ()
    origin: Origin
    lines: Mapping[tuple[str | int, ...], int] = NOTHING

    def source_of(self, *path: str | int) -> Origin:
        """Return file and line of a key below the table; of what holds it when it is not there."""
        while path and path not in self.lines:
            path = path[:-1]
        line = self.lines.get(path, self.origin.line)
        return Origin(file=self.origin.file, line=line)


@frozen
class LocalName:
    """One action or step of the project.

    Attributes:
        kind: `actions` or `steps`.
        name: What it is called.
        target: Where it is, as `flows.py:nightly` or `company.flows:nightly`.
        origin: File and line.
    """

    kind: str
    name: str
    target: str
    origin: Origin
