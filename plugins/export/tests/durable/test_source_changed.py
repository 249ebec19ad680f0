"""An export that was killed, and whose source is not what it was: it stops, and undoes nothing."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

KILLED = -signal.SIGKILL


def shrink(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4])


def touch(path: Path) -> None:
    os.utime(path, ns=(0, 0))


def saved(scene) -> dict[str, object]:
    """Return all at the target but what is written there anew each time."""
    anew = ("/copies/", "/claims/")
    found = scene.place.objects().items()
    return {name: each for name, each in found if not any(part in name for part in anew)}


def stops(scene, said: str) -> None:
    """Going on stops, again and again, and everything stays as it is."""
    there = saved(scene)
    state = sorted(path.name for path in (scene.here / "state").iterdir())
    for _ in range(2):
        answer = scene.do("resume")
        assert answer["error"] == "SourceChangedError", answer
        assert said in answer["message"]
        assert scene.recorded().outcome is None
        assert saved(scene) == there
    assert sorted(path.name for path in (scene.here / "state").iterdir()) == state


@pytest.fixture
def files(make_scene, here):
    """An export of two CSV files, killed while they are converted; the scene and their folder."""
    folder = here / "in"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.csv").write_text(f"n,kind\n1,{name}\n2,{name}\n")
    scene = make_scene("rows")
    scene.options = {"source": "in/*.csv", "format": "parquet"}
    scene.learn()
    scene.fresh()
    assert scene.do("run", call="write", nth=1, when="after")["code"] == KILLED
    return scene, folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (shrink, "b.csv: it shrank"),
        (touch, "b.csv: it was written to"),
        (Path.unlink, "b.csv: it is gone"),
        (lambda path: (path.parent / "c.csv").write_text("n,kind\n3,c\n"), "c.csv: it is new"),
    ],
)
def test_files_that_changed_stop_it_before_they_are_read_again(files, change, said):
    """Put back, with its time, it ends as it would have ended without the kill."""
    scene, folder = files
    aside = folder.with_name("aside")
    shutil.copytree(folder, aside)
    change(folder / "b.csv")
    stops(scene, said)
    shutil.rmtree(folder)
    aside.rename(folder)
    scene.go_on("resume")


def test_a_rollback_needs_no_files(files):
    """Not even their folder."""
    scene, folder = files
    shutil.rmtree(folder)
    stops(scene, "there is no file in/*.csv")
    scene.go_on("rollback")


def test_files_that_are_converted_may_be_gone(files):
    """What waits to be saved is all that is needed then."""
    scene, folder = files
    assert scene.do("resume", call="_put", nth=1)["code"] == KILLED
    shutil.rmtree(folder)
    scene.go_on("resume")


def test_other_columns_of_a_table_stop_it(make_scene, here):
    """More rows do not: they are all read anew, in one transaction."""
    scene = make_scene("rows")
    scene.fresh()
    assert scene.do("run", call="write", nth=1, when="after")["code"] == KILLED
    shutil.copy("rows.db", "as-it-was.db")
    with closing(sqlite3.connect("rows.db")) as database, database:
        database.execute("ALTER TABLE item ADD COLUMN another TEXT")
    stops(scene, "the columns of the table item of rows.db have changed since the run began")
    os.replace("as-it-was.db", "rows.db")
    with closing(sqlite3.connect("rows.db")) as database, database:
        database.execute("INSERT INTO item VALUES (10, 'more', 1.0, 'a')")
    answer = scene.do("resume")
    assert "error" not in answer, answer
    assert answer["exported_count"] == 10


def test_a_database_that_is_gone_stops_it_and_is_not_needed_for_an_undo(make_scene):
    """An undo does not open it."""
    scene = make_scene("rows")
    scene.fresh()
    assert scene.do("run", call="write", nth=1, when="after")["code"] == KILLED
    os.rename("rows.db", "aside.db")
    stops(scene, "there is no file rows.db")
    os.rename("aside.db", "rows.db")
    scene.go_on("resume")
    scene.fresh()
    assert scene.do("run", call="write", nth=1, when="after")["code"] == KILLED
    os.unlink("rows.db")
    scene.go_on("rollback")


@pytest.mark.parametrize("change", [shrink, Path.unlink])
def test_pictures_that_changed_stop_it_and_what_was_copied_stays(make_scene, shapes, change):
    """Put back, the others are copied; an undo does not need them."""
    scene = make_scene("pictures")
    said = "is not what was uploaded" if change is shrink else "it is not there"
    for way in ("resume", "rollback"):
        scene.fresh()
        assert scene.do("run", call="_put", nth=2)["code"] == KILLED
        with closing(sqlite3.connect(shapes.path)) as database:
            found = database.execute("SELECT location FROM handrail_data_file ORDER BY location")
            pictures = [Path(location.removeprefix("file://")) for (location,) in found]
        aside = {path: path.read_bytes() for path in pictures if path.exists()}
        assert aside
        for path in aside:
            change(path)
        stops(scene, said)
        if way == "resume":
            for path, content in aside.items():
                path.write_bytes(content)
        scene.go_on(way)
