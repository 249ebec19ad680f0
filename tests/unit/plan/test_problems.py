"""Each kind of problem of a plan names its packs, their versions and lines, and what to paste."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from handrail import (
    BaseStep,
    BaseStepContext,
    Origin,
    PackInfo,
    PlanError,
    StepResult,
    StepWrapper,
    action,
    hookimpl,
    step,
)
from handrail.entry import entry_for
from handrail.plan.edits import PROJECT, EditSet, Insertion


def problems(plan: Any, base: list[Any], packs: list[Any], grants: Any = None) -> list[Any]:
    with pytest.raises(PlanError) as error:
        plan(base, packs, grants)
    return list(error.value.problems)


def editing(edit: Any) -> dict[str, Any]:
    def setup_steps(registry: Any) -> None:
        edit(registry)

    return {"setup_steps": setup_steps}


# What each kind of problem comes from: packs as (id, edit), grants, and the packs that are named.
KINDS: dict[str, tuple[dict[str, Any], bool, set[str]]] = {
    "unknown-anchor": (
        {"acme-a": lambda r, n: r.insert_before("sned", n("x"))},
        False,
        {"acme-a 1.0"},
    ),
    "anchor-cycle": (
        {
            "acme-a": lambda r, n: r.insert_before("b", n("a")),
            "acme-b": lambda r, n: r.insert_after("a", n("b")),
        },
        False,
        {"acme-a 1.0", "acme-b 1.0"},
    ),
    "duplicate-step": (
        {
            "acme-a": lambda r, n: r.register(n("x")),
            "acme-b": lambda r, n: r.register(n("x")),
        },
        False,
        {"acme-a 1.0", "acme-b 1.0"},
    ),
    "replaced-twice": (
        {
            "acme-a": lambda r, n: r.replace("send", n("a")),
            "acme-b": lambda r, n: r.replace("send", n("b")),
        },
        True,
        {"acme-a 1.0", "acme-b 1.0"},
    ),
    "replaced-and-removed": (
        {
            "acme-a": lambda r, n: r.replace("send", n("a")),
            "acme-b": lambda r, n: r.unregister("send"),
        },
        True,
        {"acme-a 1.0", "acme-b 1.0"},
    ),
    "replace-needs-grant": (
        {"acme-a": lambda r, n: r.replace("send", n("a"))},
        False,
        {"acme-a 1.0", "host 2.0"},
    ),
    "remove-needs-grant": (
        {"acme-a": lambda r, n: r.unregister("send")},
        False,
        {"acme-a 1.0", "host 2.0"},
    ),
    "final-step": (
        {"acme-a": lambda r, n: r.wrap("close", StepWrapper)},
        True,
        {"acme-a 1.0", "host 2.0"},
    ),
    "foreign-layer": (
        {"acme-a": lambda r, n: r.wrap("send", StepWrapper(n("other")))},
        False,
        {"acme-a 1.0"},
    ),
    "unknown-step": (
        {"acme-a": lambda r, n: r.wrap("sned", StepWrapper)},
        False,
        {"acme-a 1.0"},
    ),
}


@pytest.mark.parametrize("code", KINDS)
def test_each_kind_names_packs_versions_lines_and_ways_out(
    named: Any, pack: Any, plan: Any, code: str
) -> None:
    """One shape for all: who with which version, which line, and a way out that can be pasted."""
    edits, granted, told = KINDS[code]
    packs = [
        pack(name, setup_steps=lambda registry, edit=edit: edit(registry, named))
        for name, edit in edits.items()
    ]
    verbs = {f"{verb} host:send" for verb in ("replace", "remove")}
    grants = {name: frozenset(verbs) for name in edits} if granted else None
    base = [named("find"), named("send"), named("close", final=True)]
    (problem,) = problems(plan, base, packs, grants)
    assert problem.code == code
    assert all(who in problem.message for who in told)
    assert {origin.pack for origin in problem.origins} == {who.split()[0] for who in told}
    placed = [origin for origin in problem.origins if origin.line]
    assert {origin.pack for origin in placed} == set(edits)
    assert all(any(each.place in line for line in problem.details) for each in placed)
    pasted = [way for way in problem.ways_out if "--no-pack acme-" in way or "[packs]" in way]
    assert pasted or code == "foreign-layer"


def test_a_step_of_the_same_name_after_unregister_is_told_to_use_replace(
    named: Any, pack: Any, plan: Any
) -> None:
    """Who removes a step and registers one under its name is told the call that is meant."""

    def edit(registry: Any) -> None:
        registry.unregister("send")
        registry.register(named("send"))

    grants = {"acme-a": frozenset({"remove host:send"})}
    base = [named("find"), named("send")]
    (problem,) = problems(plan, base, [pack("acme-a", **editing(edit))], grants)
    assert problem.code == "duplicate-step"
    assert "use registry.replace('send', ...)" in problem.ways_out[0]


def test_what_hangs_on_a_misplaced_step_is_named_with_it(named: Any, pack: Any, plan: Any) -> None:
    """One missing anchor is one problem, which names every step that goes missing with it."""
    packs = [
        pack("acme-a", **editing(lambda r: r.insert_before("nowhere", named("x")))),
        pack("acme-b", **editing(lambda r: r.insert_after("x", named("y")))),
        pack("acme-c", **editing(lambda r: r.insert_after("y", named("z")))),
    ]
    (problem,) = problems(plan, [named("find")], packs)
    assert problem.code == "unknown-anchor"
    assert any("with it y after x (acme-b 1.0, " in line for line in problem.details)
    assert any("with it z after y (acme-c 1.0, " in line for line in problem.details)
    assert {origin.pack for origin in problem.origins} == {"acme-a", "acme-b", "acme-c"}


def test_each_cycle_of_packs_is_a_problem_of_its_own(named: Any, pack: Any, plan: Any) -> None:
    """Two cycles are two problems, and a pack that only waits for one of them is in neither."""
    wishes = {"a": "b", "b": "a", "c": "d", "d": "c", "e": "a"}
    packs = [
        pack(f"acme-{mark}", PackInfo(after=[f"acme-{other}"])) for mark, other in wishes.items()
    ]
    found = problems(plan, [named("find")], packs)
    assert [problem.code for problem in found] == ["pack-cycle", "pack-cycle"]
    assert found[0].message.endswith("acme-a 1.0 after acme-b 1.0 after acme-a 1.0")
    assert found[1].message.endswith("acme-c 1.0 after acme-d 1.0 after acme-c 1.0")


def test_the_project_can_place_a_misplaced_step_itself(named: Any, pack: Any, plan: Any) -> None:
    """The line that the problem tells to add is the way out: the step is there, once."""
    packs = [pack("acme-a", **editing(lambda r: r.insert_before("sned", named("x"))))]
    base = [named("find"), named("send")]
    (problem,) = problems(plan, base, packs)
    line = 'place it yourself  [actions.upload]  insert = [{ step = "acme-a:x", before = "send" }]'
    assert problem.ways_out[0] == line
    own = EditSet(owner=PROJECT)
    origin = Origin(file="handrail.toml", line=2)
    own.insertions.append(
        Insertion(entries=(entry_for(named("x")),), anchor="send", side="before", origin=origin)
    )
    made = plan(base, packs, None, own)
    assert [planned.name for planned in made] == ["find", "x", "send"]


def test_packs_are_asked_about_the_steps_of_the_project(named: Any, pack: Any, plan: Any) -> None:
    """What the project puts into a plan is wrapped and followed like any other step."""
    own = EditSet(owner=PROJECT)
    own.insertions.append(
        Insertion(entries=(entry_for(named("x")),), anchor="find", side="after", origin=Origin())
    )
    hook = pack("acme-a", insert_after=lambda step: named("y") if step.name == "x" else None)
    made = plan([named("find")], [hook], None, own)
    assert [planned.name for planned in made] == ["find", "x", "y"]


@dataclass(kw_only=True)
class OtherContext(BaseStepContext):
    """A context that no action here has."""


class Particular(BaseStep[OtherContext]):
    """A step that works on it."""

    name = "particular"
    progress_weight = 0.1

    def execute(self, context: OtherContext) -> StepResult:
        return StepResult()


class Derived(Particular):
    """Says so only through its base."""


@step
def by_annotation(context: OtherContext) -> None: ...


class ParticularLayer(StepWrapper[OtherContext]):
    """A layer that works on it."""


@pytest.mark.parametrize("brought", [Particular(), Derived(), by_annotation])
@pytest.mark.parametrize("way", ["register", "replace", "answer"])
def test_a_step_for_another_context_is_a_problem(
    named: Any, pack: Any, plan: Any, brought: Any, way: str
) -> None:
    """However a step comes in, its context has to be one that the action has."""
    hooks: dict[str, Any] = {
        "register": editing(lambda registry: registry.register(brought)),
        "replace": editing(lambda registry: registry.replace("find", brought)),
        "answer": {"insert_after": lambda step: brought},
    }[way]
    grants = {"acme-a": frozenset({"replace host:find"})}
    (problem,) = problems(plan, [named("find")], [pack("acme-a", **hooks)], grants)
    assert problem.code == "context-type"
    assert "acme-a 1.0" in problem.message
    assert "works on a OtherContext; the context of upload is a BaseStepContext" in problem.message
    assert "issubclass(action.context_type, OtherContext)" in problem.ways_out[0]


def test_a_layer_for_another_context_is_a_problem(named: Any, pack: Any, plan: Any) -> None:
    """What a layer does it does with the context of the action."""
    packs = [pack("acme-a", wrap_step=lambda step: ParticularLayer(step))]  # noqa: PLW0108
    (problem,) = problems(plan, [named("find")], packs)
    assert problem.code == "context-type"
    assert "wraps find in ParticularLayer" in problem.message


def test_a_step_fits_the_context_that_it_names_and_those_derived_from_it() -> None:
    """A general step fits every action, and a particular one those with its context."""

    @dataclass(kw_only=True)
    class Narrower(OtherContext):
        """One more level."""

    hooks = ModuleType("hooks")
    hooks.__dict__["insert_after"] = hookimpl(insert_after)
    mine = action("mine", [step(weight=0.1, name="find")(lambda context: None)], context=Narrower)
    assert [planned.name for planned in mine.plan(packs=[hooks])] == ["find", "particular"]


def insert_after(step: Any) -> Any:
    return Particular() if step.name == "find" else None


def clash(error):
    [found] = [each for each in error.value.problems if each.code == "duplicate-step"]
    outs = [way.partition("--no-pack ")[2] for way in found.ways_out if "--no-pack" in way]
    return found.message, outs


def test_a_pack_that_brings_a_step_twice_is_the_only_one_that_is_blamed(named, pack, plan):
    """Not the action, nor the pack of the steps that it stands by."""
    packs = [
        pack("acme-sums", insert_after=lambda step: named("write_sums")),
        pack("acme-quiet", insert_before=lambda step: None),
    ]
    with pytest.raises(PlanError) as error:
        plan([named("find"), named("send")], packs)
    assert clash(error) == (
        "acme-sums 1.0 brings two steps that answer to 'write_sums'",
        ["acme-sums"],
    )


def test_a_clash_with_a_step_of_the_action_leaves_out_the_pack_and_not_the_action(
    named, pack, plan
):
    """The pack that offers the action cannot be left out, or there would be nothing to run."""
    with pytest.raises(PlanError) as error:
        plan([named("find")], [pack("acme-sums", insert_after=lambda step: named("find"))])
    assert clash(error) == (
        "two steps answer to 'find': one of upload itself, one of acme-sums 1.0",
        ["acme-sums"],
    )


def test_steps_of_a_pack_that_the_project_brings_are_its_own_affair(named, plan):
    """The pack that offers the step is innocent: the lines of the project are named."""
    project = EditSet(owner="project")
    for line in (4, 9):
        project.insertions.append(
            Insertion(
                entries=(entry_for(named("write_sums")),),
                anchor="find",
                side="after",
                origin=Origin(file="handrail.toml", line=line),
                sources=(Origin(pack="acme-sums", version="0.1.0"),),
            )
        )
    with pytest.raises(PlanError) as error:
        plan([named("find")], [], project=project)
    assert clash(error) == ("handrail.toml:9 brings two steps that answer to 'write_sums'", [])


def test_a_clash_of_names_blames_no_pack_that_hangs_on_the_name(
    named: Any, pack: Any, plan: Any
) -> None:
    """A pack that is asked about both steps of that name has brought its own step once."""
    packs = [
        pack(
            "acme-again", insert_before=lambda step: named("send") if step.name == "close" else None
        ),
        pack("acme-sums", insert_after=lambda step: named("sums") if step.name == "send" else None),
    ]
    for order in (packs, packs[::-1]):
        with pytest.raises(PlanError) as error:
            plan([named("send"), named("close")], order)
        [problem] = error.value.problems
        assert problem.message.startswith("two steps answer to 'send'")
        assert {origin.pack for origin in problem.origins} == {"acme-again"}
