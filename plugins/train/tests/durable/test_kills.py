"""A training that is killed at any instant ends with the same model, or without a trace."""

from __future__ import annotations

import os
import signal
from itertools import count
from typing import Any

import pytest

from handrail_train.manifest import Version
from handrail_train.store import open_store
from handrail_train.versions import Versions

KILLED = -signal.SIGKILL

# All instants together take minutes; without HANDRAIL_FAULTS it is some of them.
FULL = "HANDRAIL_FAULTS" in os.environ
STEP = 1 if FULL else 16

local = pytest.mark.parametrize("scene", ["folder"], indirect=True)
FILES: dict[str, dict[str, str]] = {}

ways = pytest.mark.parametrize("way", ["resume", "rollback"])
whens = pytest.mark.parametrize("when", ["before", "after"])


def ended(scene: Any, training: Any, way: str, before: Any, files: Any) -> None:
    """Finish or undo it in a new process, and see that all is right; undo what was finished."""
    if way == "resume":
        if training.outcome is None:
            answer = training.do("resume")
            assert "error" not in answer, answer
        assert training.outcome == "completed"
        (version,) = Versions(open_store(scene.url)).all()
        assert digests(version) == files
        assert scene.objects() == {*(each.key for each in version.files.values()), version.key}
        left = {name for name in scene.world() if ".tmp" in name or name.endswith(".ckpt")}
        assert not left
    answer = training.do("rollback")
    assert "error" not in answer, answer
    assert training.outcome == "rolled_back"
    assert scene.world() == before


def files_of(scene: Any, training: Any) -> dict[str, str]:
    """Return the digests of the files that a training makes which nothing interrupts.

    They are the same in every run and every store.
    """
    about = str({name: each for name, each in training.params.items() if name != "store"})
    if about not in FILES:
        assert training.do("run")["code"] == 0
        (version,) = Versions(open_store(scene.url)).all()
        scene.clear()
        FILES[about] = digests(version)
    return FILES[about]


def digests(version: Version) -> dict[str, str]:
    """Return the SHA-256 of each file of a version."""
    # Where it comes from has the run in it, and how long that took.
    return {name: each.sha256 for name, each in version.files.items() if name != "lineage"}


@local
@ways
@whens
def test_killed_at_every_write_of_the_journal(
    scene: Any, training: Any, when: str, way: str
) -> None:
    before = scene.world()
    files = files_of(scene, training(scene))
    # Each of the four tests dies at other writes.
    first = 1 if FULL else 1 + 4 * (2 * (when == "after") + (way == "rollback"))
    for at in count(first, STEP):
        made = training(scene)
        if made.do("run", at=at, when=when)["code"] != KILLED:
            break
        if made.recorded() is not None:
            ended(scene, made, way, before, files)
        scene.clear()
    assert at > 10


@local
@ways
def test_killed_before_each_change_of_a_folder(scene: Any, training: Any, way: str) -> None:
    """Also between a file and its name, or its label."""
    before = scene.world()
    files = files_of(scene, training(scene))
    for number in count(1, STEP):
        made = training(scene)
        if made.do("run", change=number)["code"] != KILLED:
            break
        if made.recorded() is None:
            assert scene.world() == before
        else:
            ended(scene, made, way, before, files)
        scene.clear()
    assert number > 10


@local
@pytest.mark.parametrize(
    ("what", "call", "nth"), [("resume", "write_whole", 2), ("rollback", "publish", 1)]
)
def test_killed_again_before_each_change_of_a_folder(
    scene: Any, training: Any, what: str, call: str, nth: int
) -> None:
    """A resume and an undo that are cut short there are gone on with as well."""
    before = scene.world()
    files = files_of(scene, training(scene))
    for number in count(1, STEP):
        made = training(scene)
        assert made.do("run", call=call, nth=nth)["code"] == KILLED
        if made.do(what, change=number)["code"] != KILLED:
            break
        if made.outcome == "rolled_back":  # The journal alone was not closed yet.
            assert scene.world() == before
        else:
            ended(scene, made, what if number // STEP % 2 else "rollback", before, files)
        scene.clear()
    assert number > 10


@ways
@whens
@pytest.mark.parametrize(("call", "nth"), [("create", 1), ("create", 4), ("create", 5)])
def test_killed_around_each_request(
    scene: Any, training: Any, call: str, nth: int, when: str, way: str
) -> None:
    test_killed_around_each_effect(scene, training, call, nth, when, way)


CALLS = [
    *(("write_whole", nth) for nth in (1, 2, 4)),
    ("publish", 1),
    ("flush", 1),
    ("abort_unfinished", 1),
    ("remove", 1),
]


@local
@ways
@whens
@pytest.mark.parametrize(("call", "nth"), CALLS)
def test_killed_around_each_effect(
    scene: Any, training: Any, call: str, nth: int, when: str, way: str
) -> None:
    before = scene.world()
    files = files_of(scene, training(scene))
    made = training(scene)
    assert made.do("run", call=call, nth=nth, when=when)["code"] == KILLED
    ended(scene, made, way, before, files)


@whens
@pytest.mark.parametrize(
    ("call", "nth"), [("delete_found", 1), ("delete_found", 2), ("withdraw", 1)]
)
@local
def test_killed_again_while_it_is_undone(
    scene: Any, training: Any, call: str, nth: int, when: str
) -> None:
    before = scene.world()
    made = training(scene)
    assert made.do("run", call="publish", nth=1)["code"] == KILLED
    assert made.do("rollback", call=call, nth=nth, when=when)["code"] == KILLED
    ended(scene, made, "rollback", before, {})


@local
@pytest.mark.parametrize("chunk_rows", [None, 15])
@pytest.mark.parametrize("kind", ["sgd", "mlp"])
def test_killed_after_each_epoch_again_and_again(
    scene: Any, training: Any, kind: str, chunk_rows: int | None
) -> None:
    """Each process trains one epoch and dies; the model is that of a single process."""
    params: dict[str, Any] = {"kind": kind, "hyper": {"hidden": [5]} if kind == "mlp" else {}}
    params["chunk_rows"] = chunk_rows
    files = files_of(scene, training(scene, **params))
    made = training(scene, **params)
    assert made.do("run", call="write_whole", nth=1)["code"] == KILLED
    for _ in range(3):
        assert made.do("resume", call="write_whole", nth=1)["code"] == KILLED
    assert made.do("resume")["code"] == 0
    (version,) = Versions(open_store(scene.url)).all()
    assert version.files["model"].sha256 == files["model"]


@local
def test_a_run_that_stops_early_goes_on_to_the_same_best_epoch(scene: Any, training: Any) -> None:
    more = {"epochs": 40, "patience": 2, "tolerance": 0.05}
    files = files_of(scene, training(scene, **more))
    made = training(scene, **more)
    assert made.do("run", call="write_whole", nth=3)["code"] == KILLED
    assert made.do("resume")["code"] == 0
    (version,) = Versions(open_store(scene.url)).all()
    assert digests(version) == files


@local
@pytest.mark.parametrize("kill", [("write_whole", 2), ("evaluate", 1)])
@pytest.mark.parametrize("change", ["edited", "gone"])
def test_data_that_changed_after_the_kill_stops_the_run_and_undoes_nothing(
    scene: Any, training: Any, change: str, kill: tuple[str, int]
) -> None:
    """Checkpoints and folders stay as they were; once the data is back the model is the same."""
    before = scene.world()
    files = files_of(scene, training(scene))
    made = training(scene)
    assert made.do("run", call=kill[0], nth=kill[1])["code"] == KILLED
    path = scene.folder / "flowers.csv"
    text = path.read_text()
    if change == "edited":
        path.write_text(text.replace(",a\n", ",b\n", 5))
    else:
        path.unlink()
    changed = scene.world()
    assert len([name for name in changed if name.endswith(".ckpt")]) > 0
    for _ in range(2):
        answer = made.do("resume")
        assert answer["error"] == "SourceChangedError"
        assert "flowers.csv has changed since the run began" in answer["message"]
        assert (made.outcome, scene.world()) == (None, changed)
    path.write_text(text)  # At another time, which is not looked at where the content is the same.
    ended(scene, made, "resume", before, files)


@local
@pytest.mark.parametrize("change", ["edited", "gone"])
def test_a_rollback_does_not_need_the_data(scene: Any, training: Any, change: str) -> None:
    made = training(scene)
    assert made.do("run", call="write_whole", nth=2)["code"] == KILLED
    path = scene.folder / "flowers.csv"
    if change == "edited":
        path.write_text(path.read_text().replace(",a\n", ",b\n", 5))
    else:
        path.unlink()
    left = {name for name in scene.world() if ".handrail" not in name}
    assert made.do("resume")["error"] == "SourceChangedError"
    assert made.do("rollback")["code"] == 0
    assert made.outcome == "rolled_back"
    assert set(scene.world()) == left


@local
def test_what_was_kept_after_a_failure_goes_on(scene: Any, training: Any) -> None:
    """The store fails, the run is kept, and once the store works the model is the same."""
    before = scene.world()
    files = files_of(scene, training(scene))
    place = scene.folder / "models" / "versions"
    place.write_text("in the way")
    made = training(scene)
    assert "versions" in made.do("run", on_failure="keep")["message"]
    assert made.outcome == "failed"
    place.unlink()
    assert made.do("resume")["code"] == 0
    ended(scene, made, "resume", before, files)


@local
def test_a_completed_run_is_undone_and_the_version_of_another_run_stays(
    scene: Any, training: Any
) -> None:
    first, second = training(scene), training(scene)
    assert first.do("run")["version"] == "flowers@1"
    assert second.do("run")["version"] == "flowers@2"
    assert first.do("rollback")["code"] == 0
    (version,) = Versions(open_store(scene.url)).all()
    assert version.number == 2
    Versions(open_store(scene.url)).load(version)
    assert second.do("rollback")["code"] == 0
    assert scene.objects() == set()
