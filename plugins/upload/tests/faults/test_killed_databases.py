"""Uploads while PostgreSQL is restarted, its backends are ended, and uploads are killed.

Another reader looks all the time: no row that it sees points at nothing. There are three rounds,
with HANDRAIL_FAULTS=N there are N, and more until as many things were killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from servers.postgres import PostgresServer, running_postgres

psycopg = pytest.importorskip("psycopg")

ROUNDS = int(os.environ.get("HANDRAIL_FAULTS", "3"))
ROWS = "SELECT id, location FROM handrail_data_file"
END_ALL = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name LIKE 'handrail%'
"""


class Reader(threading.Thread):
    """Looks at the rows and the objects, again and again.

    Attributes:
        looks: How often it has looked.
        rows: How many rows it has seen, all looks together.
        dangling: The rows that were there before and after their object was not.
    """

    def __init__(self, scene: Any) -> None:
        super().__init__(daemon=True)
        self.scene = scene
        self._objects = Objects(scene)
        self.looks = self.rows = 0
        self.dangling: list[Any] = []
        self._over = threading.Event()

    def __enter__(self) -> Reader:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(0.05):
            with contextlib.suppress(psycopg.Error):  # The server is away, or there are no tables.
                self._look()

    def _look(self) -> None:
        with self.scene.catalogue.connect() as connection:
            before = set(connection.execute(ROWS))
            there = self._objects.locations()
            after = before & set(connection.execute(ROWS))
        self.looks += 1
        self.rows += len(before)
        self.dangling += [location for _, location in after if location not in there]


class Trouble(threading.Thread):
    """Ends backends at random moments, and maybe restarts the server once, until it is stopped."""

    def __init__(self, server: PostgresServer, dice: random.Random, kills: Counter[str]) -> None:
        super().__init__(daemon=True)
        self.server, self.dice, self.kills = server, dice, kills
        self._restarts = dice.random() < 0.25
        self._over = threading.Event()

    def __enter__(self) -> Trouble:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(self.dice.uniform(0.0, 0.4)):
            if self._restarts:
                self._restarts = False
                self.server.process.stop()
                time.sleep(self.dice.uniform(0.0, 1.0))  # How long it is away.
                self.server.process.start()
                self.kills["restarts"] += 1
                continue
            with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
                self.kills["backends"] += connection.execute(END_ALL).rowcount


class Objects:
    """The bucket of a scene, with one client for all looks; another thread needs its own."""

    def __init__(self, scene: Any) -> None:
        self._bucket = scene.place.name
        self._client = scene.place.server.client()

    def locations(self) -> set[str]:
        """Return the locations of all objects but those of Handrail itself."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
        keys = (found["Key"] for page in pages for found in page.get("Contents", ()))
        return {f"s3://{self._bucket}/{key}" for key in keys if "/.handrail-target/" not in key}


@dataclass
class Trial:
    """Uploads in trouble, one after the other, and what is to be there after each."""

    scene: Any
    server: PostgresServer
    dice: random.Random
    kills: Counter[str] = field(default_factory=Counter[str])
    ends: Counter[str] = field(default_factory=Counter[str])
    kept: dict[str, int] = field(default_factory=dict[str, int])
    journal: str = ""
    said: str = ""

    def round(self, name: str, journal: str) -> None:
        """Upload some files; finish or undo that if it was killed, and maybe undo it then."""
        dice, source, self.journal = self.dice, self.scene.folder / name, journal
        source.mkdir()
        self.kept[name] = dice.randrange(4, 20)
        for file in range(self.kept[name]):
            (source / f"{file:03}.txt").write_text(f"{name} {file}")
        where = (source, f"{self.scene.place.url}/{name}", "--catalogue", self.scene.catalogue.url)
        way = dice.choice(["", "", "resume", "rollback"])
        code = self.command("run", "upload", *where, after="organize_files", kill=bool(way))
        if code == -signal.SIGKILL:
            self.ends[f"killed, {way}"] += 1
            code = self.command(way, self.latest(), *["--yes"] * (way == "rollback"))
        else:
            way = ""
            self.ends["completed"] += 1
        assert code == 0, self.said
        if way != "rollback" and dice.random() < 0.7:
            self.ends["undone"] += 1
            way = "rollback"
            assert self.command("rollback", self.latest(), "--yes") == 0, self.said
        if way == "rollback":
            del self.kept[name]

    def command(self, *words: object, after: str = "", kill: bool = False) -> int:
        """Run a command, in trouble from the line with `after` on; maybe kill it meanwhile."""
        process = self.scene.start(*words, HANDRAIL_JOURNAL=self.journal)
        self.said = ""
        for line in process.stderr:
            self.said += line
            if after in line:
                break
        with Trouble(self.server, self.dice, self.kills):
            if kill:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=self.dice.uniform(0.0, 1.5))
                if process.poll() is None:
                    process.kill()
                    self.kills["uploads"] += 1
            _, err = process.communicate(timeout=200)
        self.said += err
        code: int = process.returncode
        return code

    def latest(self) -> int:
        """Return the number of the latest run."""
        listed = self.scene.command("runs", "--json", HANDRAIL_JOURNAL=self.journal)
        return max(int(row["id"]) for row in json.loads(listed.out)["runs"])

    def check(self) -> None:
        """Compare what is registered and what is stored with what is to be there."""
        with self.scene.catalogue.connect() as connection:
            ((there,),) = connection.execute("SELECT to_regclass('handrail_data_file')")
            rows = [place for _, place in connection.execute(ROWS)] if there else []
        stored = [place for place in Objects(self.scene).locations() if "/others/" not in place]
        for places in (rows, stored):
            assert Counter(place.split("/")[-2] for place in places) == self.kept


@pytest.fixture
def hasty_postgres() -> Iterator[PostgresServer]:
    """A server whose commits survive its own end, but not that of the machine."""
    with running_postgres("-c", "fsync=off") as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("scene", ["radosgw-postgres"], indirect=True)
def test_no_row_ever_points_at_nothing(
    scene: Any, hasty_postgres: PostgresServer, tmp_path: Path
) -> None:
    """Every upload completes, or is finished or undone after it was killed."""
    seed = int(os.environ.get("HANDRAIL_SEED", random.SystemRandom().randrange(10**6)))
    scene.catalogue.url = hasty_postgres.database()
    journals = (str(tmp_path / "runs.db"), hasty_postgres.database())
    trial = Trial(scene, hasty_postgres, random.Random(seed))
    with Reader(scene) as reader:
        for number in count():
            if number >= ROUNDS <= trial.kills.total():  # A fast upload may meet no trouble at all.
                break
            trial.round(f"round-{number:04}", journals[number % 2])
            trial.check()
            assert not reader.dangling
            print(seed, number, trial.kills, trial.ends, reader.looks, reader.rows, flush=True)
