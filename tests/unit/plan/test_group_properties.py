"""For any edits, a plan with groups is the plan in which each group is a row of steps.

A group is written out as its steps, with a marker before each lane and one at the end. What hangs
on the group hangs on its first or last marker, so the rules for plans without groups say where it
stands, and the markers around a step say in which lane.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from handrail import PlanError, parallel

ROUNDS = settings(max_examples=150, deadline=None)

BASE: tuple[Any, ...] = ("find", ("media", (("resize", "watermark"), ("transcode",))), "send")
ENDS = {"insert_before": "0", "insert_after": "end", "register": ""}
LANES = ("resize", "watermark", "transcode")


@dataclass(frozen=True)
class Edit:
    """One edit: the method, the name that it is about, and what it brings.

    What it brings is the name of a step, or a name and the lanes of a group.
    """

    method: str
    name: str
    brought: Any = None


@dataclass(frozen=True)
class World:
    """Makes plans with groups, and plans with markers in their place."""

    named: Any
    fake_pack: Any
    make_plan: Any

    def part(self, part: Any) -> Any:
        """Return a step or a group."""
        if isinstance(part, str):
            return self.named(part, final=part == "watermark")
        name, lanes = part
        return parallel(name, [list(map(self.part, lane)) for lane in lanes])

    def row(self, part: Any) -> list[Any]:
        """Return a step, or the steps and markers of a group."""
        if isinstance(part, str):
            return [self.part(part)]
        name, lanes = part
        steps = [
            [self.named(f"{name}|{number}"), *map(self.part, lane)]
            for number, lane in enumerate(lanes)
        ]
        return [step for lane in steps for step in lane] + [self.named(f"{name}|end")]

    def with_groups(self, packs: list[tuple[str, list[Edit]]]) -> Any:
        """Return the steps with their lanes; or the codes of the problems."""

        def edit(registry: Any, edit: Edit) -> None:
            if edit.method == "unregister":
                registry.unregister(edit.name)
            elif edit.method == "register":
                registry.register(self.part(edit.brought))
            else:
                getattr(registry, edit.method)(edit.name, self.part(edit.brought))

        made = self.planned(list(map(self.part, BASE)), packs, edit)
        if isinstance(made, PlanError):
            return sorted(problem.code for problem in made.problems)
        for group in made.groups:
            assert all(made.steps[place].group == group.name for place in group.span)
            for number, lane in enumerate(group.lanes):
                assert [made.steps[place].lane for place in lane] == [number] * len(lane)
            assert [place for lane in group.lanes for place in lane] == list(group.span)
        inside = sum(len(group.span) for group in made.groups)
        assert inside == sum(each.group is not None for each in made.steps)
        return [(each.name, each.group, each.lane) for each in made.steps]

    def with_markers(self, packs: list[tuple[str, list[Edit]]]) -> Any:
        """Return the same, by the rules for plans without groups."""
        groups = {part[0]: part[1] for part in groups_in(packs)}

        def edit(registry: Any, edit: Edit) -> None:
            name = edit.name
            row = [] if edit.brought is None else self.row(edit.brought)
            if edit.method == "unregister":
                for step in [step for lane in groups.get(name, ((name,),)) for step in lane]:
                    registry.unregister(step)
            elif edit.method == "replace":
                registry.replace(name, row[0])
            else:
                self.insert(registry, edit, f"{name}|{ENDS[edit.method]}", row, name in groups)

        made = self.planned([step for part in BASE for step in self.row(part)], packs, edit)
        if isinstance(made, PlanError):
            return sorted(problem.code for problem in made.problems)
        return list(unmarked([each.name for each in made.steps]))

    def insert(
        self, registry: Any, edit: Edit, marker: str, row: list[Any], on_group: bool
    ) -> None:
        anchor = marker if on_group else edit.name
        for step in reversed(row) if edit.method == "insert_after" else row:
            if edit.method == "register":
                registry.register(step)
            else:  # The later call stands closer.
                getattr(registry, edit.method)(anchor, step)

    def planned(self, base: list[Any], packs: list[tuple[str, list[Edit]]], edit: Any) -> Any:
        def setup(edits: list[Edit]) -> Any:
            return lambda registry: [edit(registry, each) for each in edits]

        made = [self.fake_pack(name, setup_steps=setup(edits)) for name, edits in packs]
        try:
            return self.make_plan(base, made, {name: Everything() for name, _ in packs})
        except PlanError as error:
            return error


class Everything(frozenset[str]):
    """Grants for whatever is asked."""

    def __contains__(self, grant: object) -> bool:
        return True


def groups_in(packs: list[tuple[str, list[Edit]]]) -> list[Any]:
    brought = [edit.brought for _, edits in packs for edit in edits]
    return [part for part in (*BASE, *brought) if isinstance(part, tuple)]


def unmarked(names: list[str]) -> Any:
    """Yield each step with its group and lane; lanes without steps are not counted."""
    group, lane, filled = None, -1, False
    for name in names:
        marked, marker, number = name.partition("|")
        if not marker:
            lane, filled = lane + (group is not None and not filled), True
            yield name, group, lane if group is not None else None
        elif number == "end":
            group = None
        else:
            lane = -1 if number == "0" else lane
            group, filled = marked, False


@pytest.fixture(scope="session")
def world(made_here: Any) -> World:
    return World(*made_here)


@st.composite
def drawn(draw: st.DrawFn) -> list[tuple[str, list[Edit]]]:
    """Draw the edits of one to three packs, who know each other's steps and groups."""
    packs: list[tuple[str, list[Edit]]] = []
    steps, groups, inside = ["find", *LANES, "send"], ["media"], set(LANES)
    untouched = [name for name in (*steps, *groups) if name != "watermark"]
    for mark in "abc"[: draw(st.integers(1, 3))]:
        edits: list[Edit] = []
        for number in range(draw(st.integers(1, 4))):
            new = f"{mark}{number}"
            method = draw(
                st.sampled_from(
                    ["insert_before", "insert_after", "register", "replace", "unregister"]
                )
            )
            if method in ("replace", "unregister"):
                targets = [name for name in untouched if method != "replace" or name in steps]
                if not targets:
                    continue
                name = draw(st.sampled_from(targets))
                untouched.remove(name)
                if name == "media" or name in inside:  # It cannot be taken out twice.
                    untouched = [each for each in untouched if each not in ("media", name)]
                    if name == "media":
                        untouched = [each for each in untouched if each not in LANES]
                edits.append(Edit(method, name, new if method == "replace" else None))
                if method == "replace":
                    steps.append(new)
                    inside |= {new} if name in inside else set()
                continue
            name = "" if method == "register" else draw(st.sampled_from(steps + groups))
            if name in inside or draw(st.booleans()):
                edits.append(Edit(method, name, new))
                steps.append(new)
                inside |= {new} if name in inside else set()
                continue
            lanes = (
                tuple(f"{new}_{each}" for each in range(draw(st.integers(1, 2)))),
                (f"{new}_z",),
            )
            edits.append(Edit(method, name, (new, lanes)))
            groups.append(new)
            steps += [step for lane in lanes for step in lane]
            inside |= {step for lane in lanes for step in lane}
        packs.append((f"acme-{mark}", edits))
    return packs


@ROUNDS
@given(packs=drawn())
def test_groups_are_planned_by_the_rules_for_plans_without_them(world: World, packs: Any) -> None:
    """Order, lanes and problems are those of the plan in which each group is a row of steps."""
    expected = world.with_markers(packs)
    event("refused" if expected and isinstance(expected[0], str) else "planned")
    assert world.with_groups(packs) == expected


@ROUNDS
@given(packs=drawn(), data=st.data())
def test_any_load_order_gives_the_same_plan_with_groups(
    world: World, packs: Any, data: st.DataObject
) -> None:
    """Steps and lanes, or problems, are the same in whatever order packs load."""
    assert world.with_groups(data.draw(st.permutations(packs))) == world.with_groups(packs)


@ROUNDS
@given(
    edits=st.permutations(
        [
            *(Edit("insert_after", name, f"{name}_after") for name in (*LANES, "media", "find")),
            *(Edit("insert_before", name, f"{name}_before") for name in (*LANES, "media", "send")),
            Edit("unregister", "transcode"),
        ]
    ),
    packs=st.integers(1, 3),
)
def test_edits_that_are_independent_give_one_plan_in_any_order(
    world: World, edits: list[Edit], packs: int
) -> None:
    """In any order of calls, by any number of packs, everything stands beside its anchor."""
    parts = [(f"acme-{number}", edits[number::packs]) for number in range(packs)]
    assert world.with_groups(parts) == [
        *(("find", None, None), ("find_after", None, None), ("media_before", None, None)),
        *(("resize_before", "media", 0), ("resize", "media", 0), ("resize_after", "media", 0)),
        ("watermark_before", "media", 0),
        *(("watermark", "media", 0), ("watermark_after", "media", 0)),
        *(("transcode_before", "media", 1), ("transcode_after", "media", 1)),
        *(("media_after", None, None), ("send_before", None, None), ("send", None, None)),
    ]
