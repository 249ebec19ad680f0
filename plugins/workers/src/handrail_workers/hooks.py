"""The hooks of handrail-workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail import hookimpl

if TYPE_CHECKING:
    from handrail.places import Performer, RunToPerform


@hookimpl
def perform(run: RunToPerform) -> Performer:
    """Return what runs isolated steps of a run, and works on items."""
    from handrail_workers.performer import Workers  # noqa: PLC0415 - plans without runs need none

    return Workers(run)
