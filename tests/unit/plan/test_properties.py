"""What must hold for any set of packs, with every kind of edit, answer and wish about order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from handrail import PackInfo, PlanError, StepRegistry, StepWrapper

# With one Python: they are about plans, and take seconds each.
pytestmark = pytest.mark.slow

BASE = ("find", "send", "close")
FLAGS = ({"always_run": True}, {"alias": True}, {"final": True})
ROUNDS = settings(max_examples=100, deadline=None)


@dataclass(frozen=True)
class Step:
    """A step to be made: names of steps are unique unless hypothesis wants them to clash."""

    name: str
    always_run: bool = False
    final: bool = False
    alias: bool = False


@dataclass(frozen=True)
class Pack:
    """A pack to be made.

    Attributes:
        id: Its id; `mark` is in the names of its steps and stays when the id changes.
        calls: What it does in `setup_steps`: the method and its arguments.
        answers: What its hooks answer: hook, the step asked about (None: every one), steps.
        layers: The steps that `wrap_step` wraps; None stands for every one.
        after: Packs that it wants to come after, by mark.
    """

    id: str
    mark: str
    calls: tuple[tuple[Any, ...], ...] = ()
    answers: tuple[tuple[str, str | None, tuple[Step, ...]], ...] = ()
    layers: tuple[str | None, ...] = ()
    after: tuple[str, ...] = ()


@dataclass
class Told:
    """What the packs inserted while a plan was made: owner, step, anchor, and how firmly."""

    inserted: list[tuple[str, Step, str | None, str]] = field(default_factory=list)
    replaced: list[tuple[str, str, Step]] = field(default_factory=list)
    removed: list[tuple[str, str]] = field(default_factory=list)


class Everything(frozenset[str]):
    """Grants for whatever is asked."""

    def __contains__(self, grant: object) -> bool:
        return True


class Layer(StepWrapper):
    """A layer that knows whose it is."""

    owner = ""


def layer_of(mark: str) -> type[Layer]:
    return type(f"Layer{mark.upper()}Step", (Layer,), {"owner": mark})


@dataclass(frozen=True)
class World:
    """Makes packs of data, and plans with them."""

    named: Any
    fake_pack: Any
    make_plan: Any

    def step(self, step: Step) -> Any:
        aliases = (f"old_{step.name}",) if step.alias else ()
        return self.named(step.name, always_run=step.always_run, final=step.final, aliases=aliases)

    def edit(self, mark: str, told: Told, registry: Any, method: str, *given: Any) -> None:
        """Make one call on the registry, and note what it is."""
        if method == "register":
            told.inserted.append((mark, given[0], None, "error"))
            registry.register(self.step(given[0]))
        elif method == "replace":
            told.replaced.append((mark, *given))
            registry.replace(given[0], self.step(given[1]))
        elif method == "unregister":
            told.removed.append((mark, given[0]))
            registry.unregister(given[0], missing_ok=given[1])
        elif method == "wrap":
            name, ready = given
            found = [each for each in registry.get_steps() if each.name == name]
            layer = layer_of(mark)
            registry.wrap(name, layer(found[0]) if ready and found else layer)
        else:
            anchor, step, if_missing = given
            told.inserted.append((mark, step, anchor, if_missing))
            getattr(registry, method)(anchor, self.step(step), if_missing=if_missing)

    def pack(self, pack: Pack, told: Told, ids: dict[str, str]) -> Any:
        def setup_steps(registry: Any) -> None:
            for method, *rest in pack.calls:
                self.edit(pack.mark, told, registry, method, *rest)

        def answering(hook: str) -> Any:
            def answer(step: Any) -> Any:
                made = []
                for which, asked, steps in pack.answers:
                    if which != hook or asked not in (None, step.name):
                        continue
                    for each in steps:
                        if asked is None:
                            each = replace(each, name=f"{each.name}_at_{step.name}")
                        told.inserted.append((pack.mark, each, step.name, "answer"))
                        made.append(self.step(each))
                return made or None

            return answer

        def wrap_step(step: Any) -> Any:
            wanted = None in pack.layers or step.name in pack.layers
            return layer_of(pack.mark)(step) if wanted else None

        return self.fake_pack(
            pack.id,
            PackInfo(after=[ids[each] for each in pack.after if each in ids]),
            setup_steps=setup_steps,
            insert_before=answering("insert_before"),
            insert_after=answering("insert_after"),
            wrap_step=wrap_step,
        )

    def plan(self, packs: list[Pack], granted: bool = True) -> tuple[Any, Told]:
        """Return the plan or the PlanError, and what the packs did meanwhile."""
        told = Told()
        ids = {pack.mark: pack.id for pack in packs}
        made = [self.pack(pack, told, ids) for pack in packs]
        grants = {pack.id: Everything() for pack in packs} if granted else None
        base = [self.named(name, always_run=name == "close") for name in BASE]
        try:
            return self.make_plan(base, made, grants), told
        except PlanError as error:
            return error, told


@pytest.fixture(scope="session")
def world(made_here) -> World:
    return World(*made_here)


@dataclass
class Draw:
    """Draws one pack after the other; mostly such that they get along."""

    draw: st.DrawFn
    marks: str
    wild: bool
    there: list[str] = field(default_factory=lambda: list(BASE))
    untouched: list[str] = field(default_factory=lambda: list(BASE))

    def among(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def anchor(self) -> str:
        if not self.wild:
            return self.among(*self.there)
        steps = [f"{mark}{number}" for mark in self.marks for number in (0, 1)]
        return self.among(*BASE, *steps, "old_a0", "b0_at_send", "absent")

    def target(self) -> str | None:
        """Return a step to be replaced or removed, each once."""
        if self.wild:
            return self.anchor()
        if not self.untouched:
            return None
        return self.untouched.pop(self.draw(st.integers(0, len(self.untouched) - 1)))

    def pack(self, mark: str, pack_id: str) -> Pack:
        calls: list[tuple[Any, ...]] = []
        answers: list[tuple[str, str | None, tuple[Step, ...]]] = []
        for number in range(2):
            self.add(Step(f"{mark}{number}", **self.among({}, {}, *FLAGS)), calls, answers)
        self.change(calls)
        layers = self.draw(st.lists(st.sampled_from([*BASE, "a0", None]), max_size=1))
        after = self.draw(st.lists(st.sampled_from(self.marks), max_size=1))
        if not self.wild:
            after = [each for each in after if each < mark]
        return Pack(pack_id, mark, tuple(calls), tuple(answers), tuple(layers), tuple(after))

    def add(self, step: Step, calls: list[Any], answers: list[Any]) -> None:
        side = self.among("insert_before", "insert_after")
        way = self.among("call", "call", "register", "answer", "all", "replace", "no")
        target = self.target() if way == "replace" else None
        if way == "call":
            if_missing = self.among("error", "skip")
            absent = if_missing == "skip" and self.among(False, False, True)
            calls.append((side, "absent" if absent else self.anchor(), step, if_missing))
            if absent:
                return
        elif way == "register":
            calls.append(("register", step))
        elif way == "answer":
            answers.append((side, self.anchor(), (step,)))
        elif way == "all":
            answers.append((side, None, (step,)))
            return
        elif target is not None:
            calls.append(("replace", target, step))
        if way != "no" and (way != "replace" or target is not None):
            self.there += sorted(answers_to(step))
            if not step.final:
                self.untouched.append(step.name)

    def change(self, calls: list[Any]) -> None:
        kind = self.among("wrap", "wrap", "unregister", "same", "no", "no")
        if kind == "wrap":
            calls.append(("wrap", self.anchor(), self.among(False, True)))
        target = self.target() if kind in ("unregister", "same") else None
        if target is not None and kind == "unregister":
            calls.append(("unregister", target, self.among(False, True)))
        elif target is not None:
            calls.append(("replace", target, Step(target)))


@st.composite
def drawn(draw: st.DrawFn) -> list[Pack]:
    """Draw two to four packs that know each other's steps."""
    marks = "abcd"[: draw(st.integers(2, 4))]
    drawing = Draw(draw, marks, wild=draw(st.integers(0, 3)) == 0)
    ids = draw(st.permutations([f"acme-{mark}" for mark in marks]))
    packs = [drawing.pack(mark, pack_id) for mark, pack_id in zip(marks, ids, strict=True)]
    # Whether a pack knows those of later ones is not up to their order here.
    return draw(st.permutations(packs))


def seen(made: Any) -> Any:
    """Return everything that a person sees of a plan, or of its problems."""
    if isinstance(made, PlanError):
        return [(problem.code, problem.message) for problem in made.problems]
    return made.fingerprint, [
        (planned.name, planned.reason, [layer.origin.pack for layer in planned.layers])
        for planned in made.steps
    ]


def names(plan: Any) -> list[str]:
    return [planned.name for planned in plan.steps]


def layers(plan: Any, *without: str) -> dict[str, list[str]]:
    """Return the marks of the layers around each step."""
    return {
        planned.name: [
            layer.wrapper.owner for layer in planned.layers if layer.wrapper.owner not in without
        ]
        for planned in plan.steps
    }


@ROUNDS
@given(packs=drawn(), granted=st.booleans(), data=st.data())
def test_any_load_order_gives_the_same_plan(world, packs, granted, data) -> None:
    """Steps, layers, reasons, fingerprint or problems are the same in whatever order packs load."""
    first, _ = world.plan(packs, granted)
    event("refused" if isinstance(first, PlanError) else "planned")
    again, _ = world.plan(data.draw(st.permutations(packs)), granted)
    assert seen(first) == seen(again)


@ROUNDS
@given(packs=drawn(), data=st.data())
def test_renaming_packs_changes_the_order_of_ties_only(world, packs, data) -> None:
    """A plan stays valid, with the same steps at the same anchors and the same layers."""
    ids = data.draw(st.permutations([pack.id for pack in packs]))
    renamed = [replace(pack, id=name) for pack, name in zip(packs, ids, strict=True)]
    first, _ = world.plan(packs)
    second, _ = world.plan(renamed)
    if isinstance(first, PlanError) or isinstance(second, PlanError):
        assert isinstance(first, PlanError)
        assert isinstance(second, PlanError)
        return
    assert sorted(names(first)) == sorted(names(second))
    base = [name for name in names(first) if name in BASE]
    assert base == [name for name in names(second) if name in BASE]
    for name, around in layers(first).items():
        assert Counter(around) == Counter(layers(second)[name])
    reasons = [
        {each.name: each.reason.partition(" of ")[0] for each in made.steps}
        for made in (first, second)
    ]
    assert reasons[0] == reasons[1]


@ROUNDS
@given(packs=drawn())
def test_every_inserted_step_is_there_once_or_the_plan_names_it(world, packs) -> None:
    """No step of an enabled pack gets lost on the way, and none is there twice."""
    made, told = world.plan(packs)
    if isinstance(made, PlanError):
        said = (
            " ".join(" ".join((each.message, *each.details)) for each in made.problems)
            .replace("'", " ")
            .replace(",", " ")
            .split()
        )
        for name in misplaced(told):
            assert name in said, (name, said)
        return
    left_out = left_out_of(told)
    for _, step, _, _ in told.inserted:
        gone = step.name in left_out or taken(step, told)
        assert names(made).count(step.name) == (0 if gone else 1)


def answers_to(step: Step) -> set[str]:
    return {step.name, f"old_{step.name}"} if step.alias else {step.name}


def taken(step: Step, told: Told) -> bool:
    """Whether somebody removes a step, or puts another one into its place."""
    gone = {name for _, name in told.removed}
    gone |= {name for _, name, other in told.replaced if name != other.name}
    return bool(answers_to(step) & gone)


def left_out_of(told: Told) -> set[str]:
    """Return the steps without an anchor that may do without it."""
    left_out: set[str] = set()
    while True:
        there = set(BASE)
        for _, step, _, _ in told.inserted:
            if step.name not in left_out:
                there |= answers_to(step)
        for _ in told.replaced:  # One may replace what another one brings.
            for _, target, step in told.replaced:
                there |= answers_to(step) if target in there else set()
        more = {
            step.name
            for _, step, anchor, firmly in told.inserted
            if firmly == "skip" and anchor not in there and step.name not in left_out
        }
        if not more:
            return left_out
        left_out |= more


def misplaced(told: Told) -> set[str]:
    """Return the steps that hang on nothing in the end; a plan with one is refused."""
    left_out = left_out_of(told)
    waiting = [each[1:3] for each in told.inserted if each[1].name not in left_out]
    hanging = [*waiting, *((step, target) for _, target, step in told.replaced)]
    placed: set[str] = set(BASE)
    while True:
        more = {
            name
            for step, anchor in hanging
            if anchor is None or anchor in placed
            for name in answers_to(step)
        }
        if more <= placed:
            return {step.name for step, _ in waiting} - placed
        placed |= more


@ROUNDS
@given(packs=drawn(), data=st.data())
def test_taking_a_pack_away_takes_its_edits_and_nothing_else(world, packs, data) -> None:
    """What is left is what was there without it, or the plan names who needed it."""
    whole, told = world.plan(packs)
    assume(not isinstance(whole, PlanError))
    gone = data.draw(st.sampled_from(packs))
    rest = [pack for pack in packs if pack is not gone]
    made, _ = world.plan(rest)
    if isinstance(made, PlanError):
        event("needed")
        for problem in made.problems:
            assert problem.code in ("unknown-anchor", "unknown-step")
            assert problem.origins[0].pack in {pack.id for pack in rest}
        return
    before, after = names(whole), names(made)
    back = {name for mark, name in told.removed if mark == gone.mark}
    back |= {name for mark, name, _ in told.replaced if mark == gone.mark}
    owners = {step.name: mark for mark, step, _, _ in told.inserted}
    owners |= {step.name: mark for mark, _, step in told.replaced}
    hanging = led_to(told, gone.mark)
    assert set(before) - set(after) <= hanging
    assert not [name for name in after if owners.get(name) == gone.mark and name not in back]
    returned = set(after) - set(before)
    # A step may have been removed under its alias.
    assert all({name, f"old_{name}"} & back for name in returned)
    common = [name for name in before if name in after]
    were, are = layers(whole, gone.mark), layers(made)
    untouched = [name for name in common if not {name, f"old_{name}"} & back]
    for name in untouched:
        assert Counter(were[name]) == Counter(are[name])
    if not any(pack.after for pack in packs) and not back:
        assert common == [name for name in after if name in before]
        assert all(were[name] == are[name] for name in untouched)


def led_to(told: Told, mark: str) -> set[str]:
    """Return the steps of a pack, and all that hang on them."""
    hanging: set[str] = set()
    for owner, step, _, _ in told.inserted:
        hanging |= answers_to(step) if owner == mark else set()
    for owner, _, step in told.replaced:
        hanging |= answers_to(step) if owner == mark else set()
    while True:
        more = {
            name
            for _, step, anchor, _ in told.inserted
            if anchor in hanging
            for name in answers_to(step)
        } | {
            name
            for _, target, step in told.replaced
            if target in hanging
            for name in answers_to(step)
        }
        if more <= hanging:
            return hanging
        hanging |= more


@ROUNDS
@given(
    edits=st.lists(
        st.tuples(
            st.sampled_from(["insert_before", "insert_after", "register"]),
            st.integers(0, 50),
            st.booleans(),
            st.sampled_from(["error", "skip"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_one_packs_inserts_equal_a_plain_registry(world, edits) -> None:
    """For what a single pack inserts the plan has the order that a plain registry has."""
    plain: StepRegistry = StepRegistry()
    for name in BASE[:2]:
        plain.register(world.named(name))
    known = [*BASE[:2], "absent"]
    calls: list[tuple[Any, ...]] = []
    for number, (method, place, alias, if_missing) in enumerate(edits):
        anchor, step = known[place % len(known)], Step(f"s{number}", alias=alias)
        if anchor == "absent":
            if_missing = "skip"
        if method == "register":
            calls.append((method, step))
            plain.register(world.step(step))
        else:
            calls.append((method, anchor, step, if_missing))
            getattr(plain, method)(anchor, world.step(step), if_missing=if_missing)
        if step.name in plain:
            known += sorted(answers_to(step))
    pack = world.pack(Pack("acme-a", "a", tuple(calls)), Told(), {})
    made = world.make_plan([world.named(name) for name in BASE[:2]], [pack])
    assert names(made) == [step.name for step in plain]
