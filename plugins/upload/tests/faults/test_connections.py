"""A catalogue whose server goes away and comes back costs nothing but time."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading

import pytest

from handrail import RuntimeContext
from handrail_upload import InitializeStep
from handrail_upload.catalogue import reconnecting

on_postgres = pytest.mark.parametrize("scene", ["local-postgres"], indirect=True)
EVERY = 3  # One in so many answers is lost; what is done again gets its answer.
TABLES = ("handrail_collection", "handrail_data_unit", "handrail_data_file")


@pytest.fixture
def cut_scene(scene, cutting_line):
    """A scene whose catalogue is reached by a line that can break."""
    scene.catalogue.url = cutting_line.url(scene.catalogue.url)
    return scene


@pytest.fixture
def statuses(monkeypatch):
    """What the steps wait for is added to this list."""
    told = []
    monkeypatch.setattr(
        RuntimeContext, "set_status", lambda _self, status: told.append(status), raising=False
    )
    return told


def rows_of(scene):
    """Return what is registered, without times and ids."""
    rows = scene.catalogue.rows() or {}
    return {name: len(rows.get(name, ())) for name in TABLES}


@on_postgres
@pytest.mark.parametrize("first", range(EVERY))
def test_each_answer_to_a_commit_may_be_lost(cut_scene, cutting_line, first):
    """What was committed all the same is not done twice, and counted once."""
    cutting_line.cuts = lambda number: number % EVERY == first
    cut_scene.fill(5)
    done = cut_scene.upload()
    assert done.code == 0, done.message
    assert done.context.results["generate_data_units"].data["added"] == 5
    assert cutting_line.broken >= 3
    assert rows_of(cut_scene) == dict(zip(TABLES, (1, 5, 5), strict=True))


@on_postgres
def test_a_connection_that_is_idle_for_too_long_is_made_again(scene, tools):
    """While files are sent."""
    url = scene.catalogue.url
    scene.catalogue.url = (
        f"{url}{'&' if '?' in url else '?'}options=-c%20idle_session_timeout%3D100"
    )
    scene.fill(2)
    done = scene.upload(tools.storing(after=lambda key, number: threading.Event().wait(0.4)))
    assert done.code == 0, done.message
    assert rows_of(scene) == dict(zip(TABLES, (1, 2, 2), strict=True))


@on_postgres
@pytest.mark.parametrize("first", range(EVERY))
def test_each_answer_may_be_lost_within_an_undo(cut_scene, cutting_line, tools, first):
    """All is as it was."""
    cut_scene.fill(3)
    assert cut_scene.upload().code == 0
    cut_scene.fill(6)
    before, done_before = cut_scene.world(), cutting_line.broken

    def begin():
        cutting_line.cuts = lambda number: number % EVERY == first

    done = cut_scene.upload(tools.failing_after("generate_data_units", begin))
    cutting_line.cuts = lambda number: False
    assert done.code == 1, done.error.rollback_errors
    assert cutting_line.broken > done_before
    assert cut_scene.world() == before


@on_postgres
def test_an_upload_makes_one_connection_once_it_has_its_tables(cut_scene, cutting_line):
    """Where nothing breaks, nothing is made again."""
    cut_scene.fill(3)
    assert cut_scene.upload().code == 0
    cut_scene.fill(6)
    made, committed = cutting_line.connections, cutting_line.commits
    assert cut_scene.upload().code == 0
    assert cutting_line.connections - made == 1
    assert cutting_line.commits - committed <= 40


@pytest.fixture
def own_scene(scene, own_postgres):
    """A scene whose catalogue has a server of its own."""
    scene.catalogue.url = own_postgres.database()
    return scene


@pytest.mark.slow
@on_postgres
def test_a_restart_is_waited_for(own_scene, own_postgres, tools):
    """While files are sent, and still when they are registered."""
    own_scene.fill(5)
    server = own_postgres.process
    starting = threading.Timer(1.0, server.start)

    def stop():
        server.stop()
        starting.start()

    done = own_scene.upload(tools.storing(after=lambda key, number: number or stop()))
    starting.join()
    assert done.code == 0, (done.message, done.error.rollback_errors)
    assert rows_of(own_scene) == dict(zip(TABLES, (1, 5, 5), strict=True))


@pytest.mark.slow
@on_postgres
def test_the_undo_of_another_process_waits_for_a_restart_too(own_scene, own_postgres):
    """That has never connected to it, but the run had."""
    own_scene.fill(3)
    assert own_scene.upload_command().code == 0
    own_postgres.process.stop()
    starting = threading.Timer(4.0, own_postgres.process.start)
    starting.start()
    done = own_scene.command("rollback", "1", "--yes")
    starting.join()
    assert (done.code, own_scene.catalogue.rows()) == (0, None), done.err


@pytest.mark.slow
@on_postgres
def test_a_server_that_stays_away_is_told_once_and_the_way_back_is_open(
    own_scene, own_postgres, tools, monkeypatch
):
    """It is waited for once, not again by each undo; the next rollback finds all."""
    monkeypatch.setattr(reconnecting, "IN_ALL", 1.0)
    own_scene.fill(5)

    def stop(*_about):
        own_postgres.process.stop()

    done = own_scene.upload(tools.failing_after("upload_files", stop))
    assert done.code == 5
    waited, *others = [each.message for each in done.error.rollback_errors]
    assert "no answer for" in waited
    assert others
    assert not any("no answer for" in each for each in others)
    own_postgres.process.start()
    own_scene.rollback(InitializeStep(), done.recorded("initialize"))
    assert own_scene.catalogue.rows() is None


@pytest.mark.slow
@on_postgres
def test_ctrl_c_ends_the_wait(own_scene, own_postgres, tools):
    """At once, though the server is away for good."""
    own_scene.fill(5)
    assert own_scene.upload_command().code == 0
    own_scene.fill(2000)
    process = own_scene.start_upload()
    for line in process.stderr:
        if "upload_files" in line:
            break
    own_postgres.process.stop()
    for line in process.stderr:
        if "cannot be reached" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode in (130, 5)


IMPATIENT = """
import runpy, sys
from handrail_postgres import reconnecting

reconnecting.IN_ALL = 1.0
sys.argv[0] = "handrail"
runpy.run_module("handrail", run_name="__main__")
"""


@pytest.mark.slow
@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_the_way_out_of_a_lost_journal_can_be_gone(scene, own_postgres, way):
    """The journal is away for longer than it is waited for: the command that is printed works."""
    scene.fill(2000)
    before = scene.world()
    journal = own_postgres.database()
    where = (scene.source, scene.place.url, "--catalogue", scene.catalogue.url)
    process = subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, "run", "upload", *map(str, where)],
        cwd=scene.folder,
        env=scene.environment(HANDRAIL_JOURNAL=journal),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    scene.started.append(process)
    for line in process.stderr:
        if "upload_files" in line:
            break
    own_postgres.process.stop()
    _, said = process.communicate(timeout=100)
    assert process.returncode == 7
    assert "no answer for" in said
    (number,) = re.findall(rf"handrail {way} (\d+)", said)
    own_postgres.process.start()
    done = scene.command(way, number, HANDRAIL_JOURNAL=journal)
    assert done.code == 0, done.err
    if way == "rollback":
        assert scene.world() == before
    else:
        assert rows_of(scene) == dict(zip(TABLES, (1, 2000, 2000), strict=True))
        assert len(scene.place.objects()) - len(before["target"]) >= 2000
