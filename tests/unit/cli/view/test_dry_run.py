"""The list of a dry run."""

from __future__ import annotations

from handrail import events
from handrail.builtin.cli.dry_run import DryRunListing


def test_the_steps_stand_in_the_order_of_the_plan() -> None:
    """Lanes of a group are previewed side by side, and the list is the same each time."""
    listing = DryRunListing(everything=False)
    steps = ("fetch", "resize", "watermark", "transcode")
    listing(events.RunStarted(action="a", run_id="1", fingerprint="f", steps=steps))
    for step in ("fetch", "transcode", "resize", "watermark"):
        listing.told(step, f"would {step}")
    assert [line.split()[-1] for line in listing.lines()][::2] == list(steps)
