"""The manifest does what a plain list of files does, whatever happens in whichever order."""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from handrail_upload import Manifest, SourceFile
from handrail_upload.listing import as_json
from handrail_upload.manifest import (
    FOUND,
    INVALID,
    LEFT_OUT,
    NEW,
    REPLACE,
    REPLACED,
    SENT,
    SKIPPED,
    STORED,
    UNCHANGED,
)

STATES = (FOUND, INVALID, LEFT_OUT, NEW, REPLACE, REPLACED, SENT, SKIPPED, UNCHANGED)


def source_file(name: str, **values: Any) -> SourceFile:
    given = {"path": f"/src/{name}", "key": name, "unit": name, "role": "file"}
    return SourceFile(name=name, **{"size": 1, "mtime": 0, **given, **values})


names = st.text("ab\udc80é/ ", min_size=1, max_size=2)
some_states = st.lists(st.sampled_from(STATES), unique=True, max_size=3).map(tuple)


class Model(RuleBasedStateMachine):
    """A list of files, in the order in which they came, does the same as a manifest."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.manifest = Manifest(Path(self.folder.name, "run.db"))
        self.files: list[SourceFile] = []

    def teardown(self) -> None:
        self.manifest.remove()
        self.folder.cleanup()

    @rule(
        batch=st.lists(
            st.builds(
                source_file,
                st.text("abé", min_size=1, max_size=2),
                path=names.map("/{}".format),
                key=st.sampled_from("uvwxyz"),
                unit=st.sampled_from(["u", "v", "é"]),
                role=st.sampled_from(["image", "mask"]),
                size=st.integers(0, 2**40),
                mtime=st.integers(-(2**60), 2**60),
            ),
            max_size=4,
        )
    )
    def add(self, batch: list[SourceFile]) -> None:
        """A file whose key, or whose role in its unit, is taken is given back with the other."""
        expected = []
        for each in batch:
            others = [
                other.name
                for other in self.files
                if other.key == each.key or (other.unit, other.role) == (each.unit, each.role)
            ]
            if others:
                expected.append((each, others))
            else:
                self.files.append(replace(each, id=0))
        clashes = self.manifest.add(batch)
        assert [file for file, _ in clashes] == [file for file, _ in expected]
        for (_, other), (_, others) in zip(clashes, expected, strict=True):
            assert other in others

    @rule(data=st.data())
    def update(self, data: st.DataObject) -> None:
        """States, problems, checksums and sizes are written; names and keys stay."""
        changed = []
        for place, file in enumerate(list(self.manifest.files())):
            if not data.draw(st.booleans()):
                continue
            values: dict[str, Any] = {
                "state": data.draw(st.sampled_from(STATES)),
                "sha256": data.draw(st.sampled_from([None, "ab"])),
                "etag": data.draw(st.sampled_from([None, '"e"'])),
                "problem": data.draw(st.sampled_from([None, "is empty"])),
                "size": data.draw(st.integers(0, 100)),
            }
            changed.append(replace(file, **values))
            self.files[place] = replace(self.files[place], **values)
        self.manifest.update(iter(changed))

    @rule()
    def reopen_files(self) -> None:
        """What became of valid files is forgotten."""
        self.manifest.reopen_files()
        self.files = [
            each if each.state == INVALID else replace(each, state=FOUND, problem=None, etag=None)
            for each in self.files
        ]

    @rule()
    def close_and_open(self) -> None:
        """Everything is still there when the file is opened again."""
        self.manifest.close()
        self.manifest = Manifest(self.manifest.path, make=False)

    @rule()
    def clear(self) -> None:
        """All files are forgotten."""
        self.manifest.clear()
        self.files = []

    @invariant()
    def same(self) -> None:
        """Files, counts, bytes and units are those of the list."""
        assert [replace(each, id=0) for each in self.manifest.files()] == self.files
        for states in ((), STORED, (INVALID,), (NEW, REPLACE)):
            chosen = [each for each in self.files if not states or each.state in states]
            size = sum(each.size for each in chosen)
            assert self.manifest.totals(*states) == (len(chosen), size)
            assert self.manifest.count(*states) == len(chosen)
            assert self.manifest.count_units(*states) == len({each.unit for each in chosen})
            assert [replace(e, id=0) for e in self.manifest.files(*states)] == chosen
        units: dict[str, list[tuple[str, str]]] = {}
        for each in sorted(self.files, key=lambda file: (file.unit, file.role)):
            if each.state in STORED:
                units.setdefault(each.unit, []).append((each.role, f"s3://b/{each.key}"))
        found = list(self.manifest.units("s3://b"))
        assert [unit.name for unit in found] == list(units)
        for unit in found:
            assert [(file.role, file.location) for file in unit.files] == units[unit.name]


Model.TestCase.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
TestModel = Model.TestCase


@given(chosen=some_states, states=st.lists(st.sampled_from(STATES), max_size=6))
@settings(max_examples=50, deadline=None)
def test_states(chosen: tuple[str, ...], states: list[str]) -> None:
    """Any choice of states yields just the files that are in them."""
    with tempfile.TemporaryDirectory() as folder, closing(Manifest(Path(folder, "m.db"))) as made:
        made.add(source_file(str(n), state=state) for n, state in enumerate(states))
        expected = [str(n) for n, s in enumerate(states) if not chosen or s in chosen]
        assert [each.name for each in made.files(*chosen)] == expected


file_names = st.sampled_from(["a", "é/a", "x/a", "x/x/a", "x/x", "x/é b'"])
some_files = st.dictionaries(
    st.tuples(st.sampled_from(["u", "v"]), st.sampled_from(["é", "image", "mask"])),
    st.tuples(file_names, st.sampled_from([SENT, UNCHANGED, SKIPPED]), st.none() | st.just("ab")),
)
metadata = st.dictionaries(
    st.sampled_from("xy"), st.sampled_from([1, "é", None, [1.5, {}], "\udcff"]), max_size=2
)
some_rows = st.dictionaries(file_names | st.sampled_from(["é b'", "none"]), metadata)


@given(files=some_files, rows=some_rows)
@settings(max_examples=200, deadline=None)
def test_listing(
    files: dict[tuple[str, str], tuple[str, str, str | None]], rows: dict[str, dict[str, Any]]
) -> None:
    """The database of a catalogue gets the same units as Python, whatever is known of their files.

    Their metadata is by path, else by bare name; of several files in the order of their roles.
    """
    with tempfile.TemporaryDirectory() as folder, closing(Manifest(Path(folder, "m.db"))) as made:
        added = [
            source_file(name, key=f"{unit} {role}", unit=unit, role=role, state=state)
            for (unit, role), (name, state, _) in files.items()
        ]
        made.add(added)
        made.update(
            replace(each, sha256=files[each.unit, each.role][2]) for each in list(made.files())
        )
        made.add_metadata((name, 2, values) for name, values in rows.items())
        units = list(made.units("s3://it's"))
        listing = made.listing("s3://it's")
        assert sorted(listing.rows(listing.units)) == [
            (unit.name, as_json(unit.metadata)) for unit in units
        ]
        assert sorted(listing.rows(listing.files)) == [
            (unit.name, *astuple(file)[:-1]) for unit in units for file in unit.files
        ]
