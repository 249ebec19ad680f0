"""The undo of each step, from any part of what it has recorded, also in another process."""

from __future__ import annotations

import contextlib
import itertools
import os

import pytest

from handrail_storage.backend.small import SmallLocalFiles
from handrail_storage.backend.small_objects import SmallObjects
from handrail_upload import GenerateDataUnitsStep, InitializeStep, UploadFilesStep
from handrail_upload.errors import StorageError
from handrail_upload.storage import LocalStorage
from handrail_upload.storage.objects import ObjectStorage

STEPS = {
    "initialize": InitializeStep,
    "upload_files": UploadFilesStep,
    "generate_data_units": GenerateDataUnitsStep,
}


class RecordedError(Exception):
    """Raised when enough was recorded."""


def stopping_at(name, most, records):
    """Return an edit: the step raises when it has recorded `most` times, before that effect."""
    step = STEPS[name]

    class Stopping(step):
        def execute(self, context):
            real = context.record_rollback_many

            def record_many(key, values):
                values = list(values)
                records.append((key, values))
                real(key, values)
                if len(records) > most:
                    raise RecordedError

            kind = type(context)
            one = property(lambda self: lambda key, value: record_many(key, [value]))
            many = property(lambda self: record_many)
            spy = type(
                kind.__name__, (kind,), {"record_rollback": one, "record_rollback_many": many}
            )
            context.__class__ = spy
            try:
                return super().execute(context)
            finally:
                context.__class__ = kind

    return lambda registry: registry.replace(name, Stopping())


def fill(scene):
    """Files that are new, unchanged and replaced, in folders that are there or not."""
    scene.fill({f"new/deep/{number}.txt": 30 for number in range(4)})
    scene.fill({"same.txt": b"the same", "sub/old.txt": 40, "large.bin": 6 << 20})
    scene.place.put("same.txt", b"the same")
    scene.place.put("sub/old.txt", b"old")


OPTIONS = {"if_exists": "overwrite", "part_size": 5 << 20, "folder": "state/of/uploads"}


@pytest.mark.parametrize("name", STEPS)
def test_every_prefix_of_what_was_recorded(scene, name):
    """After each record the step stops before the effect: the world is as before."""
    fill(scene)
    before = scene.world()
    most = 0
    while True:
        records = []
        done = scene.upload(stopping_at(name, most, records), **OPTIONS)
        if done.code == 0:
            break
        assert isinstance(done.error.__cause__, RecordedError), done.message
        assert done.code == 1, done.error.rollback_errors
        assert scene.world() == before, records
        most += 1
    assert most == len(records) >= {"initialize": 6, "upload_files": 3}.get(name, 1)


def test_part_of_the_effects(scene, tools):
    """The last record is of many files, of which only some were made: those go, and no others."""
    fill(scene)
    before = scene.world()
    for at in range(6):

        def fail(_key, number, at=at):
            if number == at:
                raise RecordedError

        done = scene.upload(tools.storing(after=fail), transfers=1, **OPTIONS)
        assert done.code == 1
        assert scene.world() == before


def upload_without_undo(scene, monkeypatch, edit=lambda registry: None):
    """Upload and fail at the end, without undo: what is left is that of a dead process."""
    with monkeypatch.context() as patch:
        for step in STEPS.values():
            patch.setattr(step, "rollback", lambda self, context, result: None)
        done = scene.upload(edit, **OPTIONS)
    assert done.code == 1, done.message
    return done


@pytest.mark.parametrize("times", [1, 2])
def test_in_another_process(scene, tools, monkeypatch, times):
    """Params and what was recorded, as JSON, are enough; twice is harmless."""
    fill(scene)
    before = scene.world()
    done = upload_without_undo(scene, monkeypatch, tools.failing_after("generate_data_units"))
    assert scene.world() != before
    for _ in range(times):
        for name in reversed(STEPS):
            for _ in range(times):
                scene.rollback(STEPS[name](), done.recorded(name), **OPTIONS)
    assert scene.world() == before


def test_undo_again_after_somebody_came(scene, tools, monkeypatch):
    """A second undo, much later, takes nothing of whoever has used the keys since."""
    fill(scene)
    done = upload_without_undo(scene, monkeypatch, tools.failing_after("generate_data_units"))
    for name in reversed(STEPS):
        scene.rollback(STEPS[name](), done.recorded(name), **OPTIONS)
    assert scene.upload(**OPTIONS).code == 0
    between = scene.world()
    for name in reversed(STEPS):
        scene.rollback(STEPS[name](), done.recorded(name), **OPTIONS)
    assert scene.world() == between


CALLS = ("look_up", "delete_found", "put_over", "abort_unfinished", "leave_folders", "withdraw")
FILES = ("get", "swap", "remove", "remove_all")


def breaking_off(patch, at, error, *, after):
    """Let the storage raise at one call of an undo, before or after its effect; count the calls."""
    count = itertools.count()
    calls = []

    def broken(real):
        def call(*arguments, **options):
            number = next(count)
            calls.append(number)
            answer = real(*arguments, **options) if after or number != at else None
            if number == at:
                raise error
            return answer

        return call

    for kinds, names in (
        ((LocalStorage, ObjectStorage), CALLS),
        ((SmallLocalFiles, SmallObjects), FILES),
    ):
        for kind, name in itertools.product(kinds, names):
            patch.setattr(kind, name, broken(getattr(kind, name)))
    return calls


only_wide = pytest.mark.skipif("HANDRAIL_FAULTS" not in os.environ, reason="it takes minutes")


@pytest.mark.parametrize(
    "scene", ["local-sqlite", pytest.param("moto-sqlite", marks=only_wide)], indirect=True
)
@pytest.mark.parametrize("recorded", ["what was made", "what was to be made"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), StorageError("EIO")], ids=["stop", "fail"])
def test_undo_broken_off(scene, tools, monkeypatch, recorded, after, error):
    """Wherever an undo stops, another one finishes it."""
    scene.fill({"new/a.txt": 30, "new/b.txt": 30, "sub/old.txt": 40})
    scene.place.put("sub/old.txt", b"old")
    before = scene.world()

    def fail(_key, number):
        if number == 2:
            raise RecordedError

    for at in itertools.count():
        edit = tools.failing_after("upload_files")
        if recorded == "what was to be made":
            edit = tools.storing(after=fail)
        done = upload_without_undo(scene, monkeypatch, edit)
        data = done.recorded("upload_files")
        with monkeypatch.context() as patch:
            calls = breaking_off(patch, at, error, after=after)
            with contextlib.suppress(KeyboardInterrupt, StorageError):
                scene.rollback(UploadFilesStep(), data, **OPTIONS)
        scene.rollback(UploadFilesStep(), data, **OPTIONS)
        scene.rollback(InitializeStep(), done.recorded("initialize"), **OPTIONS)
        assert scene.world() == before, at
        if at not in calls:
            break
    assert at > 5


@pytest.mark.parametrize("name", STEPS)
def test_nothing_recorded(scene, name):
    """A step that had recorded nothing yet has nothing to undo."""
    fill(scene)
    before = scene.world()
    scene.rollback(STEPS[name](), {}, **OPTIONS)
    assert scene.world() == before
