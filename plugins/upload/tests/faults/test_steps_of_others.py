"""Steps of others between ours, and runs of some of the steps only."""

from __future__ import annotations

import itertools
import os

import pytest

STEPS = [
    "initialize",
    "process_metadata",
    "analyze_collection",
    "organize_files",
    "validate_files",
    "upload_files",
    "generate_data_units",
    "cleanup",
]

on_local = pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)


def fill(scene):
    """Files that are new, equal and different at the target."""
    scene.fill({f"sub/{number}.txt": 30 for number in range(4)})
    scene.fill({"same.txt": b"the same", "old.txt": 40})
    scene.place.put("same.txt", b"the same")
    scene.place.put("old.txt", b"old")
    (scene.folder / "about.csv").write_text("name,what\nold.txt,a photo\n")


OPTIONS = {"if_exists": "overwrite", "metadata_file": "about.csv", "metadata_key": "name"}


@pytest.mark.parametrize("side", ["insert_before", "insert_after"])
@pytest.mark.parametrize("step", STEPS)
def test_failing_step_anywhere(scene, tools, step, side):
    """Wherever it fails, everything is undone; behind what always runs is the end of the plan."""
    fill(scene)
    before = scene.world()

    def insert(registry):
        getattr(registry, side)(step, tools.Fail())

    done = scene.upload(insert, **OPTIONS)
    assert done.code == 1, done.error.rollback_errors
    assert done.message == "the step of somebody else failed"
    assert done.outcome == "rolled_back"
    assert scene.world() == before


@on_local
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), MemoryError("no memory")])
def test_other_ways_to_fail(scene, tools, error):
    """Whatever is raised, everything is undone."""
    fill(scene)
    before = scene.world()
    edit = tools.failing_after("generate_data_units", lambda: None, error)
    try:
        done = scene.upload(edit, **OPTIONS)
    except SystemExit:
        pass
    else:
        assert done.code in (1, 130)
    assert scene.world() == before


@on_local
def test_failing_step_that_always_runs(scene, tools):
    """When a step that closes the plan fails, the upload is complete all the same."""
    fill(scene)

    class Report(tools.Fail):
        name = "report"
        always_run = True

    done = scene.upload(lambda registry: registry.register(Report()), **OPTIONS)
    assert (done.code, done.outcome) == (5, "completed")
    assert scene.place.content("old.txt") == (scene.source / "old.txt").read_bytes()
    assert not [key for key in scene.place.objects() if "aside" in key or "tmp" in key]


def clear(done):
    """No traceback, no error of Python's own; either done, or a cause in one line."""
    assert "Traceback" not in done.err, done.err
    if done.code == 0:
        return
    cause = done.error.partition("cause   ")[2].partition("\n")[0]
    for kind in ("AttributeError", "TypeError", "KeyError", "Operational", "Integrity", "Value"):
        assert kind not in cause, done.err
    assert cause, done.err


@on_local
@pytest.mark.parametrize("step", STEPS)
def test_only_one_step(scene, step):
    """One step alone works, or says what it lacks; what it did not finish, it undoes."""
    fill(scene)
    before = scene.world()
    done = scene.upload_command("--only", step)
    clear(done)
    if done.code:
        assert done.code in (1, 2)
        assert scene.world() == before


@on_local
@pytest.mark.parametrize("step", STEPS)
def test_without_one_step(scene, step):
    """The same where one is left out; nothing is registered that is not stored."""
    fill(scene)
    before = scene.world()
    done = scene.upload_command("--skip", step, "--if-exists", "overwrite")
    clear(done)
    if done.code:
        assert done.code in (1, 2)
        assert scene.world() == before
        return
    rows = (scene.catalogue.rows() or {}).get("handrail_data_file", ())
    for row in rows:
        assert scene.place.content(row[5])


@pytest.mark.skipif("HANDRAIL_FAULTS" not in os.environ, reason="one takes a second")
@on_local
@pytest.mark.slow
@pytest.mark.parametrize("pair", [*itertools.combinations(STEPS, 2)], ids="-".join)
def test_without_two_steps(scene, pair):
    """And where two are."""
    fill(scene)
    before = scene.world()
    done = scene.upload_command("--skip", pair[0], "--skip", pair[1])
    clear(done)
    if done.code:
        assert done.code in (1, 2)
        assert scene.world() == before


@on_local
@pytest.mark.parametrize("step", STEPS)
def test_from_a_step_on(scene, step):
    """A run that starts later works, or says what it lacks."""
    fill(scene)
    before = scene.world()
    done = scene.upload_command("--from", step, "--if-exists", "overwrite")
    clear(done)
    if done.code:
        assert done.code in (1, 2)
        assert scene.world() == before


def test_dry_run_touches_nothing(scene):
    """It tells what would be done, and the world stays as it is."""
    fill(scene)
    before = scene.world()
    done = scene.upload_command("--dry-run", "--if-exists", "overwrite")
    assert done.code == 0, done.err
    for word in ("sub/0.txt", "old.txt", "same.txt"):
        assert word in done.out + done.err
    assert scene.world() == before
