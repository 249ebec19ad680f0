"""A catalogue that is down in an undo: nobody ever reads a row that points at nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from handrail_upload.catalogue import reconnecting

# A connection that broke while it was made.
pytestmark = pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")

PLACES = ["local-postgres", "radosgw-postgres"]


# Waits no longer than a second for a server.
IMPATIENT = """
import sys
from handrail.cli import main
from handrail_upload.catalogue import reconnecting

reconnecting.IN_ALL = 1.0
sys.exit(main())
"""


@pytest.fixture
def postgres_url(own_postgres: Any) -> str:
    """A database of a server that the test stops."""
    url: str = own_postgres.database()
    return url


def dangling(scene: Any) -> list[str]:
    """Return the keys of rows under which there is nothing, or something else."""
    with scene.catalogue.connect() as database:
        keys = [key for (key,) in database.execute("SELECT key FROM handrail_data_file").fetchall()]
    there = scene.place.stamps()
    gone = {key for key in keys if key not in there and f"data/{key}" not in there}
    if not gone:
        return []
    with scene.catalogue.connect() as database:  # They may have left it meanwhile.
        keys = [key for (key,) in database.execute("SELECT key FROM handrail_data_file").fetchall()]
    return sorted(gone.intersection(keys))


@pytest.fixture
def reader() -> Iterator[Callable[[Any], list[str]]]:
    """Look at a scene all the time; return a list of the rows that were found to dangle."""
    over, threads = threading.Event(), list[threading.Thread]()

    def read(scene: Any) -> list[str]:
        psycopg, found = pytest.importorskip("psycopg"), list[str]()

        def look() -> None:
            while not over.wait(0.01):
                # It is down, or has no tables any more; or files go while they are listed.
                with suppress(psycopg.Error, OSError):
                    found.extend(dangling(scene))

        threads.append(threading.Thread(target=look))
        threads[-1].start()
        return found

    yield read
    over.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("scene", PLACES, indirect=True)
def test_the_objects_stay_until_the_rows_are_gone(scene, own_postgres, reader):
    """A rollback without the catalogue is exit 5 and deletes none; the next one goes on there."""
    scene.fill(20)
    before = scene.place.stamps()
    assert scene.upload_command().code == 0
    uploaded = scene.place.stamps()
    found = reader(scene)
    own_postgres.process.stop()
    done = subprocess.run(
        [sys.executable, "-c", IMPATIENT, "rollback", "1", "--yes"],
        cwd=scene.folder,
        env=scene.environment(),
        stderr=subprocess.PIPE,
        check=False,
        text=True,
    )
    assert (done.returncode, scene.place.stamps()) == (5, uploaded), done.stderr
    assert "upload_files is undone after generate_data_units" in done.stderr
    own_postgres.process.start()
    assert dangling(scene) == []
    assert len(scene.catalogue.rows()["handrail_data_file"]) == 20
    done = scene.command("rollback", "1", "--yes")
    assert (done.code, scene.place.stamps(), scene.catalogue.rows()) == (0, before, None), done.err
    assert found == []


@pytest.mark.parametrize("scene", ["radosgw-postgres"], indirect=True)
def test_rows_go_before_objects_are_put_back(scene, tools, own_postgres, reader, monkeypatch):
    """Also in a run that fails after it has registered what it has replaced."""
    monkeypatch.setattr(reconnecting, "IN_ALL", 1.0)
    scene.fill(5)
    assert scene.upload().code == 0
    for number in range(8):
        scene.write(f"{number:04}.txt", b"a new one")
    before = scene.place.stamps()
    found = reader(scene)
    edit = tools.failing_after("generate_data_units", own_postgres.process.stop)
    done = scene.upload(edit, if_exists="overwrite")
    assert done.error.held_back == {
        "upload_files": "generate_data_units",
        "initialize": "generate_data_units",
    }
    assert scene.place.stamps().keys() > before.keys()
    own_postgres.process.start()
    assert dangling(scene) == found == []
    assert {row[-1] for row in scene.catalogue.rows()["handrail_data_file"]} == {done.context.run}
