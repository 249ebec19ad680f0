"""What is there already: refused, or replaced and brought back if anything fails."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

import handrail
from handrail import step
from handrail.errors import HandrailError
from handrail.frozen import replace
from handrail.records import record_of
from handrail.sqlite import SqliteJournal
from handrail_export import DefaultExportAction, claiming
from handrail_storage.claims import ClaimStaysError

OVER = {"if_exists": "overwrite"}


@step(weight=0.1)
def refuse(context):
    raise PermissionError("the boss said no")


class Refused(DefaultExportAction):
    """An export that fails when all is done."""

    def setup_steps(self, registry):
        super().setup_steps(registry)
        registry.insert_after("save_files", refuse)


def more(rows, here):
    """Add rows to the table."""
    with closing(sqlite3.connect(here / "rows.db")) as database, database:
        for number in range(rows):
            database.execute("INSERT INTO item (name, kind) VALUES (?, ?)", (f"new {number}", "c"))


@pytest.mark.parametrize("target", ["out.csv", "out/"])
def test_refused_unless_asked_for(table, export, world, target):
    """An export does not replace what is there, and says how it would."""
    export(table(3), target, table="item", format="csv")
    before = world()
    done = export("rows.db", target, table="item", format="csv", fails=True)
    assert "is there already" in done.message or "in out already" in done.message
    assert "--if-exists overwrite" in done.ways_out
    assert world() == before


def test_foreign_file_in_the_folder(table, export, here, world):
    """A file of others in the folder is not touched, whatever its name."""
    (here / "out").mkdir()
    (here / "out" / "data.csv").write_text("mine")
    (here / "out" / "notes.txt").write_text("mine")
    before = {**world()}
    name = table(3)
    done = export(name, "out", table="item", format="csv", fails=True)
    assert done.message == "data.csv is already at out"
    assert {k: v for k, v in world().items() if k != name} == before
    export(name, "out", table="item", format="csv", **OVER)
    assert (here / "out" / "notes.txt").read_text() == "mine"
    assert (here / "out" / "data.csv").read_text().startswith("id,")


def test_replaced(table, export, here):
    """One file takes the place of the other; nothing is left of the old one."""
    export(table(3), "out.csv", table="item")
    more(1, here)
    export("rows.db", "out.csv", table="item", **OVER)
    assert len((here / "out.csv").read_text().splitlines()) == 5
    own = {".handrail", ".handrail-target"}
    assert {path.name for path in here.iterdir()} == {"out.csv", "rows.db", *own}


def test_an_export_is_replaced_as_a_whole(table, export, here):
    """Files of the older export that the new one lacks go too; files of others stay."""
    export(table(4), "out", table="item", format="csv", partition_by=["kind"])
    (here / "out" / "kind=a" / "mine.txt").write_text("mine")
    export("rows.db", "out", table="item", format="jsonl", where="kind = 'b'", **OVER)
    names = {path.relative_to(here / "out").as_posix() for path in (here / "out").rglob("*")}
    names = {name for name in names if not name.startswith(".handrail-target")}
    assert names == {"data.jsonl", "manifest.json", "kind=a", "kind=a/mine.txt"}


@pytest.mark.parametrize("shape", ["file", "folder", "fewer files"])
def test_back_after_a_failure(table, export, here, world, shape):
    """What was replaced is back, to the byte, when a later step fails."""
    options = {"table": "item", "format": "csv"}
    if shape != "file":
        options["partition_by"] = ["kind"]
    target = "out.csv" if shape == "file" else "out"
    export(table(4), target, **options)
    inode = (here / "out.csv").stat().st_ino if shape == "file" else None
    if shape == "fewer files":
        options["where"] = "kind = 'a'"
    more(2, here)
    before = world()
    done = export("rows.db", target, fails=True, action=Refused, **options, **OVER)
    assert done.message == "the boss said no"
    assert world() == before
    if inode is not None:
        assert (here / "out.csv").stat().st_ino == inode


def test_nothing_replaces_with_no_rows(table, export, here):
    """An export without rows leaves the one that is there."""
    export(table(3), "out.csv", table="item")
    export("rows.db", "out.csv", table="item", where="id > 9", **OVER)
    assert len((here / "out.csv").read_text().splitlines()) == 4


@pytest.fixture
def journaled(here, seen):
    """Run an export with a journal; return the journal."""
    opened = []

    def run(on_failure="undo", action=DefaultExportAction, **params):
        journal = SqliteJournal(here / ".handrail" / "runs.db")
        opened.append(journal)
        given = {"source": "rows.db", "target": "out.csv", "table": "item", **params}
        made = action(given, handrail.RuntimeContext(logger=seen), packs=())
        if action is DefaultExportAction:
            made.run(journal=journal, on_failure=on_failure)
        else:
            with pytest.raises(handrail.StepFailedError):
                made.run(journal=journal, on_failure=on_failure)
        return journal

    yield run
    for journal in opened:
        journal.close()


def test_columns_and_files_are_attached(table, journaled, here):
    """A report of the run shows the types of the columns, and the files with their checksums."""
    table(4)
    journal = journaled(target="out/", format="csv", partition_by=["kind"])
    record = record_of(journal, 1)
    (columns,) = record.step("fetch_results").attachments
    (files,) = record.step("convert_data").attachments
    journal.close()
    assert (columns.name, columns.value.rows[:2]) == (
        "columns",
        (("id", "BIGINT"), ("name", "VARCHAR")),
    )
    listed = json.loads((here / "out" / "manifest.json").read_text())["files"]
    assert files.value.columns == ("file", "rows", "bytes", "sha256")
    assert [
        dict(zip(("path", "rows", "size", "sha256"), row, strict=True)) for row in files.value.rows
    ] == [{k: each[k] for k in ("path", "rows", "size", "sha256")} for each in listed]


EVERYTHING = {
    "table": None,
    "query": "SELECT * FROM item WHERE id < :most",
    "parameters": {"most": 4},
    "columns": ["id", "kind"],
    "where": "id > 1",
    "limit": 2,
    "partition_by": ["kind"],
    "target": "new/out/",
    "format": "jsonl",
    "memory": "100MB",
}


@pytest.mark.parametrize(
    "params", [{}, {"target": "new/out/", "partition_by": ["kind"]}, EVERYTHING]
)
def test_rollback_of_a_completed_export(table, journaled, world, params):
    """An export that has replaced nothing can be taken back later, to the folders it has made."""
    table(4)
    before = world()
    journal = journaled(**params)
    assert world() != before
    handrail.rollback(DefaultExportAction, 1, journal=journal, packs=())
    journal.close()
    assert world() == before


def test_rollback_leaves_what_has_changed(table, journaled, here):
    """What somebody has written over the export since is theirs."""
    table(4)
    journal = journaled()
    (here / "out.csv").write_text("edited by hand")
    handrail.rollback(DefaultExportAction, 1, journal=journal, packs=())
    journal.close()
    assert (here / "out.csv").read_text() == "edited by hand"


def test_rollback_after_discarding_is_refused(table, export, journaled, here):
    """What it replaced is gone, so it cannot be taken back, and nothing is touched."""
    export(table(2), "out.csv", table="item")
    more(1, here)
    journal = journaled(keep_replaced=False, **OVER)
    before = (here / "out.csv").read_bytes()
    with pytest.raises(HandrailError, match="cannot be rolled back"):
        handrail.rollback(DefaultExportAction, 1, journal=journal, packs=())
    journal.close()
    assert (here / "out.csv").read_bytes() == before


@pytest.mark.parametrize("target", ["out.csv", "out/"])
def test_rollback_after_replacing_what_was_kept(table, export, journaled, here, world, target):
    """The older export is back, to the byte; also after two replacements."""
    export(table(2), target, table="item", format="csv")
    states = [world()]
    for number in (1, 2):
        more(1, here)
        states[-1] = {**world()}
        journal = journaled(target=target, format="csv", **OVER)
        assert journal.read(number).sealed is None
        states.append(world())
        journal.close()
    for number in (2, 1):
        journal = SqliteJournal(here / ".handrail" / "runs.db")
        handrail.rollback(DefaultExportAction, number, journal=journal, packs=())
        journal.close()
        kept = {
            k: v for k, v in world().items() if not k.startswith((".handrail", "rows.db", "out/.h"))
        }
        before = states[number - 1]
        assert kept == {k: before[k] for k in kept}


def test_files_go_for_good_only_if_that_is_asked_for(table, export, journaled, here, world):
    """An export with fewer files would delete the others of the older one: it stops before."""
    export(table(4), "out/", table="item", format="csv", partition_by=["kind"])
    options = {"target": "out/", "format": "csv", "partition_by": ["kind"], "where": "kind = 'a'"}
    before = _data(world())
    for keep in (True, "30d"):
        with pytest.raises(handrail.StepFailedError, match=r"kind=b/data_0\.csv of") as why:
            journaled(keep_replaced=keep, **options, **OVER)
        assert why.value.outcome == "rolled_back"
        assert "--no-keep-replaced" in "".join(why.value.__cause__.ways_out)
        assert _data(world()) == before
    journal = journaled(keep_replaced=False, **options, **OVER)
    assert not (here / "out" / "kind=b").exists()
    with pytest.raises(HandrailError, match="cannot be rolled back"):
        handrail.rollback(DefaultExportAction, 3, journal=journal, packs=())
    journal.close()


def _data(world):
    return {name: each for name, each in world.items() if not name.startswith(".handrail")}


def test_the_file_of_a_stranger_comes_back(table, journaled, here):
    """It was none of ours, and is there again once the export that replaced it is undone."""
    table(2)
    (here / "out.csv").write_text("mine")
    journal = journaled(**OVER)
    assert journal.read(1).sealed is None
    handrail.rollback(DefaultExportAction, 1, journal=journal, packs=())
    journal.close()
    assert (here / "out.csv").read_text() == "mine"
    assert not (here / ".handrail-target").exists()


def test_after_its_time_a_run_stays(table, journaled, here, monkeypatch):
    """Before, what it replaced comes back; after, the undo is refused, and nothing is touched."""
    table(2)
    (here / "out.csv").write_text("mine")
    journal = journaled(keep_replaced="2h", **OVER)
    after = (here / "out.csv").read_bytes()
    later = replace(claiming.CLOCK, now=lambda: time.time() + 7300)
    with monkeypatch.context() as patch:
        patch.setattr(claiming, "CLOCK", later)
        with pytest.raises(ClaimStaysError, match="was kept until") as refused:
            handrail.rollback(DefaultExportAction, 1, journal=journal, packs=())
    assert refused.value.exit_code == 5
    assert not refused.value.ways_out
    assert (journal.read(1).outcome, (here / "out.csv").read_bytes()) == ("completed", after)
    handrail.rollback(DefaultExportAction, 1, journal=journal, packs=())
    journal.close()
    assert (here / "out.csv").read_text() == "mine"


@step(weight=0.1)
def meddle(context):
    Path("out.csv").unlink()
    Path("out.csv").write_text("mine")
    raise PermissionError("the boss said no")


class Meddled(DefaultExportAction):
    """An export that fails when somebody else has written over what it has made."""

    def setup_steps(self, registry):
        super().setup_steps(registry)
        registry.insert_after("save_files", meddle)


def test_an_undo_leaves_what_somebody_has_written_over_the_export(table, export, journaled, here):
    """It is theirs, and what they have written over does not come back from a copy."""
    export(table(4), "out.csv", table="item")
    more(1, here)
    journal = journaled(action=Meddled, **OVER)
    assert journal.read(1).outcome == "rolled_back"
    journal.close()
    assert (here / "out.csv").read_text() == "mine"
    assert not list(here.glob(".handrail-target/aside/**/out.csv"))


@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_kept_after_a_failure(table, export, journaled, here, world, way):
    """With --on-failure keep all stays as it is, to be finished or undone later."""
    export(table(4), "out.csv", table="item")
    more(1, here)
    before = world()
    journal = journaled("keep", Refused, **OVER)
    assert len((here / "out.csv").read_text().splitlines()) == 6
    if way == "rollback":
        handrail.rollback(Refused, 1, journal=journal, packs=())
        assert world() == before
    else:
        with pytest.raises(handrail.StepFailedError, match="the boss said no"):
            handrail.resume(Refused, 1, journal=journal, packs=())
        assert world() == before
    journal.close()


def test_manifest_of_others_is_replaced_only_when_asked_for(table, export, here, world):
    """A manifest.json that is none of ours is a file like any other."""
    (here / "out").mkdir()
    (here / "out" / "manifest.json").write_text(json.dumps({"files": "none of yours"}))
    name = table(2)
    before = world()
    done = export(name, "out", table="item", fails=True)
    assert "there is an export in out already" in done.message
    assert world() == before
    export(name, "out", table="item", **OVER)
    assert json.loads((here / "out" / "manifest.json").read_text())["exported_count"] == 2
