"""Odd answers of hooks, odd wrappers and left-out steps: told, or harmless, never half applied."""

from __future__ import annotations

import pytest

from handrail import PlanError, StepWrapper
from handrail.errors import PackError


def names(plan):
    return [planned.name for planned in plan.steps]


def codes(error):
    return [problem.code for problem in error.value.problems]


def base(named):
    return [named("find"), named("send")]


def test_an_iterator_that_raises_names_its_pack(named, pack, plan):
    """What a hook returned may raise when it is read; that is an error of the pack."""

    def hook(step):
        def steps():
            yield named(f"x_{step.name}")
            raise ValueError("boom")

        return steps()

    with pytest.raises(PackError, match="what insert_before of acme-a"):
        plan(base(named), [pack("acme-a", insert_before=hook)])


def test_steps_that_setup_steps_returns_are_a_problem(named, pack, plan):
    """A returned step would be run by nobody, so the plan stops and says what to call."""
    packs = [pack("acme-a", setup_steps=lambda registry: [named("x")])]
    with pytest.raises(PlanError) as error:
        plan(base(named), packs)
    assert codes(error) == ["invalid-answer"]
    assert "registry.register(step)" in error.value.problems[0].ways_out[0]


@pytest.mark.parametrize("ready", [True, False])
def test_a_wrapper_around_another_step_is_a_problem_in_setup_steps_too(named, pack, plan, ready):
    """A finished wrapper, or one that a function makes, has to be around the step it is for."""
    other = named("other")
    layer = StepWrapper(other) if ready else (lambda step: StepWrapper(other))
    packs = [pack("acme-a", setup_steps=lambda registry: registry.wrap("find", layer))]
    with pytest.raises(PlanError) as error:
        plan(base(named), packs)
    assert codes(error) == ["foreign-layer"]


def test_one_wrapper_twice_around_a_step_is_a_problem(named, pack, plan):
    """The second time it would be around itself, and planning would never end."""

    def hook(registry):
        layer = StepWrapper(registry.get_steps()[0])
        registry.wrap("find", layer)
        registry.wrap("find", layer)

    with pytest.raises(PlanError) as error:
        plan(base(named), [pack("acme-a", setup_steps=hook)])
    assert codes(error) == ["layer-twice"]


def test_two_packs_may_not_share_a_wrapper(named, pack, plan):
    """Packs that hand out the same wrapper object for a step are told about it."""
    kept = {}

    def hook(step):
        return kept.setdefault(step.name, StepWrapper(step))

    packs = [pack("acme-a", wrap_step=hook), pack("acme-b", wrap_step=hook)]
    with pytest.raises(PlanError) as error:
        plan([named("find")], packs)
    assert codes(error) == ["layer-twice"]


def test_a_step_that_is_left_out_claims_no_name(named, pack, plan):
    """A step whose anchor may be missing does not clash with one of its name that is there."""
    packs = [
        pack(
            "acme-a",
            setup_steps=lambda registry: registry.insert_after(
                "absent", named("x"), if_missing="skip"
            ),
        ),
        pack("acme-b", setup_steps=lambda registry: registry.insert_after("find", named("x"))),
    ]
    assert names(plan(base(named), packs)) == ["find", "x", "send"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda registry, named: registry.wrap("x", StepWrapper),
        lambda registry, named: registry.replace("x", named("y")),
        lambda registry, named: registry.unregister("x"),
    ],
)
def test_edits_of_a_step_that_is_left_out_are_left_out(named, pack, plan, edit):
    """A pack may wrap, replace or remove its own step that is there only with its anchor."""

    def hook(registry):
        registry.insert_after("absent", named("x"), if_missing="skip")
        edit(registry, named)

    assert names(plan(base(named), [pack("acme-a", setup_steps=hook)])) == ["find", "send"]


def test_an_edit_of_another_packs_left_out_step_is_a_problem(named, pack, plan):
    """Who wraps a step of somebody else is told that it is not there."""
    packs = [
        pack(
            "acme-a",
            setup_steps=lambda registry: registry.insert_after(
                "absent", named("x"), if_missing="skip"
            ),
        ),
        pack("acme-b", setup_steps=lambda registry: registry.wrap("x", StepWrapper)),
    ]
    with pytest.raises(PlanError) as error:
        plan(base(named), packs)
    assert codes(error) == ["unknown-step"]


def test_a_layer_does_not_make_a_step_run_always(named, pack, plan):
    """Only the step itself says that it closes the plan; a layer cannot, half way up the list."""

    class Always(StepWrapper):
        always_run = True

    packs = [pack("acme-a", wrap_step=lambda step: Always(step) if step.name == "find" else None)]
    made = plan(base(named), packs, {"acme-a": frozenset({"change host:find"})})
    assert [planned.always_run for planned in made.steps] == [False, False]


def test_an_unknown_anchor_without_a_near_name_shows_its_line_alone(named, pack, plan):
    """The line of the edit has no loose colon behind it when there is no hint to follow."""
    packs = [pack("acme-a", setup_steps=lambda registry: registry.insert_after("zzzz", named("x")))]
    with pytest.raises(PlanError) as error:
        plan(base(named), packs)
    assert not error.value.problems[0].details[0].endswith(":")


def test_one_pack_that_replaces_a_step_twice_is_named_once(named, pack, plan):
    """The message does not read as if two packs were at odds."""

    def hook(registry):
        registry.insert_after("find", named("x"))
        registry.replace("x", named("y"))
        registry.replace("y", named("z"))

    with pytest.raises(PlanError) as error:
        plan(base(named), [pack("acme-a", setup_steps=hook)])
    assert error.value.problems[0].message == "acme-a 1.0 replaces y twice"


@pytest.mark.parametrize("name", ["send", "turbo"])
def test_a_pack_that_inserts_at_a_replaced_step_inserts_once(named, pack, plan, name):
    """A replacement under the same name is the same step to packs that insert beside it."""
    packs = [
        pack("acme-r", setup_steps=lambda registry: registry.replace("send", named(name))),
        pack("acme-s", insert_before=lambda step: named("scan") if step.name == "send" else None),
    ]
    made = plan(base(named), packs, {"acme-r": frozenset({"replace host:send"})})
    assert names(made) == ["find", "scan", name]


@pytest.mark.parametrize("asked", ["send", "turbo", None])
def test_a_layer_outlives_the_step_that_it_was_made_around(named, pack, plan, asked):
    """A pack that wraps a step wraps what replaces it, once, whichever of the two it answers to."""

    def hook(step):
        return StepWrapper(step) if asked in (None, step.name) else None

    packs = [
        pack("acme-r", setup_steps=lambda registry: registry.replace("send", named("turbo"))),
        pack("acme-w", wrap_step=hook),
    ]
    made = plan([named("send")], packs, {"acme-r": frozenset({"replace host:send"})})
    (planned,) = made.steps
    assert [layer.origin.pack for layer in planned.layers] == ["acme-w"]
    assert planned.step.wrapped.name == "turbo"


def test_a_finished_wrapper_outlives_a_replaced_step_too(named, pack, plan):
    """Also one that setup_steps made around a step, whose own wrappers go with that step."""

    def hook(registry):
        registry.wrap("send", StepWrapper(registry.get_steps()[0]))

    packs = [
        pack("acme-r", setup_steps=lambda registry: registry.replace("send", named("turbo"))),
        pack("acme-w", setup_steps=hook),
    ]
    grants = {"acme-r": frozenset({"replace host:send"})}
    (planned,) = plan([StepWrapper(named("send"))], packs, grants).steps
    assert [layer.origin.pack for layer in planned.layers] == ["acme-w"]
    assert planned.step.wrapped.name == "turbo"


def test_what_may_do_without_the_replacement_of_a_left_out_step_is_left_out(named, pack, plan):
    """A name that only a left-out step offers is a missing anchor, which may be skipped."""

    def hook(registry):
        registry.insert_after("absent", named("x"), if_missing="skip")
        registry.replace("x", named("y"))

    packs = [
        pack("acme-a", setup_steps=hook),
        pack(
            "acme-b",
            setup_steps=lambda registry: registry.insert_after("y", named("z"), if_missing="skip"),
        ),
    ]
    assert names(plan(base(named), packs)) == ["find", "send"]
