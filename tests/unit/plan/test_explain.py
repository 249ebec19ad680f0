"""Why a step is where it is: the chain of edits, back to the action's own steps."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from handrail import StepWrapper
from handrail.builtin.cli.view.explanation import explain
from handrail.errors import PlanError

VERBS = ("replace", "remove")


class TimingStep(StepWrapper):
    """A layer."""


def test_what_was_done_to_the_step_is_told_in_order(named, pack, plan):
    """Replaced, then wrapped, the innermost layer first; under the old name and the new one."""

    def edit(registry):
        registry.replace("send", named("turbo"))
        registry.wrap("send", TimingStep)

    grants = {"acme-turbo": frozenset({"replace host:send"})}
    made = plan([named("send")], [pack("acme-turbo", setup_steps=edit)], grants)
    links = explain(made, "send").links
    assert [link.told for link in links] == ["base", "replaced by turbo", "wrapped by timing"]
    assert explain(made, "turbo") == explain(made, "send")


def test_a_layer_that_changes_a_step_tells_its_grant(named, pack, plan):
    class Swallow(StepWrapper):
        changes = True

    hooks = pack("acme-turbo", setup_steps=lambda registry: registry.wrap("send", Swallow))
    made = plan([named("send")], [hooks], {"acme-turbo": frozenset({"change host:send"})})
    link = explain(made, "send").links[-1]
    assert link.told == "wrapped by swallow, which changes it"


def test_a_removed_step_tells_who_removed_it(named, pack, plan):
    """It is not in the plan, and what hangs on it still leads over it."""

    def edit(registry):
        registry.insert_after("check", named("after_check"))
        registry.unregister("check")

    grants = {"acme-lean": frozenset({"remove host:check"})}
    made = plan([named("check"), named("send")], [pack("acme-lean", setup_steps=edit)], grants)
    found = explain(made, "check")
    assert (found.place, found.gone.told) == (0, "removed")
    assert str(found.gone.origin) == "acme-lean 1.0"
    assert [link.told for link in explain(made, "after_check").links] == [
        "inserted after check",
        "base",
        "removed",
    ]


def test_a_step_that_was_left_out_names_its_missing_anchor(named, pack, plan):
    """if_missing='skip' is an answer to why a step is not there."""

    def edit(registry):
        registry.insert_after("scan", named("log"), if_missing="skip")
        registry.insert_after("log", named("log_more"), if_missing="skip")

    made = plan([named("send")], [pack("acme-audit", setup_steps=edit)])
    assert explain(made, "log").gone.told == "left out: scan, which it would be after, is not there"
    assert explain(made, "log_more").gone.kind == "skipped"


def test_a_step_that_always_runs_says_why_it_is_last(named, pack, plan):
    """Wherever it was put, it closes the plan; what hangs on it stands before all such steps."""
    ticket = named("ticket", always_run=True)
    first = pack("acme-a", setup_steps=lambda registry: registry.insert_before("send", ticket))
    second = pack(
        "acme-b", setup_steps=lambda registry: registry.insert_before("ticket", named("x"))
    )
    made = plan([named("send")], [first, second])
    assert "closes the plan, as it always runs" in [
        each.told for each in explain(made, "ticket").links
    ]
    moved = [each for each in explain(made, "x").links if each.kind == "moved"]
    assert [each.told for each in moved] == ["moved before the steps that always run"]


def edit_of(kind, anchor, step):
    """Return a hook with one edit of the given kind."""

    def setup_steps(registry):
        match kind:
            case "end":
                registry.register(step)
            case "skip":
                registry.insert_after(f"{anchor}?", step, if_missing="skip")
            case "replace":
                registry.replace(anchor, step)
            case "remove":
                registry.unregister(anchor)
            case "wrap":
                registry.wrap(anchor, TimingStep)
            case _:
                getattr(registry, f"insert_{kind}")(anchor, step)

    return setup_steps


def check_chain(made, position, planned, name):
    """Each chain has the step's own name and place, all of its layers, and an end."""
    found = explain(made, name)
    assert (found.step, found.place) == (planned.name, position)
    assert any(link.kind in ("base", "added") for link in found.links)
    assert all(link.kind != "skipped" for link in found.links)
    layers = [link for link in found.links if link.kind == "wrapped"]
    assert len(layers) == len(planned.layers)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_every_chain_of_a_plan_ends_at_the_base(made_here, data):
    """For any packs: each step of the plan is explained, from its own name to the action's own."""
    named, fake_pack, make_plan = made_here
    count = data.draw(st.integers(1, 5))
    base = ["find", "send", "check"]
    anchors = [*base, *(f"s{number}" for number in range(count))]
    kinds = ["before", "after", "end", "skip", "wrap", "before", "after", "replace", "remove"]
    owners = ["host", *(f"acme-{number}" for number in range(count))]
    every = [f"{verb} {owner}:{a}" for verb in VERBS for owner in owners for a in anchors]
    packs, skipped = [], []
    for number, owner in enumerate(owners[1:]):
        kind = data.draw(st.sampled_from(kinds))
        step = named(f"s{number}", always_run=data.draw(st.booleans()))
        hook = edit_of(kind, data.draw(st.sampled_from(anchors)), step)
        packs.append(fake_pack(owner, setup_steps=hook))
        skipped += [step.name] if kind == "skip" else []
    grants = {owner: frozenset(every) for owner in owners}
    try:
        made = make_plan([named(name) for name in base], packs, grants)
    except PlanError:
        return
    for position, planned in enumerate(made.steps, 1):
        for name in planned.names:
            check_chain(made, position, planned, name)
    assert all(explain(made, name).gone.kind == "skipped" for name in skipped)
