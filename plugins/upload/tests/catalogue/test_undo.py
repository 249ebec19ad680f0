"""Whatever runs publish and take back, in any order: each takes back its own, and only that."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run

from handrail_upload.catalogue import Published, Removed, open_catalogue

RUNS = st.sampled_from(["one", "two", "three"])
NAMES = st.sampled_from(["a", "b", "c"])
ROLES = st.sampled_from(["image", "mask"])
VALUES = st.sampled_from(["1", "2"])
UNITS = st.dictionaries(
    NAMES, st.tuples(VALUES, st.dictionaries(ROLES, VALUES, min_size=1)), max_size=3
)
GONE = st.sets(st.tuples(NAMES, ROLES), max_size=4)


class Stack:
    """The values that runs gave to one row, the newest last."""

    def __init__(self):
        self.layers = []

    @property
    def visible(self):
        return self.layers[-1] if self.layers else None

    def give(self, run, value):
        if self.layers and self.layers[-1][0] == run:
            self.layers.pop()
        self.layers.append((run, value))

    def take(self, run):
        self.layers = [layer for layer in self.layers if layer[0] != run]

    @property
    def there(self):
        return self.visible is not None and self.visible[1] is not None


def machine(new_url, tools):  # noqa: C901 - one model, as hypothesis wants it
    """Return the state machine over catalogues at new places."""

    class Runs(RuleBasedStateMachine):
        @initialize()
        def make(self):
            self.catalogue = open_catalogue(new_url(), timeout=1)
            self.catalogue.prepare("first")
            self.units, self.files = {}, {}

        def teardown(self):
            if hasattr(self, "catalogue"):
                self.catalogue.close()

        def shows(self, name):
            """Return whether a unit is visible: not where all files of it are removed."""
            files = [stack for (unit, _), stack in self.files.items() if unit == name]
            brought = [stack for stack in files if stack.visible]
            return bool(self.units[name].visible) and (
                any(stack.there for stack in files) or not brought
            )

        @rule(run=RUNS, units=UNITS, gone=GONE)
        def publish(self, run, units, gone):
            gone = {(name, role) for name, role in gone if role not in units.get(name, ("", ()))[1]}
            counts = tools.publish(
                self.catalogue,
                run,
                *(
                    tools.unit(
                        name,
                        *(
                            tools.file(role, value, location=name + role)
                            for role, value in files.items()
                        ),
                        note=note,
                    )
                    for name, (note, files) in units.items()
                ),
                removed=[name + role for name, role in gone],
            )
            told = Counter()
            for name, (note, files) in units.items():
                mine = self.units.setdefault(name, Stack())
                stacks = {role: self.files.setdefault((name, role), Stack()) for role in files}
                differing = [
                    role
                    for role, value in files.items()
                    if (stacks[role].visible or ("", None))[1] != value
                ]
                if differing or (mine.visible or ("", None))[1] != note:
                    told["units_changed" if self.shows(name) else "units_added"] += 1
                    mine.give(run, note)
                for role in differing:
                    told["files_changed" if stacks[role].there else "files_added"] += 1
                    stacks[role].give(run, files[role])
            for name, role in gone:
                stack = self.files.get((name, role))
                if stack is not None and stack.there:
                    told["files_removed"] += 1
                    stack.give(run, None)
                    told["units_removed"] += not self.shows(name)
            assert counts == Published(**told)

        @rule(run=RUNS, times=st.integers(1, 2))
        def remove(self, run, times):
            for number in range(times):
                removed = self.catalogue.remove(run)
                assert number == 0 or removed == Removed()
            for stack in (*self.units.values(), *self.files.values()):
                stack.take(run)

        @invariant()
        def shows_the_newest_layers(self):
            if not hasattr(self, "catalogue"):
                return
            units = {name: stack.visible for name, stack in self.units.items() if self.shows(name)}
            files = {key: stack.visible for key, stack in self.files.items() if stack.there}
            assert {
                each.name: (each.run, each.metadata["note"])
                for each in self.catalogue.units("photos")
            } == units
            assert {
                (each.name, file.role): (file.run, file.sha256)
                for each in self.catalogue.units("photos")
                for file in each.files
            } == files

        @invariant()
        def knows_who_published(self):
            for name in ("one", "two", "three") if hasattr(self, "catalogue") else ():
                stacks = (*self.units.values(), *self.files.values())
                if any(run == name for stack in stacks for run, _ in stack.layers):
                    assert self.catalogue.published(name) is not None

    return Runs


@pytest.mark.slow
def test_each_run_takes_back_its_own(new_url, tools, request):
    """Rows are stacks of layers: a run takes out its layer, wherever it is, once or twice."""
    examples = 60 if "sqlite" in request.node.name else 20
    run(
        machine(new_url, tools),
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_nothing_is_left_when_all_are_undone(catalogue, order, tools):
    """Not even the collection; then the tables go with the run that made them."""
    for name, note in (("one", "1"), ("two", "2")):
        tools.publish(catalogue, name, tools.unit("a", tools.file(content=note), note=note))
    for name in order:
        catalogue.remove(name)
    catalogue.withdraw("first", ["tables", "file"])
    assert "tables" in catalogue.missing()


def told(catalogue):
    """Return run and content of each file, and run and metadata of each unit."""
    units = list(catalogue.units("photos"))
    files = {(e.name, f.role): (f.run, f.sha256) for e in units for f in e.files}
    return files, {e.name: (e.run, e.metadata) for e in units}


def test_rows_pass_to_a_run_that_relies_on_them(catalogue, tools):
    """With all layers: what the run had replaced comes back when the other one is undone."""
    old, new = tools.unit("a", tools.file(content="1")), tools.unit("a", tools.file(content="2"))
    other = tools.unit("b", tools.file("mask"))
    tools.publish(catalogue, "one", old)
    tools.publish(catalogue, "two", replace(new, metadata={"by": "two"}), other)
    catalogue.remove("two", lambda: [("file", "three"), ("elsewhere", "three")])
    files, units = {("a", "file"): ("three", "2")}, {"a": ("three", {"by": "two"})}
    assert told(catalogue) == (files, units)
    assert catalogue.remove("two", lambda: [("file", "three")]) == Removed()
    catalogue.remove("three")
    assert told(catalogue) == ({("a", "file"): ("one", "1")}, {"a": ("one", {})})


def test_covered_rows_pass_on_too(catalogue, tools):
    """A layer under that of a later run passes on in its place."""
    for name, content in (("one", "1"), ("two", "2"), ("four", "4")):
        tools.publish(catalogue, name, tools.unit("a", tools.file(content=content)))
    catalogue.remove("two", lambda: [("file", "three")])
    seen = []
    for name in ("four", "three", "one"):
        seen += told(catalogue)[0].values()
        catalogue.remove(name)
    assert seen == [("four", "4"), ("three", "2"), ("one", "1")]
    assert told(catalogue) == ({}, {})


def test_a_run_that_registered_nothing_passes_nothing_on(catalogue, tools):
    """It found all as another one had registered it; so of millions of keys only one is read."""
    for name in ("one", "two"):
        tools.publish(catalogue, name, tools.unit("a", tools.file()))
    keys = iter([("file", "one"), ("other", "one")])
    assert catalogue.remove("two", lambda: keys) == Removed()
    assert list(keys) == [("other", "one")]
    assert list(told(catalogue)[0].values()) == [("one", tools.file().sha256)]


@pytest.mark.parametrize("order", list(permutations(["one", "two", "three"])))
def test_former_values_that_describe_what_is_there_come_back(catalogue, tools, order):
    """They lie on top then, those of their unit too; and each run still takes back its own."""
    for name in ("one", "two", "three"):
        tools.publish(catalogue, name, tools.unit("a", tools.file(content=name), note=name))
    first = tools.file(content="one")
    removed = catalogue.remove("four", in_place=lambda: [(first.location, first.sha256)])
    assert removed == Removed()
    left = ["two", "three", "one"]
    for name in order:
        top = left[-1]
        there = tools.file(content=top).sha256
        assert told(catalogue) == ({("a", "file"): (top, there)}, {"a": (top, {"note": top})})
        catalogue.remove(name)
        left.remove(name)
    assert told(catalogue) == ({}, {})


def test_other_values_stay_as_they_are(catalogue, tools):
    """Where they describe what is there, or nothing that came before them does."""
    for name in ("one", "two"):
        tools.publish(catalogue, name, tools.unit("a", tools.file(content=name)))
    before, file = told(catalogue), tools.file(content="two")
    for location, content in ((file.location, "two"), (file.location, "3"), ("elsewhere", "one")):
        there = [(location, tools.file(content=content).sha256)]
        catalogue.remove("four", in_place=lambda there=there: there)
        assert told(catalogue) == before
