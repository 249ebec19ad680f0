"""Ctrl-C and its like, at any moment: what was done is undone, or is all there."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time

import pytest

SETTLED = 0.6  # Seconds after which a signal counts as another one; nothing waits for them.

FLOW = """
import os, time
from handrail import BaseStep, StepResult
from handrail_upload import DefaultUploadAction


class WaitInUndo(BaseStep):
    name = "wait_in_undo"
    progress_weight = 0.1

    def execute(self, context):
        return StepResult()

    def rollback(self, context, result):
        open("undoing", "w").close()
        deadline = time.monotonic() + 60
        while not os.path.exists("go on") and time.monotonic() < deadline:
            time.sleep(0.01)


class Upload(DefaultUploadAction):
    action_name = "slow"

    def setup_steps(self, registry):
        super().setup_steps(registry)
        registry.insert_before("upload_files", WaitInUndo())
"""


@pytest.fixture
def slow(scene, tools):
    """A function that starts an upload whose undo waits, and waits until some files are there."""
    scene.fill({f"{number:03}.bin": 100_000 for number in range(100)})
    (scene.folder / "flow.py").write_text(FLOW)

    def start(action="upload"):
        began = len(scene.place.stamps())
        process = scene.start(
            *("run", action, scene.source, scene.place.url, "--catalogue", scene.catalogue.url),
            *("--bandwidth", "1MB", "--transfers", 2, "--part-concurrency", 1),
        )
        tools.wait_until(
            lambda: len(scene.place.stamps()) >= began + 5 or process.poll() is not None,
            "the upload of five files",
        )
        return process

    return start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_once(scene, tools, slow, number):
    """One signal stops the transfer, and undoes it."""
    before = scene.world()
    process = slow()
    process.send_signal(number)
    done = tools.ended(process)
    assert done.code == 130, done.err
    assert "upload was interrupted, and rolled back" in done.err
    assert "Traceback" not in done.err
    assert scene.world() == before


@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
def test_a_large_file(scene, tools):
    """In the middle of one large file, too."""
    scene.fill({"large.bin": 50_000_000})
    before = scene.world()
    process = scene.start_upload("--bandwidth", "5MB")

    def is_there():
        return any(path.stat().st_size > 1_000_000 for path in scene.place.path.glob("large*"))

    tools.wait_until(is_there)
    process.send_signal(signal.SIGINT)
    done = tools.ended(process)
    assert done.code == 130, done.err
    assert scene.world() == before


@pytest.mark.parametrize("scene", ["radosgw-sqlite", "moto-postgres"], indirect=True)
def test_parts_of_a_large_file(scene, tools):
    """Parts that were sent already are thrown away."""
    scene.fill({"large.bin": 60_000_000})
    before = scene.world()
    process = scene.start_upload("--bandwidth", "12MB", "--part-size", 6_000_000, "--retries", 0)
    tools.wait_until(lambda: parts_of(scene) > 0 or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    done = tools.ended(process)
    assert done.code == 130, done.err
    assert scene.world() == before


def parts_of(scene):
    """How many uploads in parts are under way; radosgw shows them as objects."""
    return len(scene.place.unfinished()) + sum("2~" in key for key in scene.place.stamps())


@pytest.mark.parametrize("scene", ["local-sqlite", "radosgw-sqlite"], indirect=True)
def test_twice(scene, tools, slow):
    """The second one, within the undo, only warns; the undo goes on to its end."""
    before = scene.world()
    process = slow("flow.py:Upload")
    process.send_signal(signal.SIGINT)
    tools.wait_until((scene.folder / "undoing").exists, "the undo")
    time.sleep(SETTLED)
    process.send_signal(signal.SIGINT)
    time.sleep(SETTLED)
    (scene.folder / "go on").touch()
    done = tools.ended(process)
    assert done.code == 130, done.err
    assert "and rolled back" in done.err
    assert "the undo goes on" in done.err, done.err
    (scene.folder / "go on").unlink()
    (scene.folder / "undoing").unlink()
    shutil.rmtree(scene.folder / "__pycache__", ignore_errors=True)
    assert scene.world() == before


@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
def test_three_times(scene, tools, slow):
    """The third one stops the undo, and what is left is named."""
    before = scene.place.objects()
    process = slow("flow.py:Upload")
    process.send_signal(signal.SIGINT)
    tools.wait_until((scene.folder / "undoing").exists, "the undo")
    for _ in range(2):
        time.sleep(SETTLED)
        process.send_signal(signal.SIGINT)
    done = tools.ended(process)
    assert done.code == 130, done.err
    assert "not undone: wait_in_undo, initialize" in done.err
    assert "Traceback" not in done.err
    # What had been undone before is undone; the list of files stays for whoever looks.
    assert scene.place.objects() == before
    assert list((scene.folder / ".handrail" / "uploads").glob("*.db"))


only_wide = pytest.mark.skipif("HANDRAIL_FAULTS" not in os.environ, reason="it takes minutes")


def reset(scene):
    """Remove what an upload has left that was complete."""
    scene.place.wipe()
    scene.place.put("others/kept.txt", b"somebody else's")
    scene.catalogue.path.unlink(missing_ok=True)
    shutil.rmtree(scene.folder / ".handrail", ignore_errors=True)
    return scene.world()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scene", "count", "times"),
    [("local-sqlite", 1000, 20), pytest.param("radosgw-sqlite", 100, 15, marks=only_wide)],
    indirect=["scene"],
)
def test_random_instants(scene, tools, count, times):
    """Wherever in a run it comes, afterwards there is all or nothing."""
    scene.fill(count)
    began = time.monotonic()
    assert scene.upload_command("--quiet").code == 0
    took = time.monotonic() - began
    before = reset(scene)
    instants = random.Random(20260101)
    undone = 0
    for _ in range(times):
        process = scene.start_upload("--quiet")
        time.sleep(instants.uniform(0.2, 0.9) * took)  # The instant is the test.
        process.send_signal(signal.SIGINT)
        done = tools.ended(process)
        if scene.world() == before:
            undone += 1
            assert done.code != 0
            continue
        # It may also come when all is done, before that is said, or as Python ends.
        after = done.err.strip() == "interrupted"
        told = "nothing was undone" in done.err or "upload completed" in done.out
        assert told or after, done
        files = {key.rpartition("/")[2] for key in scene.place.stamps()}
        assert {path.name for path in scene.source.iterdir()} <= files
        assert not [name for name in files if "tmp" in name or "probe" in name]
        assert len(scene.catalogue.rows()["handrail_data_file"]) == count
        before = reset(scene)
    assert undone >= 3, "the instants are too late"
