"""What going on with a killed upload sends, gives back, refuses and leaves alone."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KILLED = -signal.SIGKILL

pytestmark = pytest.mark.slow

local = pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)


def keys_of(stamps: dict[str, Any]) -> set[str]:
    return {key for key in stamps if key.endswith((".txt", ".bin")) and "others" not in key}


def test_resume_sends_only_what_is_missing(scene: Any, make_upload: Any, fill: Any) -> None:
    before = fill(scene, 30)
    upload = make_upload(scene, transfers=1)
    assert upload.do("run", call="put", nth=21, when="after")["code"] == KILLED
    there = scene.place.stamps()
    assert len(keys_of(there)) >= 21
    answer = upload.do("resume")
    now = scene.place.stamps()
    assert all(now[key] == there[key] for key in keys_of(there))
    assert answer["uploaded_files"] == 31
    upload.check_complete(before)


def test_a_completed_upload_is_undone_later(scene: Any, make_upload: Any, fill: Any) -> None:
    before = fill(scene, 12)
    scene.place.put("0003.txt", (scene.source / "0003.txt").read_bytes())
    scene.place.put("0004.txt", b"is kept")
    before = scene.world()
    upload = make_upload(scene, if_exists="skip")
    assert upload.do("run")["success"]
    assert upload.recorded().sealed is None
    assert "error" not in upload.do("rollback")
    assert upload.world() == before


@pytest.mark.parametrize("keep", [True, "30d"])
def test_what_has_replaced_something_is_undone_later(
    scene: Any, make_upload: Any, fill: Any, keep: bool | str
) -> None:
    """Objects of somebody else too: they are what they were, and nothing of ours is left."""
    before = fill(scene, 12, replacing=True)
    upload = make_upload(scene, if_exists="overwrite", keep_replaced=keep)
    answer = upload.do("run")
    assert answer["replaced"]["files"] == 3
    assert answer["replaced"]["kept"]
    assert ("until" in answer["replaced"]) == (keep == "30d")
    assert upload.recorded().sealed is None
    upload.check_complete(before)
    assert "error" not in upload.do("rollback")
    assert upload.world() == before


def test_what_has_replaced_something_is_sealed_once_that_is_discarded(
    scene: Any, make_upload: Any, fill: Any
) -> None:
    before = fill(scene, 12, replacing=True)
    upload = make_upload(scene, if_exists="overwrite", keep_replaced=False)
    assert upload.do("run")["success"]
    assert upload.recorded().sealed is not None
    assert upload.do("rollback")["error"] == "RollbackRefusedError"
    upload.check_complete(before)


@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_somebody_elses_object_at_a_recorded_key_is_left_alone(
    scene: Any, make_upload: Any, fill: Any, way: str
) -> None:
    fill(scene, 12)
    upload = make_upload(scene, transfers=1)
    assert upload.do("run", call="put", nth=6, when="before")["code"] == KILLED
    missing = next(
        name
        for name in sorted(f"{number:04}.txt" for number in range(12))
        if not any(key.endswith(name) for key in scene.place.stamps())
    )
    scene.place.put(missing, b"put there after the kill")
    scene.place.put("0000.txt", b"put over what the run had sent")
    answer = upload.do(way)
    if way == "resume":  # It is in the way, so the run is undone.
        assert answer["error"] == "StepFailedError"
    assert upload.outcome == "rolled_back"
    assert scene.place.content(missing) == b"put there after the kill"
    assert scene.place.content("0000.txt") == b"put over what the run had sent"
    assert len(keys_of(scene.place.stamps())) == 2
    assert not scene.catalogue.rows()


@local
def test_an_original_that_was_replaced_after_the_kill_is_what_comes_back(
    scene: Any, make_upload: Any, fill: Any
) -> None:
    fill(scene, 4, replacing=True)
    upload = make_upload(scene, if_exists="overwrite", transfers=1)
    assert (
        upload.do("run", call="put", nth=1)["code"] == KILLED
    )  # Kept aside, and not replaced yet.
    scene.place.put("0001.txt", b"newer than what was kept aside")
    (scene.source / "0002.txt").write_bytes(b"written to meanwhile")
    assert upload.do("resume")["error"] == "SourceChangedError"
    assert "error" not in upload.do("rollback")
    assert upload.outcome == "rolled_back"
    assert scene.place.content("0001.txt") == b"newer than what was kept aside"
    assert scene.place.content("0003.txt") == b"what somebody else had there"
    assert len(scene.place.objects()) == 7  # Folders, originals and what is of others.


def edit(path: Path) -> None:
    path.write_bytes(b"written to after the kill")


def touch(path: Path) -> None:
    os.utime(path, ns=(0, 0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edit, "it grew"),
        (touch, "it was written to"),
        (Path.unlink, "it is not there any more"),
    ],
)
def test_a_source_that_changed_after_the_kill_stops_the_run_and_undoes_nothing(
    scene: Any, make_upload: Any, fill: Any, change: Callable[[Path], None], said: str
) -> None:
    """Nothing is sent either; once the files are back, what is missing is sent."""
    before = fill(scene, 12)
    upload = make_upload(scene, transfers=1)
    assert upload.do("run", call="put", nth=6)["code"] == KILLED
    aside = scene.folder / "as it was"
    shutil.copytree(scene.source, aside)
    for number in range(12):
        change(scene.source / f"{number:04}.txt")
    stamps = scene.place.stamps()
    for _ in range(2):
        answer = upload.do("resume")
        assert answer["error"] == "SourceChangedError"
        assert "files to be sent changed since the run began: 00" in answer["message"]
        assert said in answer["message"]
        assert (upload.outcome, scene.place.stamps()) == (None, stamps)
    shutil.copytree(aside, scene.source, dirs_exist_ok=True)
    answer = upload.do("resume")
    assert "error" not in answer, answer
    upload.check_complete(before)


@pytest.mark.parametrize("on_changed", ["skip", "take"])
def test_what_vanished_after_the_kill_is_left_out(
    scene: Any, make_upload: Any, fill: Any, on_changed: str
) -> None:
    """What had arrived counts, also what the list of files does not know of; it can be undone."""
    before = fill(scene, 12)
    upload = make_upload(scene, transfers=1, on_changed=on_changed)
    assert upload.do("run", call="put", nth=6, when="after")["code"] == KILLED
    there = scene.place.stamps()
    arrived = {key.rpartition("/")[2] for key in keys_of(there)}
    content = {name: (scene.source / name).read_bytes() for name in arrived}
    for number in range(12):
        (scene.source / f"{number:04}.txt").unlink()
    answer = upload.do("resume")
    assert "error" not in answer, answer
    assert (answer["left_out_files"], answer["uploaded_files"]) == (
        12 - len(arrived),
        1 + len(arrived),
    )
    now = scene.place.stamps()
    assert keys_of(now) - keys_of(there) == {key for key in now if key.endswith("large.bin")}
    assert all(now[key] == there[key] for key in keys_of(there))
    assert {name: scene.place.content(name) for name in arrived} == content
    assert len(scene.catalogue.rows()["handrail_data_file"]) == 1 + len(arrived)
    assert "error" not in upload.do("rollback")
    assert {**upload.world(), "folder": None} == {**before, "folder": None}


def test_what_was_to_be_replaced_and_vanished_stays(
    scene: Any, make_upload: Any, fill: Any
) -> None:
    """Nothing of it is kept aside, though that had happened before the kill."""
    before = fill(scene, 12, replacing=True)
    upload = make_upload(scene, transfers=1, on_changed="skip", if_exists="overwrite")
    assert upload.do("run", call="set_aside", nth=2, when="after")["code"] == KILLED
    (scene.source / "0003.txt").unlink()
    answer = upload.do("resume")
    assert "error" not in answer, answer
    assert (answer["left_out_files"], answer["uploaded_files"]) == (1, 12)
    assert answer["replaced"]["files"] == 2
    assert scene.place.content("0003.txt") == b"what somebody else had there"
    assert not [key for key in scene.place.objects() if "/aside/" in key and "0003" in key]
    assert "error" not in upload.do("rollback")
    assert {**upload.world(), "folder": None} == {**before, "folder": None}


@pytest.mark.parametrize("scene", ["local-sqlite", "moto-postgres"], indirect=True)
def test_what_changed_after_the_kill_is_sent_as_it_is(
    scene: Any, make_upload: Any, fill: Any
) -> None:
    """Also over what the run had sent of it before."""
    before = fill(scene, 12)
    upload = make_upload(scene, transfers=1, on_changed="take")
    assert upload.do("run", call="put", nth=6, when="after")["code"] == KILLED
    for number in range(12):
        edit(scene.source / f"{number:04}.txt")
    answer = upload.do("resume")
    assert "error" not in answer, answer
    upload.check_complete(before)
    assert "error" not in upload.do("rollback")
    assert {**upload.world(), "folder": None} == {**before, "folder": None}


@local
def test_a_change_that_is_noticed_only_while_it_goes_on_stops_the_run_too(
    scene: Any, make_upload: Any, fill: Any
) -> None:
    """What was sent before that stays, and counts."""
    before = fill(scene, 12)
    upload = make_upload(scene, transfers=1)
    assert upload.do("run", call="put", nth=3)["code"] == KILLED
    path = scene.source / "deep" / "down" / "large.bin"
    found = path.stat()
    answer = upload.do("resume", grows="deep/down/large.bin")
    assert answer["error"] == "SourceChangedError"
    assert "large.bin changed during the upload: it grew" in answer["message"]
    assert upload.outcome is None
    assert len(keys_of(scene.place.stamps())) == 12
    os.truncate(path, found.st_size)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    upload.go_on("resume", before)


@local
def test_a_rollback_does_not_need_the_source(scene: Any, make_upload: Any, fill: Any) -> None:
    """Not even its folder."""
    fill(scene, 12)
    upload = make_upload(scene, transfers=1)
    assert upload.do("run", call="put", nth=6)["code"] == KILLED
    shutil.rmtree(scene.source)
    assert upload.do("resume")["error"] == "SourceChangedError"
    assert len(keys_of(scene.place.stamps())) >= 5
    answer = upload.do("rollback")
    assert "error" not in answer, answer
    assert upload.outcome == "rolled_back"
    assert keys_of(scene.place.stamps()) == set()


@local
def test_what_was_sent_already_is_not_asked_for_again(
    scene: Any, make_upload: Any, fill: Any
) -> None:
    """Files may be gone once they are stored, as the run that found them meant them."""
    before = fill(scene, 12)
    upload = make_upload(scene, transfers=1)
    assert upload.do("run", call="publish", nth=1)["code"] == KILLED
    aside = scene.folder / "as it was"
    scene.source.rename(aside)
    answer = upload.do("resume")
    assert "error" not in answer, answer
    aside.rename(scene.source)
    upload.check_complete(before)


@local
def test_a_list_of_files_that_is_gone_is_not_taken_for_an_empty_one(
    scene: Any, make_upload: Any, fill: Any
) -> None:
    """What was sent stays, for the list may come back; an undo does without."""
    before = fill(scene, 12)
    upload = make_upload(scene)
    assert upload.do("run", call="put", nth=6)["code"] == KILLED
    there = scene.place.stamps()
    for name in os.listdir(scene.folder / ".handrail" / "uploads"):
        (scene.folder / ".handrail" / "uploads" / name).unlink()
    answer = upload.do("resume")
    assert answer["error"] == "SourceChangedError"
    assert "the list of files " in answer["message"]
    assert (upload.outcome, scene.place.stamps()) == (None, there)
    assert "error" not in upload.do("rollback")
    assert upload.outcome == "rolled_back"
    assert upload.world() == before


# radosgw with its SQLite backend lists no such uploads.
@pytest.mark.parametrize("scene", ["moto-sqlite"], indirect=True)
@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_parts_of_a_killed_process_are_aborted_and_those_of_others_stay(
    scene: Any, make_upload: Any, fill: Any, way: str
) -> None:
    before = fill(scene, 3)
    client, bucket = scene.place.server.client(), scene.place.name
    for key in ("data/others/large.bin", "data/0000.txt"):
        client.create_multipart_upload(Bucket=bucket, Key=key)
    upload = make_upload(scene, transfers=1)
    assert upload.do("run", part=2)["code"] == KILLED
    assert "data/deep/down/large.bin" in scene.place.unfinished()
    answer = upload.do(way)
    assert "error" not in answer, answer
    assert set(scene.place.unfinished()) == {"data/others/large.bin", "data/0000.txt"}
    if way == "rollback":
        assert not scene.catalogue.rows()
        assert set(scene.place.stamps()) == {
            key for key in before["target"] if before["target"][key] != "unfinished"
        }


@local
def test_what_sqlite_keeps_beside_its_files_goes_with_them(
    scene: Any, make_upload: Any, fill: Any
) -> None:
    """A process that is killed while it makes them, or begins to write, leaves that behind."""
    before = fill(scene, 4)
    upload = make_upload(scene)
    assert upload.do("run", call="publish", nth=1)["code"] == KILLED
    (manifest,) = (scene.folder / ".handrail" / "uploads").glob("*.db")
    for path in (manifest, scene.catalogue.path):
        path.with_name(f"{path.name}-journal").write_bytes(bytes(512))
    assert "error" not in upload.do("rollback")
    assert upload.world() == before
