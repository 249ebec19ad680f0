"""An undo finds what its run made, also after a move, and follows no link that leads elsewhere."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from forging import seen

from handrail import RuntimeContext
from handrail_export import DefaultExportAction, ExportContext
from handrail_export.errors import ContainmentError

KINDS = ("folder", "killed", "file", "replacing")

kinds = pytest.mark.parametrize("kind", KINDS)
pytestmark = pytest.mark.slow


@kinds
@pytest.mark.parametrize("way", ["rollback", "resume"])
def test_a_working_folder_that_was_moved(recorded: Any, kind: str, way: str) -> None:
    """Relative params lead to where the folder is now, and the old one is not made again."""
    run = recorded(kind)
    run.work.rename(run.home / "moved")
    run.work = run.home / "moved"
    ended = run.go_on(way, DefaultExportAction, folder=run.work)
    finished = way == "resume" and kind in ("folder", "file")
    ended.check(2 if finished else 0)
    if finished:  # Of a completed run there is nothing to resume.
        run.go_on("rollback", DefaultExportAction, folder=run.work).check(0)
    elif way == "resume":
        assert (run.work / "out" / "kind=b" / "data_0.csv").exists()
    if way == "rollback" or finished:
        kept = {path.read_text() for path in run.work.rglob("*.csv")}
        assert kept == ({"old"} if kind == "replacing" else set())
    assert not list(run.work.rglob(f".handrail-{run.run}"))
    assert {path.name for path in run.home.iterdir()} == {"beside", "moved"}
    run.work = run.home / "work"
    shutil.rmtree(run.home / "moved")


def test_a_folder_of_the_target_that_became_a_link(recorded: Any) -> None:
    """The very file of the run stays where a link in the target leads to it from outside."""
    run = recorded("folder")
    away = run.home / "beside" / "kind=a"
    (run.target / "kind=a").rename(away)
    (run.target / "kind=a").symlink_to(away)
    before = seen(run.home / "beside")
    ended = run.go_on("rollback", DefaultExportAction)
    ended.check(5)
    assert "kind=a/data_0.csv: it leads out of out" in ended.told
    assert seen(run.home / "beside") == before
    assert not (run.target / "kind=b" / "data_0.csv").exists()


@pytest.mark.parametrize("way", ["rollback", "resume"])
def test_the_folder_of_the_run_that_became_a_link(recorded: Any, way: str) -> None:
    """Nothing is deleted or written behind it."""
    run = recorded("killed")
    away = run.home / "beside" / "staged"
    run.staging.rename(away)
    run.staging.symlink_to(away)
    before = seen(run.home / "beside")
    ended = run.go_on(way, DefaultExportAction)
    ended.check(5)
    assert "it is a link" in ended.told
    assert seen(run.home / "beside") == before


@pytest.mark.parametrize("name", ["files", "copies", ".spill"])
@pytest.mark.parametrize("way", ["rollback", "resume"])
def test_a_link_in_the_folder_of_the_run(recorded: Any, name: str, way: str) -> None:
    run = recorded("killed")
    shutil.rmtree(run.staging / name, ignore_errors=True)
    (run.staging / name).symlink_to(run.home / "beside")
    before = run.outside()
    # What cannot go on is undone, and the folder of the run is removed with the link.
    run.go_on(way, DefaultExportAction).check(0, 1, 5)
    assert not run.staging.exists()
    assert run.outside() == before


def test_nothing_is_written_through_a_link_in_the_folder_of_the_run(recorded: Any) -> None:
    """Pictures are copied there, and DuckDB spills there: both would follow it."""
    run = recorded("killed")
    (run.staging / "copies").symlink_to(run.home / "beside")
    params = {"source": "rows.db", "target": str(run.target)}
    context = ExportContext(RuntimeContext(), params=params, staging=str(run.staging))
    with pytest.raises(ContainmentError, match=r"copies' .* but it is a link"):
        context.use_staging()


@pytest.mark.parametrize("way", ["rollback", "resume"])
def test_a_manifest_that_is_a_link(recorded: Any, way: str) -> None:
    run = recorded("killed")
    manifest = run.work / ".handrail" / "exports" / f"{run.run}.db"
    away = run.home / "beside" / "theirs.db"
    shutil.copy2(manifest, away)
    manifest.unlink()
    manifest.symlink_to(away)
    before = seen(run.home / "beside")
    run.go_on(way, DefaultExportAction).check(5)
    assert seen(run.home / "beside") == before


def test_a_link_in_place_of_the_copies(recorded: Any) -> None:
    """Nothing is put back from behind it, and nothing behind it is deleted."""
    run = recorded("replacing")
    (copies,) = (run.target / ".handrail-target" / "aside").iterdir()
    away = run.home / "beside" / "copies"
    copies.rename(away)
    copies.symlink_to(away)
    before = seen(run.home / "beside")
    run.go_on("rollback", DefaultExportAction).check(0, 5)
    assert seen(run.home / "beside") == before


def test_what_is_in_the_list_of_files_leads_nowhere(recorded: Any) -> None:
    """A run that goes on writes nothing where its manifest, which may be forged, leads."""
    run = recorded("killed")
    path = run.work / ".handrail" / "exports" / f"{run.run}.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE file SET path = '../' || path, state = 'staged'")
    before = run.outside()
    ended = run.go_on("resume", DefaultExportAction)
    ended.check(1, 5)
    assert "it leads out of the target" in ended.told
    assert run.outside() == before


def test_a_link_in_the_target_is_refused_before_anything_is_written(recorded: Any) -> None:
    """Else an undo could not follow."""
    run = recorded("folder")
    run.go_on("rollback", DefaultExportAction).check(0)
    (run.target / "kind=b").symlink_to(run.home / "beside")
    before = seen(run.home, run.work / ".handrail")
    params = {
        "source": str(run.work / "rows.db"),
        "table": "item",
        "format": "csv",
        "partition_by": ["kind"],
        "target": str(run.target),
        "folder": str(run.work / ".handrail" / "exports"),
    }
    with pytest.raises(Exception, match=r"leads out of .* where a folder is a link"):
        DefaultExportAction(params, RuntimeContext(), packs=()).run()
    assert seen(run.home, run.work / ".handrail") == before
