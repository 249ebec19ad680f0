"""Uploads that delete what the source no longer has, and are killed while they do."""

from __future__ import annotations

import signal
from contextlib import closing
from typing import Any

import pytest

from handrail_upload.manifest import Manifest

KILLED = -signal.SIGKILL

pytestmark = pytest.mark.slow

local = pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)


@pytest.fixture
def less(scene: Any, make_upload: Any, fill: Any) -> Any:
    """Upload 12 files and a large one, and take three away; return the upload that tells that."""
    fill(scene, 12)
    assert make_upload(scene).do("run")["success"]
    for name in ("0001.txt", "0002.txt", "0003.txt"):
        (scene.source / name).unlink()
    return make_upload(scene, delete_missing=True, max_delete="100%")


@local
def test_an_upload_that_was_killed_once_all_was_deleted_is_resumed(scene: Any, less: Any) -> None:
    """It relies on what it has left there, and changes nothing any more."""
    assert less.do("run", call="hold", nth=1, when="after")["code"] == KILLED
    answer = less.do("resume")
    assert "error" not in answer, answer
    assert answer["deleted_files"] == 3
    assert len(scene.catalogue.rows()["handrail_data_file"]) == 10
    assert "error" not in less.do("rollback")
    assert scene.place.content("0003.txt")


@local
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("names", [["0002.txt"], ["0001.txt", "0002.txt", "0003.txt"]])
def test_what_others_have_put_where_it_was_about_to_delete_keeps_no_run_from_going_on(
    scene: Any, make_upload: Any, less: Any, names: list[str], when: str
) -> None:
    """Also where nothing is left to be deleted, and though it had claimed to empty these keys."""
    less.options["exclude"] = ["*"]
    less.options["allow_nothing"] = True
    assert less.do("run", call="delete_found", nth=1)["code"] == KILLED
    for name in names:
        scene.place.put(name, b"somebody else's")
    assert less.do("resume", call="hold", nth=1, when=when)["code"] == KILLED
    answer = less.do("resume")
    assert "error" not in answer, answer
    assert answer["deleted_files"] == 3 - len(names)
    assert {scene.place.content(name) for name in names} == {b"somebody else's"}
    scene.write("0001.txt", b"again")  # Others may use these keys again.
    assert make_upload(scene, if_exists="skip").do("run")["success"]
    assert "error" not in less.do("rollback")
    assert {scene.place.content(name) for name in names} == {b"somebody else's"}


@local
def test_what_is_in_the_source_again_is_not_deleted(scene: Any, less: Any) -> None:
    """Only what was deleted before it came back is gone; the next upload sends it."""
    assert less.do("run", call="delete_found", nth=1)["code"] == KILLED
    scene.write("0002.txt", b"again")
    answer = less.do("resume")
    assert "error" not in answer, answer
    assert answer["deleted_files"] == 2
    assert scene.place.content("0002.txt")
    assert len(scene.catalogue.rows()["handrail_data_file"]) == 11


@local
def test_nobody_uses_a_key_that_is_about_to_be_emptied(
    scene: Any, make_upload: Any, less: Any
) -> None:
    """Also one that comes before or after the keys of all files, of which there may be none."""
    less.options.update(exclude=["*"], allow_nothing=True)
    other = make_upload(scene)
    assert less.do("run", call="delete_found", nth=1)["code"] == KILLED
    scene.write("0002.txt", b"again")
    assert "is working on the same keys" in other.do("run")["message"]


@local
def test_what_was_not_deleted_yet_is_not_listed_as_deleted(scene: Any, less: Any) -> None:
    assert less.do("run", call="delete_found", nth=1)["code"] == KILLED
    path = max((scene.folder / ".handrail" / "uploads").glob("*.db"))
    with closing(Manifest(path, make=False)) as manifest:
        assert not [*manifest.outcomes("deleted")]
    assert less.do("resume")["deleted_files"] == 3
    with closing(Manifest(path, make=False)) as manifest:
        assert len([*manifest.outcomes("deleted")]) == 3
