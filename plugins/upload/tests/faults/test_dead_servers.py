"""A server that dies in the middle: the run completes, or is undone, or says what is left."""

from __future__ import annotations

import threading
import time

import pytest

from handrail_upload import InitializeStep, UploadFilesStep

on_its_own = pytest.mark.parametrize("scene", ["own-radosgw-sqlite"], indirect=True)


@pytest.fixture
def restart():
    """A function that starts a server again, a moment later, in a thread."""
    threads = []

    def later(server, seconds=0.3):
        def start():
            time.sleep(seconds)  # How long it is away; nothing waits for it.
            server.start()

        threads.append(threading.Thread(target=start))
        threads[-1].start()

    yield later
    for thread in threads:
        thread.join()


@on_its_own
@pytest.mark.parametrize("at", [0, 7, 29])
def test_killed_and_started_again(scene, tools, restart, at):
    """Small files: the pause is waited out, and the run completes."""
    scene.fill(30)

    def kill(key, number):
        if number == at:
            scene.place.server.kill()
            restart(scene.place.server)

    done = scene.upload(tools.storing(before=kill))
    assert done.code == 0, done.message
    for path in scene.source.iterdir():
        assert scene.place.content(path.name) == path.read_bytes()
    assert len(scene.catalogue.rows()["handrail_data_file"]) == 30


@on_its_own
def test_killed_while_a_large_file_is_sent(scene, tools, restart):
    """Parts: the run completes, or is undone completely; no parts are left."""
    scene.fill({"large.bin": 24 * tools.mib, "small.txt": 10})
    before = scene.world()
    killed = []

    def kill(key, read):
        if key == "large.bin" and read > 12 * tools.mib and not killed:
            killed.append(key)
            scene.place.server.kill()
            restart(scene.place.server)

    done = scene.upload(tools.storing(on_read=kill), part_size=5 * tools.mib, transfers=1)
    assert killed
    assert done.code in (0, 1), done.message
    if done.code == 1:
        assert scene.world() == before
    else:
        assert scene.place.content("large.bin") == (scene.source / "large.bin").read_bytes()
        assert {"data/large.bin", "data/small.txt"} == set(scene.place.stamps()) - {
            "data/others/kept.txt"
        }


@on_its_own
def test_killed_and_started_again_within_the_undo(scene, tools, restart):
    """The undo waits a pause out as well."""
    scene.fill(30)
    before = scene.world()

    def kill():
        scene.place.server.kill()
        restart(scene.place.server)

    done = scene.upload(tools.failing_after("generate_data_units", kill))
    assert done.code == 1, done.error.rollback_errors
    assert scene.world() == before


@on_its_own
def test_staying_dead(scene, tools):
    """It is said soon, with exit code 5; with the server back, the rest can be undone."""
    scene.fill(30)
    before = scene.world()

    def kill(key, number):
        if number == 12:
            scene.place.server.kill()

    began = time.monotonic()
    done = scene.upload(tools.storing(before=kill), retries=1)
    took = time.monotonic() - began
    assert done.code == 5
    assert " cannot be reached: connection refused" in done.message
    assert "tried 2 times" in done.message
    assert "\n" not in done.message
    assert {each.step for each in done.error.rollback_errors} <= {"upload_files", "initialize"}
    for each in done.error.rollback_errors:
        assert " cannot be reached: connection refused" in each.message
        assert "\n" not in each.message
    assert scene.catalogue.rows() == before["catalogue"]
    # One retry was asked for; the undo may try harder, yet nobody shall wait for minutes.
    assert took < 60
    scene.place.server.start()
    scene.rollback(UploadFilesStep(), done.recorded("upload_files"))
    scene.rollback(InitializeStep(), done.recorded("initialize"))
    assert scene.world() == before


@on_its_own
def test_dead_from_the_start(scene):
    """A server that never answers is named before anything is made."""
    scene.fill(3)
    before = scene.world()
    scene.place.server.kill()
    began = time.monotonic()
    done = scene.upload_command()
    took = time.monotonic() - began
    assert done.code == 1
    assert " cannot be reached: connection refused" in done.error
    assert scene.place.url in done.error
    assert took < 30
    scene.place.server.start()
    assert scene.world() == before
