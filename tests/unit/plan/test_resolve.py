"""Edits of packs become one plan, or every problem at once."""

from __future__ import annotations

import itertools

import pytest

from handrail import PlanError, StepRegistry, StepWrapper
from handrail.entry import chain
from handrail.plan import collect
from handrail.plan.builder import plan_of_registry


def names(plan):
    return [planned.name for planned in plan.steps]


def codes(error):
    return [problem.code for problem in error.value.problems]


def base(named, *wanted):
    return [named(name) for name in wanted or ("find", "send", "close")]


def inserting(side, anchor, *steps):
    def hook(step):
        return list(steps) if step.name == anchor else None

    return {f"insert_{side}": hook}


def test_without_packs_a_plan_is_the_base(named, plan):
    """With no packs the plan has the action's own steps, each with the reason `base`."""
    made = plan(base(named), [])
    assert names(made) == ["find", "send", "close"]
    assert {planned.reason for planned in made.steps} == {"base"}
    assert str(made.steps[0].origin) == "host 2.0"


def test_insert_hooks_place_steps_beside_the_step_asked_about(named, pack, plan):
    """A hook's answer stands before or after the step, a list as one block in its order."""
    packs = [
        pack("acme-a", **inserting("before", "send", named("scan"))),
        pack("acme-b", **inserting("after", "send", named("tell"), named("log"))),
    ]
    made = plan(base(named), packs)
    assert names(made) == ["find", "scan", "send", "tell", "log", "close"]
    assert made.steps[1].reason == "before send"
    assert made.steps[1].origin.pack == "acme-a"


def test_on_one_side_the_later_pack_sits_closer(named, pack, plan):
    """Of two packs at one anchor the later one in pack order stands closer to it."""
    packs = [
        pack("acme-a", **inserting("before", "send", named("a"))),
        pack("acme-b", **inserting("before", "send", named("b"))),
        pack("acme-c", **inserting("after", "send", named("c"))),
        pack("acme-d", **inserting("after", "send", named("d"))),
    ]
    assert names(plan(base(named), packs)) == ["find", "a", "b", "send", "d", "c", "close"]


def test_a_pack_may_anchor_on_a_step_of_another_pack(named, pack, plan):
    """An anchor may come from any pack, whatever the order of the two."""
    packs = [
        pack("acme-a", setup_steps=lambda registry: registry.insert_after("zip", named("check"))),
        pack("acme-z", setup_steps=lambda registry: registry.insert_after("find", named("zip"))),
    ]
    assert names(plan(base(named), packs)) == ["find", "zip", "check", "send", "close"]


def test_register_appends_in_pack_order(named, pack, plan):
    """`register` in a pack's setup_steps appends, the packs in their order."""
    packs = [
        pack("acme-b", setup_steps=lambda registry: registry.register(named("b"))),
        pack("acme-a", setup_steps=lambda registry: registry.register(named("a"))),
    ]
    assert names(plan(base(named), packs)) == ["find", "send", "close", "a", "b"]


def test_the_registry_of_a_pack_shows_the_action_and_its_own_edits(named, pack, plan):
    """setup_steps sees the action's steps and this pack's edits, not those of other packs."""
    seen = []

    def first(registry):
        registry.insert_before("send", named("mine"))
        seen.append([step.name for step in registry])

    def second(registry):
        seen.append([step.name for step in registry])

    plan(base(named), [pack("acme-a", setup_steps=first), pack("acme-b", setup_steps=second)])
    assert seen == [["find", "mine", "send", "close"], ["find", "send", "close"]]


def test_a_pack_is_not_asked_about_steps_it_led_to(named, pack, plan):
    """Packs that answer for every step live together, and planning ends."""
    asked = {"acme-a": [], "acme-b": []}

    def answering(owner):
        def hook(step):
            asked[owner].append(step.name)
            return named(f"{owner}_{step.name}")

        return hook

    packs = [pack(owner, insert_before=answering(owner)) for owner in asked]
    made = plan([named("only")], packs)
    assert sorted(asked["acme-a"]) == ["acme-b_only", "only"]
    assert sorted(asked["acme-b"]) == ["acme-a_only", "only"]
    assert len(made.steps) == 5


def test_hooks_are_asked_with_the_innermost_step(named, pack, plan):
    """Wrapping a step does not change what hooks are asked about."""
    asked = []
    wrapped = StepWrapper(named("send"))
    plan([wrapped], [pack("acme-a", insert_before=lambda step: asked.append(step.name))])
    assert asked == ["send"]


def test_layers_stack_with_the_later_pack_outside_and_keep_the_name(named, pack, plan):
    """The later pack's layer is outermost, and no layer renames the planned step."""

    class Inner(StepWrapper):
        pass

    class OuterStep(StepWrapper):
        name = "renamed"

    packs = [
        pack("acme-a", wrap_step=lambda step: Inner(step) if step.name == "send" else None),
        pack("acme-b", wrap_step=lambda step: OuterStep(step) if step.name == "send" else None),
    ]
    made = plan(base(named), packs)
    planned = made.steps[1]
    assert planned.name == "send"
    assert [(layer.name, layer.origin.pack) for layer in planned.layers] == [
        ("outer", "acme-b"),
        ("inner", "acme-a"),
    ]
    assert type(planned.step) is OuterStep
    assert type(planned.step.wrapped) is Inner
    assert planned.step.wrapped.wrapped.name == "send"


def test_a_layer_of_several_wrappers_is_as_many_layers(named, pack, plan):
    """Whether a hook, an edit or the action itself has put them there, each is named."""

    class Inner(StepWrapper):
        pass

    class Outer(StepWrapper):
        pass

    both = [
        pack("acme-a", wrap_step=lambda step: Outer(Inner(step)) if step.name == "send" else None),
        pack(
            "acme-b",
            setup_steps=lambda registry: registry.wrap("send", lambda step: Outer(Inner(step))),
        ),
    ]
    planned = plan(base(named), both).steps[1]
    assert [(layer.name, layer.origin.pack) for layer in planned.layers] == [
        ("outer", "acme-b"),
        ("inner", "acme-b"),
        ("outer", "acme-a"),
        ("inner", "acme-a"),
    ]
    assert [layer.wrapper for layer in planned.layers] == list(chain(planned.step))[:-1]
    registry = StepRegistry()
    registry.register(named("send"))
    registry.wrap("send", Inner)
    registry.wrap("send", lambda step: Outer(Inner(step)))
    [planned] = plan_of_registry(registry).steps
    assert [layer.name for layer in planned.layers] == ["outer", "inner", "inner"]


def test_a_layer_around_another_step_is_a_problem(named, pack, plan):
    """wrap_step has to wrap the step it was asked about."""
    other = named("other")
    with pytest.raises(PlanError) as error:
        plan(base(named), [pack("acme-a", wrap_step=lambda step: StepWrapper(other))])
    assert set(codes(error)) == {"foreign-layer"}


def test_a_misspelt_anchor_names_pack_line_and_near_names(named, pack, plan):
    """A missing anchor is a problem with the pack, the source line and what was meant."""
    with pytest.raises(PlanError) as error:
        plan(
            base(named),
            [
                pack(
                    "acme-a",
                    setup_steps=lambda registry: registry.insert_before("sned", named("x")),
                )
            ],
        )
    (problem,) = error.value.problems
    assert problem.code == "unknown-anchor"
    assert "acme-a 1.0 inserts x before 'sned'" in problem.message
    assert problem.origins[0].line > 0
    assert "did you mean send?" in problem.details


def test_if_missing_skip_leaves_the_step_out(named, pack, plan):
    """With if_missing='skip' a missing anchor drops the step, and what hangs on it is missing."""

    def hook(registry):
        registry.insert_before("absent", named("x"), if_missing="skip")
        registry.insert_after("x", named("y"), if_missing="skip")

    assert names(plan(base(named), [pack("acme-a", setup_steps=hook)])) == ["find", "send", "close"]


def test_anchors_that_hang_on_each_other_are_a_problem(named, pack, plan):
    """Two steps that hang on each other only are one anchor cycle that names both packs."""
    packs = [
        pack("acme-a", setup_steps=lambda registry: registry.insert_before("b", named("a"))),
        pack("acme-b", setup_steps=lambda registry: registry.insert_before("a", named("b"))),
    ]
    with pytest.raises(PlanError) as error:
        plan(base(named), packs)
    assert codes(error) == ["anchor-cycle"]
    assert {origin.pack for origin in error.value.problems[0].origins} == {"acme-a", "acme-b"}


def test_all_problems_are_reported_at_once(named, pack, plan):
    """A plan's problems come in one error, each with its pack."""
    packs = [
        pack("acme-a", setup_steps=lambda registry: registry.insert_before("nope", named("x"))),
        pack("acme-b", setup_steps=lambda registry: registry.register(named("send"))),
        pack("acme-c", setup_steps=lambda registry: registry.unregister("nothing")),
    ]
    with pytest.raises(PlanError) as error:
        plan(base(named), packs)
    assert sorted(codes(error)) == ["duplicate-step", "unknown-anchor", "unknown-step"]


@pytest.mark.parametrize("verb", ["replace", "remove"])
def test_taking_another_packs_step_needs_a_grant(named, pack, plan, verb):
    """Removing or replacing a step of another pack is refused until the project grants it."""

    def hook(registry):
        if verb == "replace":
            registry.replace("send", named("turbo"))
        else:
            registry.unregister("send")

    turbo = pack("acme-turbo", setup_steps=hook)
    with pytest.raises(PlanError) as error:
        plan(base(named), [turbo])
    (problem,) = error.value.problems
    assert problem.code == f"{verb}-needs-grant"
    line = f'allow it    [grants]  acme-turbo = ["{verb} host:send"]'
    assert line in problem.ways_out
    made = plan(base(named), [turbo], {"acme-turbo": frozenset({f"{verb} host:send"})})
    assert names(made) == (["find", "turbo", "close"] if verb == "replace" else ["find", "close"])


def test_a_replaced_step_keeps_place_layers_and_name_as_anchor(named, pack, plan):
    """A replacement stands where the old step stood, and the old name still is an anchor."""
    packs = [
        pack("acme-r", setup_steps=lambda registry: registry.replace("send", named("turbo"))),
        pack("acme-s", setup_steps=lambda registry: registry.insert_after("send", named("tell"))),
    ]
    made = plan(base(named), packs, {"acme-r": frozenset({"replace host:send"})})
    assert names(made) == ["find", "turbo", "tell", "close"]
    assert made.positions["send"] == 1
    assert made.steps[1].reason == "replaces send of host 2.0"


def test_a_removed_step_is_an_anchor_until_the_end(named, pack, plan):
    """What hangs on a removed step stays where that step was."""
    packs = [
        pack("acme-a", setup_steps=lambda registry: registry.insert_before("send", named("x"))),
        pack("acme-r", setup_steps=lambda registry: registry.unregister("send")),
    ]
    made = plan(base(named), packs, {"acme-r": frozenset({"remove host:send"})})
    assert names(made) == ["find", "x", "close"]


def test_replaced_twice_is_a_problem(named, pack, plan):
    """Two packs that replace one step are told about each other."""
    packs = [
        pack(f"acme-{x}", setup_steps=lambda registry, x=x: registry.replace("send", named(x)))
        for x in "ab"
    ]
    grants = {f"acme-{x}": frozenset({"replace host:send"}) for x in "ab"}
    with pytest.raises(PlanError) as error:
        plan(base(named), packs, grants)
    assert codes(error) == ["replaced-twice"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda registry, named: registry.replace("send", named("x")),
        lambda registry, named: registry.unregister("send"),
        lambda registry, named: registry.wrap("send", StepWrapper),
    ],
)
def test_a_final_step_cannot_be_touched(named, pack, plan, edit):
    """Nobody removes, replaces or wraps a step that is final, granted or not."""
    packs = [pack("acme-a", setup_steps=lambda registry: edit(registry, named))]
    grants = {"acme-a": frozenset({"replace host:send", "remove host:send"})}
    with pytest.raises(PlanError) as error:
        plan([named("find"), named("send", final=True)], packs, grants)
    assert codes(error) == ["final-step"]


def test_a_plan_tells_which_steps_are_final(named, plan):
    """In its JSON form, also of steps that are alike in everything else."""
    made = plan([named("find"), named("send", final=True), named("tell")], [])
    told = {each["name"]: each["final"] for each in made.to_dict()["steps"]}
    assert told == {"find": False, "send": True, "tell": False}


def test_always_run_steps_close_the_plan(named, pack, plan):
    """`always_run` steps come last wherever they were put, ordinary ones right before them."""
    steps = [named("clean", always_run=True), named("send")]
    packs = [
        pack("acme-a", **inserting("after", "clean", named("late"))),
        pack("acme-b", **inserting("before", "send", named("audit", always_run=True))),
    ]
    made = plan(steps, packs)
    assert names(made) == ["send", "late", "audit", "clean"] or names(made) == [
        "send",
        "late",
        "clean",
        "audit",
    ]
    late = made.steps[1]
    assert "moved before the steps that always run" in late.reason


def test_a_step_that_is_not_usable_is_a_problem_of_its_pack(named, pack, plan):
    """A hook that returns something else than steps is a problem that names the pack."""
    packs = [
        pack("acme-a", insert_before=lambda step: "no step"),
        pack("acme-b", setup_steps=lambda registry: registry.register(named(""))),
    ]
    with pytest.raises(PlanError) as error:
        plan([named("only")], packs)
    assert codes(error) == ["invalid-step", "invalid-step"]


def test_packs_are_ordered_by_what_they_say_of_each_other(named, pack, plan):
    """`after` and `before` decide, then the smaller id; a cycle is a problem."""
    from handrail import PackInfo

    def appending(name):
        return {"setup_steps": lambda registry: registry.register(named(name))}

    packs = [
        pack("acme-a", PackInfo(after=["acme-c"]), **appending("a")),
        pack("acme-b", **appending("b")),
        pack("acme-c", **appending("c")),
        pack("acme-d", PackInfo(before=["acme-b"]), **appending("d")),
    ]
    for shuffled in itertools.permutations(packs):
        assert names(plan([named("x")], list(shuffled))) == ["x", "c", "a", "d", "b"]
    packs.append(pack("acme-e", PackInfo(after=["acme-f"], requires=["acme-gone"])))
    packs.append(pack("acme-f", PackInfo(after=["acme-e"])))
    with pytest.raises(PlanError) as error:
        plan([named("x")], packs)
    assert sorted(codes(error)) == ["pack-cycle", "pack-required"]


def test_a_wrapper_does_not_make_a_step_undoable(named, plan):
    """UNDO in a plan is about the step: a layer that is told of its rollback adds none."""

    class LoggingStep(StepWrapper):
        def rollback(self, context, result):
            return self.wrapped.rollback(context, result)

    class Undoable(named):
        def rollback(self, context, result):
            """Do nothing."""

    made = plan([LoggingStep(named("find")), LoggingStep(Undoable("send"))], [])
    assert [planned.undoable for planned in made.steps] == [False, True]


@pytest.fixture
def few_answers(monkeypatch):
    """A limit of answers to answers that is reached soon."""
    monkeypatch.setattr(collect, "MOST_ANSWERS", 500)


def test_packs_that_answer_each_other_without_end_are_stopped(named, pack, plan, few_answers):
    """Many packs that answer for every step are a problem that names them, not a full memory."""

    def answering(owner):
        count = iter(range(10**9))
        return lambda step: named(f"{owner}_{next(count)}")

    packs = [pack(f"acme-{each}", insert_before=answering(each)) for each in "abcdefghij"]
    with pytest.raises(PlanError) as error:
        plan(base(named), packs)
    (problem,) = error.value.problems
    assert problem.code == "too-many-answers"
    assert "--no-pack acme-" in problem.ways_out[1]


def test_a_long_plan_is_not_taken_for_one_without_end(named, pack, plan, few_answers):
    """The limit is on answers to answers: an action may have more steps of its own."""
    steps = [named(f"s{number}") for number in range(1000)]
    one = pack("acme-a", insert_after=lambda step: named("x") if step.name == "s999" else None)
    assert len(plan(steps, [one]).steps) == 1001
