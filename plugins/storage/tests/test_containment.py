"""What a journal says is followed only where it stays within the places of the run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from handrail_storage import Caller, ContainmentError, Site, parse_place
from handrail_storage.containment import (
    Folder,
    Inside,
    Notes,
    below,
    folders_of,
    is_of_run,
    key,
    mapping,
    mark_of_run,
    plain_name,
    text,
)


class ShelfError(ContainmentError):
    """The error of a pack."""


@pytest.mark.parametrize("value", ["a", "a b/c.txt", "ü/日本", "a\\b", "...", ".hidden"])
def test_keys_stay_as_they_are(value: str) -> None:
    assert key(value) == value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (1, "no text"),
        ("", "empty"),
        ("a\0b", "NUL"),
        ("\ud800", "no Unicode"),
        ("/etc/passwd", "absolute"),
        ("\\x", "absolute"),
        ("C:\\x", "absolute"),
        ("../x", "leads out"),
        ("a/../../x", "leads out"),
        ("a\\..\\x", "leads out"),
        ("a//b", "empty"),
        ("./a", "empty"),
        (".handrail/x", "keeps that for itself"),
        (".HANDRAIL/x", "keeps that for itself"),
    ],
)
def test_keys_that_lead_elsewhere_are_refused(value: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        key(value)


def test_what_lies_below_a_target_may_be_called_like_anything() -> None:
    for name in ("a\\..\\x", "C:\\x", ".handrail/x", "...", "\udcff"):
        assert below(name) == name
    for wrong, why in (("/x", "leads out"), ("a/../x", "leads out"), ("a/./b", "no key of an obj")):
        with pytest.raises(ValueError, match=why):
            below(wrong)


def test_a_name_is_that_of_a_run_or_of_any_where_none_is_known() -> None:
    pattern = r"(?P<run>.+)\.db"
    assert is_of_run("run-1.db", pattern, "run-1")
    assert is_of_run("run-1.db", pattern, None)
    assert not is_of_run("run-2.db", pattern, "run-1")
    assert not is_of_run("run-1", pattern, None)


def test_the_other_checks() -> None:
    assert text("a") == "a"
    assert mark_of_run("run-1/step", "run-1") == mark_of_run("run-1/step", None) == "run-1/step"
    for mark in ("run-2/step", "run-1", "../x/step", ""):
        with pytest.raises(ValueError, match=r"mark of this run|it is empty"):
            mark_of_run(mark, "run-1")
    assert mapping({"a": 1, "b": None}, "a", "b") == (1, None)
    for lacking in ({"b": 1}, [1], None):
        with pytest.raises(ValueError, match="it has no a"):
            mapping(lacking, "a", "b")
    assert list(folders_of(["/a/b", None, "c"])) == ["/a", ""]
    assert plain_name("run-1") == "run-1"
    with pytest.raises(ShelfError, match=r"'\.\./x' is no name of a run"):
        plain_name("../x", ShelfError)
    with pytest.raises(ShelfError, match="'run-1' is no name of a run"):
        plain_name("run-1", ShelfError, "[0-9]+")


# Notes


def test_notes_return_what_passes_and_keep_why_the_rest_did_not() -> None:
    notes = Notes({"keys": ["a", "../b", "c", 4], "mark": "none", "made": None}, ShelfError)
    assert notes.all("keys", key) == ["a", "c"]
    assert notes.all("never", key) == []
    assert isinstance(notes.refused, ShelfError)
    assert notes.refused.message == (
        "the journal names '../b' (note 'keys'), but it leads out of the target; nothing of it was "
        "touched, and 1 more"
    )
    assert notes.all("mark", key) == notes.all("made", key) == []
    assert notes.refused.message.endswith(", and 3 more")
    assert "look at who has written this journal" in notes.refused.ways_out[0]
    assert list(notes.raw("keys")) == ["a", "../b", "c", 4]
    with pytest.raises(ShelfError, match="and 3 more"):
        notes.check()
    Notes({"keys": ["a"]}).check()


def test_of_many_refusals_twenty_are_kept() -> None:
    notes = Notes({"keys": [".."] * 10_000})
    assert notes.all("keys", key) == []
    assert len(notes.refusals) == 20
    assert notes.refused is not None
    assert notes.refused.message.endswith(", and 9,999 more")


@pytest.mark.parametrize("data", [None, [], "keys", 1])
def test_rollback_data_that_is_none_is_refused(data: Any) -> None:
    notes = Notes(data)
    assert notes.all("keys", key) == []
    assert notes.refused is not None
    assert "it has no notes" in notes.refused.message


def test_a_long_value_is_shown_short_and_on_one_line() -> None:
    error = ContainmentError.about("note 'keys'", "a\nb\x1b" + "x" * 10_000, "it is odd")
    assert len(error.message) < 400
    assert error.message.isprintable()


# Folders


def test_a_folder_knows_its_keys_and_its_children(tmp_path: Path) -> None:
    folder = Folder.of(str(tmp_path / "out"), None, [])
    assert folder.itself(str(tmp_path / "out" / ".")) == folder.path
    assert folder.key(f"{folder.path}/a/b") == "a/b"
    assert folder.itself_or_above(str(tmp_path)) == str(tmp_path)
    child = f"{folder.path}/run-1.db"
    assert folder.child(child, r"(?P<run>.+)\.db", "run-1") == child
    for wrong in (folder.path, f"{folder.path}2/a", "a", f"{folder.path}/../x", str(tmp_path)):
        with pytest.raises(ValueError, match=r"leads|no absolute path"):
            folder.key(wrong)
    for wrong in (f"{folder.path}/a", f"{tmp_path}/other"):
        with pytest.raises(ValueError, match="neither"):
            folder.itself_or_above(wrong)
    for wrong in (f"{folder.path}/run-2.db", f"{folder.path}/deep/run-1.db"):
        with pytest.raises(ValueError, match="not that of this run"):
            folder.child(wrong, r"(?P<run>.+)\.db", "run-1")


def test_a_child_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run-1").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="it is a link"):
        Folder(path=str(tmp_path)).child(str(tmp_path / "run-1"), "(?P<run>.+)", "run-1")


def test_the_working_folder_was_not_made_by_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Folder(path=str(tmp_path / "out"))
    for above in (tmp_path, tmp_path.parent):
        with pytest.raises(ValueError, match="the working folder is in it"):
            folder.itself_or_above(str(above))
    # A step may have left it meanwhile.
    monkeypatch.chdir("/")
    folder = Folder.of(folder.path, "out", [], here=str(tmp_path))
    assert folder.itself_or_above(folder.path) == folder.path
    with pytest.raises(ValueError, match="the working folder is in it"):
        folder.itself_or_above(str(tmp_path))


def test_a_folder_is_found_after_the_working_folder_was_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    noted = str(before / "deep" / "out")
    (after / "deep").mkdir(parents=True)
    monkeypatch.chdir(after)
    folder = Folder.of(os.path.abspath("deep/out"), "deep/out", [None, noted])
    assert folder.itself(noted) == str(after / "deep" / "out")
    assert folder.key(f"{noted}/a") == "a"
    with pytest.raises(ValueError, match="leads out"):
        folder.key(str(before / "other"))


def test_a_folder_is_found_under_its_other_name(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    folder = Folder(path=str(tmp_path / "link"))
    assert folder.key(str(tmp_path / "real" / "a")) == "a"


def test_inside_follows_links(tmp_path: Path) -> None:
    (tmp_path / "root" / "in").mkdir(parents=True)
    (tmp_path / "root" / "out").symlink_to(tmp_path)
    (tmp_path / "root" / "back").symlink_to(tmp_path / "root" / "in")
    inside = Inside(str(tmp_path / "root"))
    assert all(map(inside.holds, ("", "in", "back", "never/made")))
    assert not any(map(inside.holds, ("out", "out/x", "..", "in/../..")))
    (tmp_path / "root" / "in").rmdir()
    (tmp_path / "root" / "in").symlink_to(tmp_path)
    assert inside.holds("in")
    inside.forget()
    assert not inside.holds("in")


# Sites


def site(place: str, folder: Folder | None, tmp_path: Path) -> Site:
    return Site(
        place=parse_place(place),
        folder=folder,
        state=Folder(path=str(tmp_path / ".handrail")),
        run="run-1",
        retries=0,
        caller=Caller(),
    )


def test_a_site_on_this_machine(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    here = site(out, Folder(path=out), tmp_path)
    assert here.address(out) == out
    assert here.made(out) == out
    assert here.mark("run-1/save") == "run-1/save"
    assert here.open().address == out
    with pytest.raises(ValueError, match="by the params of the run it is"):
        here.address(str(tmp_path / "other"))


def test_a_site_in_a_bucket(tmp_path: Path) -> None:
    there = site("s3://bucket/out", None, tmp_path)
    assert there.address("S3://bucket//out/") == "s3://bucket/out"
    for other in ("s3://bucket/other", "s3://other/out", "gs://bucket/out", "/bucket/out"):
        with pytest.raises(ValueError, match="by the params of the run it is s3://bucket/out"):
            there.address(other)
    with pytest.raises(ValueError, match="no storage is known"):
        there.address("ftp://x")
    with pytest.raises(ValueError, match="has no folders"):
        there.made("/out")
