"""What a lock has of a plan."""

from __future__ import annotations

from types import SimpleNamespace

from handrail import Origin, StepWrapper
from handrail.builtin.project.lock import outline_of
from handrail.builtin.project.lock_file import LockedStep, LockName


class TimingStep(StepWrapper):
    """A layer."""


def test_an_outline_has_all_who_have_a_say(named, pack, plan):
    """Owners of steps and layers, and packs that were asked and only check."""
    scan = pack(
        "acme-scan",
        insert_before=lambda step: named("scan") if step.name == "send" else None,
        wrap_step=lambda step: TimingStep(step),  # noqa: PLW0108 - hooks are called by name
    )
    made = plan([named("send")], [scan])
    veto = Origin(pack="acme-veto", version="3.0")
    asked = [SimpleNamespace(origin=veto, hooks=["check_plan"])]
    packs = SimpleNamespace(records=[], contributors=lambda: asked)
    found = outline_of(packs, LockName(name="upload", pack="host"), made)
    assert [(each.id, each.version) for each in found.packs] == [
        ("acme-scan", "1.0"),
        ("acme-veto", "3.0"),
        ("host", "2.0"),
    ]
    assert found.steps == (
        LockedStep(name="scan", pack="acme-scan"),
        LockedStep(name="send", pack="host", layers=("acme-scan:timing",)),
    )
