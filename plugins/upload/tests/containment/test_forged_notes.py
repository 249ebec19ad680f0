"""A journal that names what lies outside of where its run worked: nothing of that is touched."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

ANOTHER = "0198c0de-0000-7000-8000-000000000000"


def check(forged: Any, *told: str, **options: Any) -> str:
    """Roll back; what is outside stays, and the run's own things go, where nothing is told."""
    outside, theirs = forged.outside(), forged.theirs()
    failed = forged.rollback(**options)
    assert forged.outside() == outside
    assert forged.theirs() == theirs
    text = "\n".join(failed)
    for each in told:
        assert each in text
    assert bool(failed) == bool(told), text
    return text


def test_one_wrong_note_keeps_nothing_else_from_being_undone(forged: Any) -> None:
    """What the other notes of the step say is undone, and what the other steps have done."""
    forged.note("initialize", "manifest", [str(forged.beside / "secret.txt")])
    folders = forged.recorded("upload_files", "folders")
    forged.note("upload_files", "folders", [str(forged.beside / "empty"), *folders])
    check(
        forged,
        f"initialize: the journal names '{forged.beside}/secret.txt' (note 'manifest'), but by the "
        f"params of the run it is {forged.state}; nothing of it was touched",
        f"upload_files: the journal names '{forged.beside}/empty' (note 'folders'), but it leads "
        f"out of {forged.store}; nothing of it was touched",
    )
    assert not (forged.store / "a.txt").exists()
    assert not (forged.here / "photos.db").exists()
    assert (forged.store / "b.txt").read_text() == "theirs, and replaced"


@pytest.mark.parametrize(
    ("step", "note", "value", "told"),
    [
        ("initialize", "manifest", "{beside}/secret.txt", "by the params of the run it is {state}"),
        ("initialize", "manifest", "{beside}/list.db", "by the params of the run it is {state}"),
        ("initialize", "manifest", "{state}/other.db", "it is not the list of files of this run"),
        (
            "initialize",
            "manifest",
            "{state}/../runs.db",
            "it is no absolute path, or leads elsewhere",
        ),
        ("initialize", "manifest", 7, "it is no text"),
        ("initialize", "manifest", "\0", "there is a NUL in it"),
        ("initialize", "manifest", "", "it is empty"),
        ("initialize", "manifest", "\ud800", "it is no Unicode"),
        ("initialize", "probe", "../notes.txt", "it is not that of this run"),
        ("initialize", "probe", "a.txt", "it is not that of this run"),
        ("initialize", "folders", "{beside}/empty", "it is neither {state} nor above it"),
        ("initialize", "folders", "{here}/empty", "it is neither {state} nor above it"),
        ("initialize", "made", "{beside}/empty", "it is neither {store} nor above it"),
        ("initialize", "made", "{here}", "the run has not made it: the working folder is in it"),
        ("initialize", "target", "{beside}", "by the params of the run it is {store}"),
        ("initialize", "target", "s3://other/data", "it is no absolute path"),
        ("initialize", "mark", "../../beside/x/y", "it is not the mark of this run"),
        (
            "initialize",
            "catalogue",
            {"url": "{beside}/decoy.db", "made": ["file", "tables"], "run": "{uid}"},
            "by the params of the run it is {here}/photos.db",
        ),
        (
            "initialize",
            "catalogue",
            {"url": "{here}/photos.db", "made": ["file", "tables"], "run": "another"},
            "that is not the run",
        ),
        (
            "initialize",
            "catalogue",
            {"url": "{here}/photos.db", "made": 1, "run": "{uid}"},
            "parts",
        ),
        ("initialize", "catalogue", None, "it has no url"),
        ("upload_files", "target", "{beside}", "by the params of the run it is {store}"),
        ("upload_files", "target", "{here}", "by the params of the run it is {store}"),
        ("upload_files", "claim", "{another}", "it is not that of this run"),
        ("upload_files", "claim", "{another}.0123456789abcdef", "it is not that of this run"),
        ("upload_files", "claim", "../{uid}", "it is not that of this run"),
        ("upload_files", "claim", "{uid}/..", "it is not that of this run"),
        ("upload_files", "claim", ["{uid}"], "it is no text"),
        ("upload_files", "claimed", "{another}", "it is not that of this run"),
        ("upload_files", "folders", "{beside}/empty", "it leads out of {store}"),
        (
            "upload_files",
            "folders",
            "{store}/../empty",
            "it is no absolute path, or leads elsewhere",
        ),
        ("upload_files", "folders", "{store}", "it leads out of {store}"),
        (
            "generate_data_units",
            "rows",
            {"url": "{beside}/decoy.db", "run": "{uid}"},
            "by the params of the run it is {here}/photos.db",
        ),
        (
            "generate_data_units",
            "rows",
            {"url": "postgresql://h/d", "run": "{uid}"},
            "leads elsewhere",
        ),
        ("generate_data_units", "rows", {"url": "photos.db", "run": "{uid}"}, "no absolute path"),
    ],
)
def test_what_lies_outside_or_makes_no_sense_is_refused(
    forged: Any, step: str, note: str, value: Any, told: str
) -> None:
    """Beside what was recorded, and in the place of it; the message says which note, and why."""
    value = json.loads(filled(forged, json.dumps(value)))
    told = filled(forged, told)
    forged.note(step, note, [value, *forged.recorded(step, note)])
    text = check(forged, told)
    assert f"(note '{note}')" in text
    assert text.startswith(f"{step}: ")


def filled(forged: Any, text: str) -> str:
    places = {
        "here": forged.here,
        "beside": forged.beside,
        "store": forged.store,
        "state": forged.state,
        "uid": forged.uid,
        "another": ANOTHER,
    }
    for name, path in places.items():
        text = text.replace(f"{{{name}}}", str(path))
    return text


@pytest.mark.parametrize(
    ("note", "value"),
    [
        ("target", "store"),
        ("claim", None),
        ("claimed", {"a.txt": [1, 2, 3, 4]}),
        ("folders", 2.5),
    ],
)
def test_what_is_no_list_is_refused(forged: Any, note: str, value: Any) -> None:
    """A step may have returned its rollback data itself, so a note may be of any type."""
    forged.returned("upload_files", note, value)
    check(forged, f"(note '{note}'), but it is no list")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (["out/secret.txt"], "out/secret.txt: it leads out of"),
        (["../notes.txt"], "it leads out of the target"),
        (["theirs//a.txt"], "a part of it is empty"),
        ([7], "it is no text"),
        (["theirs/a.txt", "link.txt", "theirs"], "its lines are not in order"),
        (["link.txt", "theirs", "theirs/a.txt"], ""),
    ],
)
def test_a_forged_list_at_the_target_leads_nowhere_else(
    forged: Any, keys: list[Any], told: str
) -> None:
    """What is outside stays, and what no run has made; the claim stays too if it makes no sense."""
    forged.claim(keys)
    check(forged, *([told] if told else []))


def test_an_original_that_is_a_link_leads_nowhere_once_it_is_back(forged: Any) -> None:
    """A link may be put back, since one may have been replaced; what is behind it is outside."""
    (copy,) = forged.store.rglob(f"aside/*/{forged.uid}/b.txt")
    copy.unlink()
    copy.symlink_to("../../beside/secret.txt")
    check(forged)
    assert (forged.store / "b.txt").is_symlink()


def test_the_list_of_files_has_to_be_one(forged: Any) -> None:
    """Something else under its very name is left alone: a link, a folder, another database."""
    path = forged.state / f"{forged.uid}.db"
    for found, told in (
        ("link", "it is no file"),
        ("folder", "it is no file"),
        ("text", "it is no list of files of an upload"),
        ("database", "it is no list of files of an upload"),
    ):
        path.unlink(missing_ok=True)
        if found == "link":
            path.symlink_to(forged.beside / "list.db")
        elif found == "folder":
            path.mkdir()
        elif found == "text":
            path.write_text("somebody else's")
        else:
            path.write_bytes((forged.beside / "decoy.db").read_bytes())
        check(forged, f"'{path}' (note 'manifest'), but {told}")
        assert os.path.lexists(path)
        if found == "folder":
            path.rmdir()


def test_the_list_of_another_run_stays(forged: Any) -> None:
    """A list tells which run it is of."""
    path = forged.state / f"{forged.uid}.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE about SET value = '\"another\"' WHERE name = 'run'")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    check(forged, "it is the list of files of another")
    assert path.exists()


@pytest.mark.parametrize("uid", ["../../../beside/list", "photos", "backup"])
def test_a_run_has_to_have_an_id(forged: Any, uid: str) -> None:
    """Names of files begin and end with it, so one that is none is refused; the rest waits."""
    forged.ask("UPDATE run SET uid = ?", uid)
    text = check(forged, f"'{uid}' is no name of a run")
    assert text.count("no name of a run") == 1
    assert (forged.store / "a.txt").exists()


# What goes on reads the same notes


@pytest.mark.parametrize(
    ("note", "value", "told"),
    [
        ("target", "{beside}", "by the params of the run it is"),
        ("claim", "{another}", "it is not that of this run"),
    ],
)
def test_an_upload_that_goes_on_believes_no_such_note(
    forged: Any, note: str, value: str, told: str
) -> None:
    """It fails before anything is looked at."""
    doubt(forged, "upload_files")
    forged.note("upload_files", note, [filled(forged, value)])
    outside, theirs = forged.outside(), forged.theirs()
    assert told in forged.resume()
    assert (forged.outside(), forged.theirs()) == (outside, theirs)


@pytest.mark.parametrize("name", ["list.db", "decoy.db", "secret.txt", "gone.db"])
def test_a_run_that_goes_on_opens_no_other_list(forged: Any, name: str) -> None:
    """Where its list is comes from the context, which is in the journal too."""
    doubt(forged, "upload_files")
    path = json.dumps(str(forged.beside / name))
    forged.ask("UPDATE field SET value = ? WHERE name = 'manifest_path'", path)
    outside, theirs = forged.outside(), forged.theirs()
    assert (
        f"'{forged.beside}/{name}' (field 'manifest_path' of the context), but by the params"
        in forged.resume()
    )
    assert (forged.outside(), forged.theirs()) == (outside, theirs)


def doubt(forged: Any, step: str) -> None:
    """Let the journal say that the run was killed in a step."""
    rows = forged.ask("SELECT id FROM attempt WHERE step = ?", step)
    forged.ask("DELETE FROM attempt WHERE id > ?", rows[0][0])
    forged.ask("UPDATE attempt SET state = 'started', result = NULL WHERE step = ?", step)
    forged.ask("UPDATE run SET outcome = NULL, closed = NULL, direction = 'forward'")


# What an undo has to go on with


@pytest.mark.parametrize("order", ["here", "other"])
def test_a_working_folder_that_was_moved_is_undone_where_it_is(forged: Any, order: str) -> None:
    """Absolute paths were recorded; relative params say what they are now."""
    moved = forged.here.parent / "moved"
    forged.here.rename(moved)
    old, forged.here = forged.here, moved
    if order == "other":
        # Somebody has begun anew there: what the journal names is not this run's any more.
        (old / "store").mkdir(parents=True)
        (old / "store" / "a.txt").write_text("theirs")
        os.chdir(old)
        failed = forged.rollback(folder=moved)
        assert any("by the params of the run it is" in each for each in failed), failed
        assert (old / "store" / "a.txt").read_text() == "theirs"
        return
    os.chdir(moved)
    check(forged, folder=moved)
    assert not (moved / "store" / "a.txt").exists()
    assert not (moved / "store" / "sub").exists()
    assert not (moved / "photos.db").exists()
    assert not (moved / ".handrail" / "uploads").exists()
    assert (moved / "store" / "b.txt").read_text() == "theirs, and replaced"


def test_what_never_existed_is_no_trouble(forged: Any) -> None:
    """The target, the catalogue and the list may be gone, or may never have been made."""
    shutil.rmtree(forged.store)
    shutil.rmtree(forged.state)
    (forged.here / "photos.db").unlink()
    outside = forged.outside()
    failed = forged.rollback()
    assert failed == []
    assert forged.outside() == outside


@pytest.mark.parametrize("moved", [False, True])
def test_the_dots_of_a_param_do_not_hide_the_state_folder(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    forged = make(tmp_path / "top", folder="sub/../.handrail/uploads")
    if moved:
        forged.here = forged.here.rename(forged.here.parent / "moved")
        os.chdir(forged.here)
    check(forged, folder=forged.here)
    assert not forged.state.exists()
