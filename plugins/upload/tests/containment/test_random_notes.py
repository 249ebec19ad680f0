"""Whatever a journal says, nothing outside of the target and the state folder is touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from killing.memory import folder_in_memory

EXAMPLES = int(os.environ.get("HANDRAIL_FAULTS", "20"))

NOTES = {
    "initialize": (
        *("target", "mark", "made", "probe", "cleared", "refused"),
        *("manifest", "folders", "catalogue"),
    ),
    "upload_files": ("target", "claim", "claimed", "folders"),
    "generate_data_units": ("rows",),
}

# Paths that lead outside, or to what is Handrail's or somebody else's.
PATHS = (
    *("{beside}", "{beside}/secret.txt", "{beside}/empty", "{beside}/decoy.db", "{beside}/list.db"),
    *("{here}", "{here}/notes.txt", "{here}/empty", "{here}/src/a.txt", "{here}/photos.db"),
    *("../notes.txt", "../empty", "../src", "../../beside/secret.txt", "theirs/../../notes.txt"),
    *("out", "out/secret.txt", "out/empty", "link.txt", "theirs", "theirs/a.txt", "./a.txt", "."),
    *("..", "/", "//", "", "\0", "a\0b", "\ud800", "\udcff", "..\\..\\notes.txt", "C:\\notes.txt"),
    *("{store}", "{store}/theirs", "{store}/out/empty", "{store}/../empty", "{state}", "sub"),
    *(".handrail/runs.db", "../.handrail/runs.db", "{state}/{uid}.db", "{state}/../runs.db"),
    *("a.txt", "b.txt", "sub/deep/c.txt", "a.txt/", "a" * 300, "s3://other/data", "memory://x"),
    *("sqlite:///{beside}/decoy.db", "postgresql://h/d", "{uid}/upload_files", "../x/upload_files"),
    *(".handrail-probe-{uid}", "{uid}", "../{uid}", "{uid}.0123456789abcdef"),
)
paths = st.sampled_from(PATHS)
junk = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | paths,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(paths, inner, max_size=3),
    max_leaves=6,
)
values = st.one_of(
    paths,
    junk,
    st.builds(lambda key, name: {"key": key, "name": name}, paths, paths),
    st.builds(lambda key, number: [key, 1, 2, 3, number], paths, junk),
    st.builds(
        lambda url, made, run: {"url": url, "made": made, "run": run},
        paths,
        st.just(["file", "tables"]) | junk,
        st.just("{uid}") | junk,
    ),
)
notes = st.sampled_from([(step, note) for step, names in NOTES.items() for note in names])
changes = st.one_of(
    st.tuples(st.just("more"), notes, st.lists(values, min_size=1, max_size=3)),
    st.tuples(st.just("only"), notes, st.lists(values, max_size=3)),
    st.tuples(st.just("returned"), notes, junk),
    st.tuples(st.just("many"), notes, values),
)


def filled(value: Any, places: dict[str, str]) -> Any:
    if isinstance(value, str):
        for name, path in places.items():
            value = value.replace(f"{{{name}}}", path)
        return value
    if isinstance(value, list):
        return [filled(each, places) for each in value]
    if isinstance(value, dict):
        return {filled(key, places): filled(each, places) for key, each in value.items()}
    return value


def change(forged: Any, how: str, where: Any, value: Any) -> None:
    """Change what the journal says."""
    step, note = where
    if how == "returned":
        forged.returned(step, note, value)
    elif how == "many":
        forged.note(step, note, [value] * 2000)
    else:
        forged.note(step, note, [*(forged.recorded(step, note) if how == "more" else []), *value])


@pytest.mark.slow
@given(drawn=st.lists(changes, min_size=1, max_size=4))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_nothing_outside_is_touched(make: Callable[..., Any], drawn: list[Any]) -> None:
    """An undo ends well, or says what it has refused; what is others' is as it was."""
    usual = Path.cwd()
    with folder_in_memory() as top:
        try:
            forged = make(top)
            names = {"here": forged.here, "beside": forged.beside, "store": forged.store}
            places = {name: str(path) for name, path in names.items()}
            places |= {"state": str(forged.state), "uid": forged.uid}
            for how, where, value in drawn:
                change(forged, how, filled(where, places), filled(value, places))
            outside, theirs = forged.outside(), forged.theirs()
            forged.rollback()  # It checks that what is raised is an error of Handrail's own.
            assert forged.outside() == outside
            assert forged.theirs() == theirs
        finally:
            os.chdir(usual)
