"""What an undo would do is said before anything is done, and without doing anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from handrail import RuntimeContext, StepResult
from handrail.sqlite import SqliteJournal
from handrail_upload import (
    DefaultUploadAction,
    GenerateDataUnitsStep,
    InitializeStep,
    UploadFilesStep,
)

STEPS = {
    "initialize": InitializeStep,
    "upload_files": UploadFilesStep,
    "generate_data_units": GenerateDataUnitsStep,
}


def preview(forged: Any, step: str, *, killed: bool = False, **changed: Any) -> list[str]:
    """Return what a step says, as a process would hear it that has only read the journal."""
    with closing(SqliteJournal(forged.journal)) as journal:
        assert journal.read(1)
    rows = forged.ask('SELECT key, "values" FROM note WHERE step = ? ORDER BY seq', step)
    data: dict[str, list[Any]] = {}
    for key, text in rows:
        data.setdefault(key, []).extend(json.loads(text))
    result = json.loads(forged.ask("SELECT result FROM attempt WHERE step = ?", step)[0][0])
    told = {} if killed else {name: each["value"] for name, each in result["data"].items()}
    action = DefaultUploadAction(forged.params, RuntimeContext(), packs=())
    made = STEPS[step]()
    result = StepResult(success=not killed, data=told, rollback_data={**data, **changed})
    before = times(forged.here.parent)
    lines = made.preview_rollback(action.create_context(), result)
    found = list(lines) if isinstance(lines, Iterator) else [lines]
    assert times(forged.here.parent) == before
    return found


def times(folder: Path) -> dict[str, Any]:
    """Return what changes when anything in a folder is made, written or deleted."""
    paths = [folder, *folder.rglob("*")]
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_size, path.lstat().st_ino)
        for path in paths
        # SQLite changes what the processes share that have the journal open.
        if "runs.db" not in path.name and path.name != ".handrail"
    }


def test_upload_files_counts_what_goes_and_what_comes_back(forged: Any) -> None:
    """The sizes are from the list of files; the target is named."""
    assert preview(forged, "upload_files") == [
        f"2 objects deleted (39 B) from {forged.store}",
        "1 put back",
    ]


def test_what_is_gone_or_somebody_elses_is_not_counted(forged: Any) -> None:
    """What is shown before the question is what the undo will do."""
    first, second = forged.store / "a.txt", forged.store / "sub/deep/c.txt"
    first.unlink()
    assert preview(forged, "upload_files")[0].startswith("1 object deleted ")
    second.unlink()
    second.write_text("theirs")
    shown = preview(forged, "upload_files")
    assert "1 of others left alone" in shown
    assert not any("deleted" in line for line in shown)


@pytest.mark.parametrize("how", ["gone", "text", "empty", "folder"])
def test_the_list_of_files_is_not_needed(forged: Any, how: str) -> None:
    """Nothing is made in its place."""
    path = forged.state / f"{forged.uid}.db"
    for each in forged.state.glob("*.db*"):
        each.unlink()
    if how == "folder":
        path.mkdir()
    elif how != "gone":
        path.write_text("no list" if how == "text" else "")
    assert preview(forged, "upload_files")[0] == f"2 objects deleted (39 B) from {forged.store}"
    assert path.exists() == (how != "gone")


def test_nothing_had_been_recorded(forged: Any) -> None:
    """Then nothing goes."""
    nothing = {"target": [], "claim": [], "claimed": []}
    assert preview(forged, "upload_files", killed=True, **nothing) == ["nothing had been stored"]
    assert preview(forged, "generate_data_units", killed=True, rows=[]) == []


def test_what_an_earlier_version_has_stored_stays(forged: Any) -> None:
    """It had no claim, so nothing says who relies on what; that is said."""
    nothing = {"claim": [], "claimed": [], "keys": ["a.txt"]}
    assert preview(forged, "upload_files", **nothing) == [
        f"the run has no claim at {forged.store}, so nothing there is deleted"
    ]


def test_what_would_be_refused_is_said(forged: Any) -> None:
    """It is seen before anything is begun."""
    *_, last = preview(forged, "upload_files", folders=["/elsewhere"])
    assert last.startswith("the journal names '/elsewhere' (note 'folders'), but it leads out")
    (only,) = preview(forged, "upload_files", target=["s3://other/data"])
    assert only.startswith("the journal names 's3://other/data' (note 'target')")


def test_generate_data_units_says_what_leaves_the_catalogue(forged: Any) -> None:
    """Nothing asks the catalogue: it may be a server far away."""
    assert preview(forged, "generate_data_units") == [
        f"3 units removed from {forged.here}/photos.db"
    ]
    assert preview(forged, "generate_data_units", killed=True) == [
        f"what was registered leaves {forged.here}/photos.db"
    ]


def test_initialize_says_what_it_takes_away(forged: Any) -> None:
    """As far as it has made anything."""
    assert preview(forged, "initialize") == [
        f"{forged.here}/photos.db deleted, if nothing is registered there any more",
        f"the list of files {forged.state}/{forged.uid}.db deleted",
        "1 folder removed, if nothing else is there",
    ]
