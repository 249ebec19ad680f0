"""Replacing objects of others: the old ones are kept aside until nothing can fail any more."""

from __future__ import annotations

import pytest

from handrail_storage.backend.small import SmallLocalFiles
from handrail_storage.backend.small_objects import SmallObjects
from handrail_upload import UploadFilesStep
from handrail_upload.errors import StorageError
from handrail_upload.storage import LocalStorage

AFTER = ["upload_files", "generate_data_units"]
SIZES = {"small": 40, "large": 6 << 20}


@pytest.fixture
def old(scene):
    """A scene in which three of five files are there already, with another content."""
    scene.fill({f"sub/{number}.txt": 40 for number in range(5)})
    for number in range(3):
        scene.place.put(f"sub/{number}.txt", b"old %d" % number)
    return scene


def overwritten(scene):
    return all(
        scene.place.content(f"sub/{number}.txt")
        == (scene.source / f"sub/{number}.txt").read_bytes()
        for number in range(5)
    )


def test_success(old):
    """Without a journal, from which to undo it, nothing that was kept aside is left."""
    count = len(old.place.stamps())
    done = old.upload(if_exists="overwrite")
    assert done.code == 0, done.message
    assert overwritten(old)
    assert len(old.place.stamps()) == count + 2
    assert not [key for key in old.place.objects() if "/aside/" in key]
    assert done.context.results["upload_files"].data["replaced"] == 3
    replaced = done.context.step_results[-1].data["replaced"]
    assert (replaced["files"], replaced["kept"]) == (3, False)


@pytest.mark.parametrize("step", AFTER)
def test_failure_later(old, tools, step):
    """The old ones are back, with all that was known about them."""
    before = old.world()
    seen = []
    edit = tools.failing_after(step, lambda: seen.append(overwritten(old)))
    done = old.upload(edit, if_exists="overwrite")
    assert seen == [True]
    assert done.code == 1, done.error.rollback_errors
    assert old.world() == before


@pytest.mark.parametrize("at", range(5))
def test_failure_within(old, tools, at):
    """Also when the transfer itself stops at any of the files."""
    before = old.world()

    def fail(_key, number):
        if number == at:
            raise RuntimeError("somebody else's strategy failed")

    for hook in ("before", "after"):
        done = old.upload(tools.storing(**{hook: fail}), if_exists="overwrite", transfers=1)
        assert done.code == 1, done.error.rollback_errors
        assert old.world() == before


def test_large_old_objects(scene, tools):
    """An old object that was stored in parts comes back as it was."""
    scene.fill({"large.bin": 11 << 20})
    assert scene.upload(part_size=5 << 20).code == 0
    scene.write("large.bin", b"new")
    before = scene.world()
    edit = tools.failing_after("upload_files")
    assert scene.upload(edit, if_exists="overwrite").code == 1
    assert scene.world() == before


def test_foreign_overwrite_before_the_undo(old, tools):
    """Who has replaced ours meanwhile keeps theirs; the other old ones are back."""
    expected = {**old.place.objects()}

    def replace():
        old.place.put("sub/1.txt", b"somebody else's")

    done = old.upload(tools.failing_after("generate_data_units", replace), if_exists="overwrite")
    assert done.code == 1
    assert old.place.content("sub/1.txt") == b"somebody else's"
    found = old.place.objects()
    key = next(key for key in expected if key.endswith("sub/1.txt"))
    assert {**found, key: None} == {**expected, key: None}


@pytest.mark.parametrize("scene", ["local-sqlite", "moto-postgres"], indirect=True)
def test_foreign_overwrite_before_each_put(old, tools):
    """What somebody writes each time after we had looked is not replaced."""

    def replace(key, number):
        if key == "sub/1.txt":
            old.place.put(key, b"somebody else's %d" % number)

    expected = old.place.objects()
    done = old.upload(tools.storing(before=replace), if_exists="overwrite")
    assert done.code == 1
    assert done.message.startswith("sub/1.txt: somebody else wrote there during the upload")
    assert old.place.content("sub/1.txt").startswith(b"somebody else's")
    key = next(key for key in expected if key.endswith("sub/1.txt"))
    assert {**old.place.objects(), key: None} == {**expected, key: None}


@pytest.mark.parametrize("scene", ["local-sqlite", "moto-postgres"], indirect=True)
def test_foreign_overwrite_before_the_put(old, tools):
    """What somebody wrote after we had looked is what comes back."""
    written = []

    def replace(key, _number):
        if key == "sub/1.txt" and not written:
            written.append(old.place.put(key, b"somebody else's"))

    expected = old.place.objects()
    edit = tools.edits(tools.storing(before=replace), tools.failing_after("upload_files"))
    done = old.upload(edit, if_exists="overwrite")
    assert done.code == 1
    assert done.message == "the step of somebody else failed"
    assert old.place.content("sub/1.txt") == b"somebody else's"
    key = next(key for key in expected if key.endswith("sub/1.txt"))
    assert {**old.place.objects(), key: None} == {**expected, key: None}


def test_deleted_by_somebody_before_the_put(old, tools, monkeypatch):
    """What is gone when it is to be kept aside is stored anew; the undo takes it away."""
    real = UploadFilesStep.execute

    def execute(step, context):
        storage = context.use_storage()
        glance = storage.glance

        def then_delete(keys):
            found = glance(keys)
            old.place.remove("sub/1.txt")
            return found

        monkeypatch.setattr(storage, "glance", then_delete)
        return real(step, context)

    monkeypatch.setattr(UploadFilesStep, "execute", execute)
    expected = old.place.objects()
    key = next(key for key in expected if key.endswith("sub/1.txt"))
    del expected[key]
    done = old.upload(tools.failing_after("upload_files"), if_exists="overwrite")
    assert done.code == 1, (done.message, done.error.rollback_errors)
    assert old.place.objects() == expected


@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
def test_failing_undo_keeps_what_was_kept_aside(old, tools, monkeypatch):
    """Where one cannot be put back, its copy stays, and another undo finishes it."""
    before = old.world()
    put_over = LocalStorage.put_over

    def refuse(storage, name, key, found):
        if key == "sub/1.txt":
            raise StorageError(f"{key}: Input/output error")
        return put_over(storage, name, key, found)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "put_over", refuse)
        done = old.upload(tools.failing_after("upload_files"), if_exists="overwrite")
    assert done.code == 5
    (problem,) = done.error.rollback_errors
    assert "sub/1.txt: Input/output error" in problem.message
    assert list(old.place.path.rglob("aside/**/1.txt"))
    old.rollback(UploadFilesStep(), done.recorded("upload_files"))
    assert old.world()["target"] == before["target"]


@pytest.mark.parametrize("scene", ["radosgw-sqlite"], indirect=True)
def test_refused_undo_keeps_what_was_kept_aside(old, tools):
    """The same where the server refuses to store the old one again."""
    before = old.world()
    edit = tools.failing_after("upload_files", lambda: old.place.refuse("sub/1.txt"))
    done = old.upload(edit, if_exists="overwrite")
    assert done.code == 5
    (problem,) = done.error.rollback_errors
    assert "sub/1.txt" in problem.message
    assert "AccessDenied" in problem.message
    assert [key for key in old.place.objects() if "/aside/" in key]
    old.place.allow_all()
    old.rollback(UploadFilesStep(), done.recorded("upload_files"))
    assert old.world()["target"] == before["target"]


def test_cleanup_that_fails_after_success(old, tools, monkeypatch):
    """When what was kept aside cannot be discarded, the run is completed, with exit code 5."""

    def refuse(files, names):
        raise StorageError(f"deleting {names[0]}: AccessDenied")

    with monkeypatch.context() as patch:
        for kind in (SmallLocalFiles, SmallObjects):
            patch.setattr(kind, "remove_all", refuse)
        done = old.upload(if_exists="overwrite")
    assert done.code == 5
    assert done.outcome == "completed"
    assert overwritten(old)
    assert len(old.catalogue.rows()["handrail_data_file"]) == 5
