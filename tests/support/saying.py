"""What steps and items say, found by its name in processes that tests start."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from handrail import BaseStepContext, action, step
from handrail.attachments import Markdown, Plot

if TYPE_CHECKING:
    from handrail_workers import ItemContext


def says(context: BaseStepContext, text: str) -> None:
    """Say and attach all that can be."""
    context.log("found", {"what": text}, f"/{text}")
    context.set_progress(3, 4, "bytes")
    context.set_metrics({"loss": 0.5})
    context.set_metrics({"loss": 0.25}, "validation")
    context.attach("curves", Plot("line", {"loss": [0.5, 0.25]}))
    context.attach("notes", Markdown(text))


class Thing:
    """What has no JSON form."""

    def to_dict(self) -> dict[str, object]:
        return {"type": "thing", "parts": {1, 2}}


@step(isolated=True)
def apart(context: BaseStepContext) -> None:
    """Say it in a process of its own, and what JSON lacks, and what is left out."""
    says(context, "apart")
    context.set_metrics({"share": Fraction(1, 2)})
    context.attach("huge", Markdown("x" * 400_000))
    context.attach("thing", Thing())


isolated = action("isolated", [apart])


def work_aloud(item: int, context: ItemContext) -> None:
    """Say which item it is."""
    context.log("worked", {"on": item})
