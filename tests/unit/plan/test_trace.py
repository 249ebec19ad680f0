"""What packs are asked and answer is written down, and changes nothing."""

from __future__ import annotations

import pytest

from handrail import Problem, StepWrapper
from handrail.errors import PackError
from handrail.plan.trace import TracedPacks


class TimingStep(StepWrapper):
    """A layer."""


class Given:
    """A provider of packs, as an action takes them."""

    def __init__(self, *packs):
        self._packs = packs

    def contributors(self):
        """Return the packs."""
        return self._packs


def asked(traced):
    return [(each.pack.pack, each.hook, each.step, each.answers) for each in traced.questions]


def test_every_question_is_there_with_its_answer(named, pack, plan):
    """Step by step, None too, and in the order in which it was asked."""
    scan = pack(
        "acme-scan",
        insert_before=lambda step: named("scan") if step.name == "send" else None,
        wrap_step=lambda step: TimingStep(step) if step.name == "send" else None,
    )
    traced = TracedPacks(Given(scan))
    plan([named("find"), named("send")], traced.contributors())
    assert sorted(asked(traced), key=lambda each: (each[1], each[2])) == [
        ("acme-scan", "insert_before", "find", []),
        ("acme-scan", "insert_before", "send", ["scan"]),
        ("acme-scan", "wrap_step", "find", []),
        ("acme-scan", "wrap_step", "send", ["TimingStep"]),
    ]


def test_a_traced_plan_is_the_same_plan(named, pack, plan):
    """Also where a hook returns a generator, which can be read only once."""

    def packs():
        several = pack(
            "acme-a",
            insert_after=lambda step: (named(f"{n}_{step.name}") for n in "xy"),
            setup_steps=lambda registry: registry.register(named("last")),
        )
        return [several]

    traced = TracedPacks(Given(*packs()))
    found = plan([named("send")], traced.contributors())
    assert found.fingerprint == plan([named("send")], packs()).fingerprint
    assert ("acme-a", "setup_steps", None, ["last at the end"]) in asked(traced)
    assert ("acme-a", "insert_after", "send", ["x_send", "y_send"]) in asked(traced)


def test_edits_of_setup_steps_are_in_words(named, pack, plan):
    """Each kind of edit has a phrase of its own."""

    def edit(registry):
        registry.insert_before("send", named("scan"))
        registry.replace("scan", named("scan_fast"))
        registry.wrap("send", TimingStep)
        registry.unregister("nothing", missing_ok=True)

    traced = TracedPacks(Given(pack("acme-a", setup_steps=edit)))
    plan([named("send")], traced.contributors())
    assert asked(traced)[0][3] == [
        "scan before send",
        "scan_fast instead of scan",
        "a layer around send",
        "without nothing",
    ]


def test_a_hook_that_raises_is_the_last_question(named, pack, plan):
    """The trace tells how far it came, and the error goes on as it would."""

    def fail(step):
        raise ValueError("no")

    traced = TracedPacks(Given(pack("acme-a", insert_before=fail)))
    with pytest.raises(PackError):
        plan([named("send")], traced.contributors())
    assert "raised in insert_before" in traced.questions[-1].error


def test_problems_are_answers_too(pack):
    """What check_plan returns is written down with its code."""
    problem = Problem(code="unscanned", message="no scan")
    traced = TracedPacks(Given(pack("acme-a", check_plan=lambda plan: [problem])))
    (one,) = traced.contributors()
    assert list(one.call("check_plan", plan=None)) == [problem]
    assert traced.questions[0].answers == ["unscanned: no scan"]
