"""A run goes on with the packs that it began with, whatever is chosen or installed meanwhile."""

from __future__ import annotations

from typing import Any

WITHOUT = ("--no-pack", "acme-scan", "--no-pack", "acme-audit")


def test_packs_that_were_switched_off_at_the_start_stay_off(yard: Any) -> None:
    """Nobody has to say it again; with them the steps that began would be elsewhere."""
    done = yard("run", "ship", *WITHOUT)
    assert done.returncode == 0, done.stderr
    undone = yard("rollback", "1", "--yes")
    assert undone.returncode == 0, undone.stderr


def test_packs_that_came_later_are_not_part_of_what_began(yard: Any) -> None:
    """A pack that puts a step before the position is named, and needs --accept-drift."""
    done = yard("run", "ship")
    assert done.returncode == 0, done.stderr
    source = (
        "from handrail import hookimpl, step\n\n@step\ndef weigh(context): ...\n\n"
        "@hookimpl\ndef insert_before(action, step):\n"
        "    return weigh if step.name == 'send' else None\n"
    )
    yard.plant("acme-scales", "1.0.0", source, packs={"scales": "acme_scales"})
    refused = yard("rollback", "1", "--yes")
    assert refused.returncode == 3, refused.stderr
    assert "send was step" in refused.stderr
    assert yard("rollback", "1", "--yes", "--accept-drift").returncode == 0
