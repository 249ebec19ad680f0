"""Groups in a plan: lanes are contiguous ranges of a flat plan, and part of its fingerprint."""

from __future__ import annotations

import gc
import json
import re
import sys
from typing import Any

import pytest

from handrail import (
    DuplicateStepError,
    InvalidStepError,
    Origin,
    PlanError,
    StepRegistry,
    StepWrapper,
    action,
    parallel,
)
from handrail.builtin.cli.dry_run import preview_plan
from handrail.builtin.cli.view.explanation import explain
from handrail.errors import StepNotFoundError
from handrail.plan.builder import plan_of_registry
from handrail.plan.forms import plan_json
from handrail.plan.plan import Group
from handrail.plan.rules import RequiredStep, missing
from handrail.plan.selection import select


@pytest.fixture
def base(named):
    """Return the steps of an action: a group of two lanes between two steps."""

    def made(concurrency=None, resize=None):
        lanes = [[resize or named("resize"), named("watermark")], named("transcode")]
        return [named("fetch"), parallel("media", lanes, concurrency=concurrency), named("publish")]

    return made


def placed(plan):
    """Return the steps in order, in a group with its name and the number of the lane."""
    return [
        each.name if each.group is None else f"{each.group}.{each.lane} {each.name}"
        for each in plan.steps
    ]


MEDIA = ["fetch", "media.0 resize", "media.0 watermark", "media.1 transcode", "publish"]


def registry_of(parts):
    registry: StepRegistry = StepRegistry()
    for part in parts:
        registry.register(part)
    return registry


def setup(edit):
    return {"setup_steps": edit}


def codes(error):
    return [problem.code for problem in error.value.problems]


def test_a_plan_says_in_which_lane_of_which_group_each_step_stands(base) -> None:
    made = plan_of_registry(registry_of(base(concurrency=4)))
    assert placed(made) == MEDIA
    assert made.groups == (Group(name="media", lanes=(range(1, 3), range(3, 4)), limit=4),)
    assert made.groups[0].span == range(1, 4)


def test_an_action_is_made_with_groups_wherever_it_has_steps(base) -> None:
    assert placed(action("nightly", base()).plan(packs=())) == MEDIA


def test_a_plan_without_groups_has_none_and_no_trace_of_them(named, plan) -> None:
    made = plan([named("fetch")], [])
    assert made.groups == ()
    assert "group" not in plan_json(made)
    assert "lane" not in plan_json(made)


def test_group_and_lane_are_in_the_json_of_a_plan(base, plan) -> None:
    made = plan(base(), [])
    steps = json.loads(plan_json(made))["steps"]
    assert json.loads(plan_json(made)) == made.to_dict()
    lanes = [(each.get("group"), each.get("lane")) for each in steps]
    assert lanes == [(None, None), ("media", 0), ("media", 0), ("media", 1), (None, None)]


def test_group_and_lane_are_part_of_the_fingerprint_and_the_limit_is_not(named, base, plan) -> None:
    names = ("fetch", "resize", "watermark", "transcode", "publish")
    flat = plan([named(name) for name in names], [])
    one = [named("fetch"), parallel("media", [[named(name) for name in names[1:4]]])]
    other = plan([*one, named("publish")], [])
    made = plan(base(), [])
    assert len({flat.fingerprint, other.fingerprint, made.fingerprint}) == 3
    assert plan(base(concurrency=1), []).fingerprint == made.fingerprint
    assert other.diff(made) == ["~ transcode: lane 1 of media became lane 2 of media"]
    assert "~ resize: no group became lane 1 of media" in flat.diff(made)


# What cannot be declared


@pytest.mark.parametrize(
    ("lanes", "says"),
    [
        ([], "has no steps"),
        ([[]], "has no steps"),
        ("resize", "is not a step"),
        (["resize"], "is not a step"),
        ([["resize"]], "is not a step"),
        ([StepWrapper], "the class StepWrapper, which is not a step"),
        ([None], "is not a step"),
    ],
)
def test_a_lane_is_a_step_or_a_sequence_of_steps(lanes: Any, says: str) -> None:
    with pytest.raises(InvalidStepError, match=says) as error:
        parallel("media", lanes)
    assert error.value.origin is not None
    assert re.search(r"test_groups\.py:\d+$", error.value.origin.place)


@pytest.mark.parametrize("name", ["", "  ", None, 3])
def test_a_group_has_a_name(named, name: Any) -> None:
    with pytest.raises(InvalidStepError, match="the name of a group must be a non-empty string"):
        parallel(name, [named("resize")])


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, "2", True])
def test_a_limit_is_a_whole_number_above_zero(named, concurrency: Any) -> None:
    with pytest.raises(InvalidStepError, match="must be a whole number above 0"):
        parallel("media", [named("resize")], concurrency=concurrency)


def test_groups_do_not_nest_and_the_error_says_what_to_do(named) -> None:
    inner: Any = parallel("inner", [named("resize")])
    for lanes in ([inner], [[named("fetch"), inner]]):
        with pytest.raises(InvalidStepError, match="groups do not nest") as error:
            parallel("media", lanes)
        assert "register 'inner' before or after 'media'" in error.value.ways_out


def test_a_step_that_always_runs_cannot_stand_in_a_group(named) -> None:
    with pytest.raises(InvalidStepError, match="'tidy' of group 'media' always runs") as error:
        parallel("media", [[named("resize"), named("tidy", always_run=True)]])
    assert error.value.ways_out == ("register it after 'media'",)


def test_empty_lanes_are_left_out(named) -> None:
    made = parallel("media", [[], named("resize"), ()])
    assert [[step.name for step in lane] for lane in made.lanes] == [["resize"]]


# The registry


def test_what_is_inserted_beside_a_step_stands_in_its_lane(named, base) -> None:
    registry = registry_of(base())
    registry.insert_before("resize", named("a"))
    registry.insert_after("watermark", named("b"))
    registry.insert_before("transcode", named("c"))
    registry.insert_after("transcode", named("d"))
    registry.insert_before("media", named("first"))
    registry.insert_after("media", named("last"))
    assert repr(registry) == (
        "<StepRegistry fetch -> first -> "
        "media[a -> resize -> watermark -> b | c -> transcode -> d] -> last -> publish>"
    )
    assert [len(registry), "media" in registry, "a" in registry] == [11, True, True]
    assert placed(plan_of_registry(registry)) == [
        "fetch",
        "first",
        *("media.0 a", "media.0 resize", "media.0 watermark", "media.0 b"),
        *("media.1 c", "media.1 transcode", "media.1 d"),
        "last",
        "publish",
    ]


def test_a_group_is_inserted_as_one_block(named) -> None:
    registry = registry_of([named("fetch"), named("publish")])
    registry.insert_after("fetch", parallel("a", [[named("a1"), named("a2")], named("a3")]))
    registry.insert_before("publish", parallel("b", [named("b1"), named("b2")]))
    registry.insert_after("a", named("between"))
    assert repr(registry) == (
        "<StepRegistry fetch -> a[a1 -> a2 | a3] -> between -> b[b1 | b2] -> publish>"
    )


def test_replacing_and_removing_keep_the_ends_of_a_group(named, base) -> None:
    registry = registry_of(base())
    registry.replace("resize", named("shrink"))
    registry.replace("transcode", named("encode"))
    registry.insert_before("media", named("first"))
    registry.insert_after("media", named("last"))
    expected = "fetch -> first -> media[shrink -> watermark | encode] -> last -> publish"
    assert repr(registry) == f"<StepRegistry {expected}>"
    registry.unregister("encode")
    registry.insert_after("media", named("closer"))
    registry.unregister("shrink")
    registry.insert_before("media", named("nearer"))
    expected = "fetch -> first -> nearer -> media[watermark] -> closer -> last -> publish"
    assert repr(registry) == f"<StepRegistry {expected}>"
    registry.unregister("watermark")
    assert "media" not in registry
    with pytest.raises(StepNotFoundError):
        registry.insert_after("media", named("late"))


def test_a_group_is_removed_by_its_name_with_all_its_steps(named, base) -> None:
    registry = registry_of(base())
    registry.insert_after("resize", named("a"))
    registry.unregister("media")
    assert repr(registry) == "<StepRegistry fetch -> publish>"
    registry.register(parallel("media", [named("resize")]))
    assert repr(registry) == "<StepRegistry fetch -> publish -> media[resize]>"


def test_a_registry_refuses_a_group_in_a_lane(named, base) -> None:
    registry = registry_of(base())
    with pytest.raises(InvalidStepError, match=r"'inner' .* in a lane of group 'media'") as error:
        registry.insert_after("resize", parallel("inner", [named("x")]))
    assert error.value.ways_out == ("insert it before or after 'media'",)
    assert "x" not in registry


def test_the_name_of_a_group_clashes_like_that_of_a_step(named, base) -> None:
    registry = registry_of(base())
    with pytest.raises(DuplicateStepError, match=r"'media' .* is taken by .*'media'"):
        registry.register(named("media"))
    with pytest.raises(DuplicateStepError, match="'fetch'"):
        registry.register(parallel("fetch", [named("x")]))
    with pytest.raises(DuplicateStepError, match="'x'"):
        registry.register(parallel("x", [named("x")]))


def test_a_group_with_a_name_that_is_taken_leaves_nothing_behind(named, base) -> None:
    registry = registry_of(base())
    with pytest.raises(DuplicateStepError):
        registry.register(parallel("more", [named("x"), named("fetch")]))
    assert ("more" in registry, "x" in registry, len(registry)) == (False, False, 5)


@pytest.mark.parametrize("edit", ["replace", "wrap"])
def test_a_group_itself_is_not_replaced_or_wrapped(named, base, edit: str) -> None:
    registry = registry_of(base())
    with pytest.raises(InvalidStepError, match="'media' is a group"):
        getattr(registry, edit)("media", named("x"))


def test_a_step_is_not_replaced_by_a_group(named, base) -> None:
    group: Any = parallel("more", [named("x")])
    with pytest.raises(InvalidStepError, match="group 'more' cannot take the place of a step"):
        registry_of(base()).replace("fetch", group)


# Edits of packs


def test_what_packs_hang_on_a_step_stands_in_its_lane(named, pack, plan, base) -> None:
    def edit(registry):
        registry.insert_before("media", named("first"))
        registry.insert_after("media", named("last"))
        registry.insert_before("transcode", named("probe"))

    def answer(step):
        return [named("a"), named("b")] if step.name == "resize" else None

    packs = [
        pack("acme-a", **setup(edit)),
        pack("acme-b", insert_after=answer),
        pack("acme-c", **setup(lambda registry: registry.insert_after("b", named("c")))),
    ]
    assert placed(plan(base(), packs)) == [
        *("fetch", "first"),
        *("media.0 resize", "media.0 a", "media.0 b", "media.0 c", "media.0 watermark"),
        *("media.1 probe", "media.1 transcode"),
        *("last", "publish"),
    ]


def test_packs_bring_groups_by_calls_and_by_answers(named, pack, plan) -> None:
    group = parallel("a", [[named("a1"), named("a2")], named("a3")], concurrency=1)

    def answer(step):
        more = parallel("b", [named("b1"), named("b2")])
        return [named("x"), more, named("y")] if step.name == "send" else None

    packs = [
        pack("acme-a", **setup(lambda registry: registry.insert_after("find", group))),
        pack("acme-b", insert_before=answer),
        pack("acme-c", **setup(lambda registry: registry.insert_before("b", named("c")))),
        pack("acme-d", **setup(lambda registry: registry.insert_after("a1", named("d")))),
    ]
    made = plan([named("find"), named("send")], packs)
    assert placed(made) == [
        *("find", "a.0 a1", "a.0 d", "a.0 a2", "a.1 a3"),
        *("x", "c", "b.0 b1", "b.1 b2", "y", "send"),
    ]
    assert [(group.name, group.limit) for group in made.groups] == [("a", 1), ("b", None)]
    assert str(made.steps[1].origin) == "acme-a 1.0"
    assert made.steps[1].reason == "after find"


def test_a_group_on_a_step_of_a_group_is_a_problem_with_its_origin(named, pack, plan, base) -> None:
    def edit(registry):
        registry.insert_after("resize", parallel("inner", [named("x")]))

    with pytest.raises(PlanError) as error:
        plan(base(), [pack("acme-a", **setup(edit))])
    assert codes(error) == ["nested-group"]
    (problem,) = error.value.problems
    assert "acme-a 1.0 puts group 'inner' after resize" in problem.message
    assert re.search(r"test_groups\.py:\d+$", problem.details[0])
    assert problem.ways_out[0] == "insert it before or after 'media'"


def test_a_step_in_a_lane_is_replaced_wrapped_and_removed_there(named, pack, plan, base) -> None:
    def edit(registry):
        registry.replace("resize", named("shrink"))
        registry.wrap("shrink", StepWrapper)
        registry.unregister("watermark")
        registry.insert_after("watermark", named("after"))

    made = plan(base(), [pack("host", **setup(edit))])
    assert placed(made) == ["fetch", "media.0 shrink", "media.0 after", "media.1 transcode",
                            "publish"]  # fmt: skip
    assert [layer.name for layer in made.steps[1].layers] == ["wrapper"]


def test_removing_a_group_removes_the_steps_that_it_brought(named, pack, plan, base) -> None:
    remove = pack("host", **setup(lambda registry: registry.unregister("media")))
    assert placed(plan(base(), [remove])) == ["fetch", "publish"]
    assert plan(base(), [remove]).groups == ()
    hangs = pack("acme-b", **setup(lambda registry: registry.insert_after("resize", named("x"))))
    assert placed(plan(base(), [remove, hangs])) == ["fetch", "media.0 x", "publish"]


def test_a_group_of_another_pack_is_removed_with_a_grant(named, pack, plan, base) -> None:
    remove = pack("acme-a", **setup(lambda registry: registry.unregister("media")))
    with pytest.raises(PlanError) as error:
        plan(base(), [remove])
    assert codes(error) == ["remove-needs-grant"]
    assert 'allow it    [grants]  acme-a = ["remove host:media"]' in (
        error.value.problems[0].ways_out
    )
    granted = {"acme-a": frozenset({"remove host:media"})}
    assert placed(plan(base(), [remove], granted)) == ["fetch", "publish"]


def test_a_final_step_keeps_its_group(named, pack, plan, base) -> None:
    remove = pack("host", **setup(lambda registry: registry.unregister("media")))
    with pytest.raises(PlanError) as error:
        plan(base(resize=named("resize", final=True)), [remove])
    assert codes(error) == ["final-step"]


@pytest.mark.parametrize("edit", ["replace", "wrap"])
def test_packs_do_not_replace_or_wrap_a_group(named, pack, plan, base, edit: str) -> None:
    def change(registry):
        getattr(registry, edit)("media", named("x") if edit == "replace" else StepWrapper)

    with pytest.raises(PlanError) as error:
        plan(base(), [pack("acme-a", **setup(change))])
    assert codes(error) == ["not-a-step"]
    assert "name one of its steps: resize, watermark, transcode" in (
        error.value.problems[0].ways_out
    )


def test_a_step_with_the_name_of_a_group_is_a_duplicate(named, pack, plan, base) -> None:
    with pytest.raises(PlanError) as error:
        plan(base(), [pack("acme-a", **setup(lambda registry: registry.register(named("media"))))])
    assert codes(error) == ["duplicate-step"]


def test_a_group_that_hangs_on_what_hangs_on_its_steps_is_a_cycle(named, pack, plan) -> None:
    group = parallel("media", [named("resize"), named("transcode")])
    packs = [
        pack("acme-a", **setup(lambda registry: registry.insert_before("x", group))),
        pack("acme-b", **setup(lambda registry: registry.insert_before("transcode", named("x")))),
    ]
    with pytest.raises(PlanError) as error:
        plan([named("find")], packs)
    assert codes(error) == ["anchor-cycle"]
    assert "media before x" in error.value.problems[0].message


def test_a_group_whose_anchor_is_missing_may_be_left_out(named, pack, plan) -> None:
    def edit(registry):
        group = parallel("media", [named("resize"), named("transcode")])
        registry.insert_after("absent", group, if_missing="skip")
        registry.insert_after("media", named("a"), if_missing="skip")
        registry.insert_after("resize", named("b"), if_missing="skip")

    assert placed(plan([named("find")], [pack("acme-a", **setup(edit))])) == ["find"]


def test_a_step_that_always_runs_closes_the_plan_also_beside_a_step_of_a_group(
    named, pack, plan, base
) -> None:
    def answer(step):
        return named("tidy", always_run=True) if step.name == "resize" else None

    made = plan(base(), [pack("acme-a", insert_after=answer)])
    assert placed(made) == [*MEDIA, "tidy"]
    registry = registry_of(base())
    registry.insert_after("resize", named("tidy", always_run=True))
    assert placed(plan_of_registry(registry)) == [*MEDIA, "tidy"]


def test_hooks_are_asked_about_the_steps_of_a_group_and_see_it_in_the_registry(
    pack, plan, base
) -> None:
    asked, shown = [], []
    packs = [
        pack("acme-a", insert_after=lambda step: asked.append(step.name)),
        pack("acme-b", **setup(lambda registry: shown.append(repr(registry)))),
    ]
    plan(base(), packs)
    assert asked == ["fetch", "resize", "watermark", "transcode", "publish"]
    assert shown == ["<EditRecorder fetch -> media[resize -> watermark | transcode] -> publish>"]


# A part of a plan


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"only": ["media"]}, MEDIA[1:4]),
        ({"only": ["fetch", "watermark"]}, ["fetch", "media.0 watermark"]),
        ({"only": ["transcode"]}, ["media.0 transcode"]),
        ({"skip": ["media"]}, ["fetch", "publish"]),
        ({"skip": ["resize"]}, ["fetch", "media.0 watermark", "media.1 transcode", "publish"]),
        ({"skip": ["resize", "watermark"]}, ["fetch", "media.0 transcode", "publish"]),
        ({"start": "media"}, MEDIA[1:]),
        ({"start": "publish"}, ["publish"]),
        ({"start": "resize"}, MEDIA[1:]),
        ({"start": "watermark"}, ["media.0 watermark", "media.1 transcode", "publish"]),
        ({"start": "transcode"}, MEDIA[1:]),
    ],
)
def test_a_part_is_chosen_by_steps_and_by_groups(plan, base, options, expected) -> None:
    """What runs at the same time as the first step does not come before it."""
    part = select(plan(base(concurrency=2), []), **options)
    assert placed(part) == expected
    assert part.part is (len(expected) < len(MEDIA))
    assert all(group.limit == 2 for group in part.groups)
    lanes = [position for group in part.groups for lane in group.lanes for position in lane]
    assert lanes == [place for place, each in enumerate(part.steps) if each.group is not None]


def test_a_part_knows_groups_when_a_name_is_misspelt(plan, base) -> None:
    with pytest.raises(StepNotFoundError, match="media"):
        select(plan(base(), []), only=["medai"])


# Rules


@pytest.mark.parametrize(
    ("step", "side", "anchor", "met"),
    [
        ("resize", "before", "watermark", True),
        ("watermark", "before", "resize", False),
        ("resize", "before", "transcode", False),
        ("transcode", "after", "resize", False),
        ("resize", "before", "publish", True),
        ("fetch", "before", "transcode", True),
        ("fetch", "before", "media", True),
        ("resize", "before", "media", False),
        ("publish", "after", "media", True),
        ("transcode", "after", "media", False),
        ("publish", "after", "watermark", True),
        ("transcode", "after", "fetch", True),
    ],
)
def test_a_required_step_of_another_lane_is_not_before_its_anchor(
    plan, base, step, side, anchor, met
) -> None:
    """A place in the flat plan is no promise about time between lanes."""
    rule = RequiredStep(
        pack="host", name=step, side=side, anchor=anchor, within=("*",), origin=Origin()
    )
    made = plan(base(), [])
    assert [problem.code for _, problem in missing(made, [rule], None)] == (
        [] if met else ["required-step-missing"]
    )


# Dry runs


def test_a_dry_run_is_lenient_only_with_what_comes_after_a_step_that_is_left_out(
    named, plan
) -> None:
    class Reads(type(named("x"))):  # type: ignore[misc]
        effects = False

    lanes = [[named("resize"), Reads("measure")], Reads("probe")]
    made = preview_plan(plan([Reads("find"), parallel("media", lanes), Reads("report")], []))
    kinds = {each.name: type(each.step).__name__ for each in made.steps}
    assert kinds == {
        "find": "Reads",
        "resize": "_Previewed",
        "measure": "Lenient",
        "probe": "Reads",
        "report": "Lenient",
    }
    assert [group.span for group in made.groups] == [range(1, 4)]


# Why it is there


def test_the_explanation_of_a_step_names_its_lane_and_a_group_has_one(
    named, pack, plan, base
) -> None:
    def edit(registry):
        registry.insert_after("media", named("last"))
        registry.insert_after("watermark", named("mark"))

    made = plan(base(), [pack("acme-a", **setup(edit))])

    def told(name):
        found = explain(made, name)
        links = [(link.step, link.told) for link in found.links]
        return found.place, found.group, found.lane, links

    after = ("mark", "inserted after watermark")
    assert told("mark") == (4, "media", 0, [after, ("watermark", "base")])
    assert told("media") == (2, None, None, [("media", "base")])
    assert told("last")[3] == [("last", "inserted after media"), ("media", "base")]
    place = explain(made, "media").links[0].origin
    assert (place.pack, place.file) == ("host", __name__.replace(".", "/") + ".py")
    assert explain(made, "mark").to_dict()["lane"] == 0


def test_the_explanation_of_a_removed_group_and_of_its_steps_tells_who_removed_it(
    pack, plan, base
) -> None:
    made = plan(base(), [pack("host", **setup(lambda registry: registry.unregister("media")))])
    for name in ("media", "resize"):
        found = explain(made, name)
        assert found.place == 0
        assert found.gone is not None
        assert found.gone.kind == "removed"


# Size


def calls_of(work) -> int:
    count = 0

    def profile(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    gc.disable()  # Others are told of each collection, and the calls to them are no calls of ours.
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


@pytest.mark.slow
def test_planning_lanes_grows_with_them_and_no_faster(named, pack, plan) -> None:
    """Twice the lanes, with an edit in each of them, take twice the calls."""

    def planning(count):
        lanes = [[named(f"a{number}"), named(f"b{number}")] for number in range(count)]

        def edit(registry):
            for number in range(count):
                registry.insert_after(f"a{number}", named(f"c{number}"))
                registry.insert_before("media", named(f"d{number}"))

        made = plan([parallel("media", lanes)], [pack("acme-a", **setup(edit))])
        assert len(made.groups[0].lanes) == count
        assert len(select(made, start="b1").steps) == 3 * count - 2
        return made.fingerprint

    small, large = (calls_of(lambda count=count: planning(count)) for count in (500, 1_000))
    assert large <= 2 * small + 500


@pytest.mark.slow
def test_steps_without_groups_are_planned_without_a_call_more(named) -> None:
    """The groups of a plan without any are known without a look at its steps."""
    made = plan_of_registry(registry_of(named(f"s{number}") for number in range(2_000)))
    assert calls_of(lambda: made.groups) <= 2
    assert calls_of(lambda: made.before(range(1_000, 1_001))) <= 4
