"""Worlds for a workflow of twenty steps, and the processes that run it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("killing.trial")

from killing.asking import Ask, asking  # noqa: E402
from killing.memory import folder_in_memory  # noqa: E402
from killing.trial import Trial  # noqa: E402 - it is rewritten first

HERE = Path(__file__).parent
WIDE = "HANDRAIL_FAULTS" in os.environ


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all of them: they are about no version of anything."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("slow")


class Servers:
    """Where rows and objects are: SQLite and moto, or PostgreSQL and radosgw."""

    def __init__(self, kind: str, request: pytest.FixtureRequest) -> None:
        self.kind = kind
        s3 = request.getfixturevalue("radosgw" if kind == "servers" else "moto")
        self.bucket, self.environment = s3.bucket(), s3.environment()
        self.postgres: Any = None
        if kind == "servers":
            self.postgres = request.getfixturevalue("postgres").database()
        self.count = 0

    def rows(self, folder: Path) -> str:
        """Return where the rows of the next trial are."""
        return str(folder / "rows.db") if self.postgres is None else self._schema()

    def journal(self) -> str | None:
        """Return where the journal of the next trial is: every other one is in PostgreSQL."""
        return self._schema() if self.postgres is not None and self.count % 3 == 1 else None

    def _schema(self) -> str:
        import psycopg

        self.count += 1
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA world_{self.count}")
        return f"{self.postgres}?options=-csearch_path%3Dworld_{self.count}"


@pytest.fixture(scope="session", params=["files", *(["servers"] if WIDE else [])])
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """In CI SQLite and moto; in the wide sweep PostgreSQL and radosgw as well."""
    made = Servers(request.param, request)
    with pytest.MonkeyPatch.context() as environment:
        for name, value in made.environment.items():
            environment.setenv(name, value)
        from killing.effects import client

        client.cache_clear()
        yield made


@pytest.fixture(scope="session")
def worker(servers: Servers) -> Iterator[Ask]:
    """Run the command line in a process of its own; see worker.py."""
    with asking(HERE / "worker.py", servers.environment) as ask:
        yield ask


@pytest.fixture(scope="session")
def quick() -> Iterator[Path]:
    """A folder in memory, where there is one: no test here is about a disk."""
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture(scope="session")
def make_trial(quick: Path, servers: Servers, worker: Ask) -> Callable[..., Trial]:
    """Make a world as new."""

    def make(**more: Any) -> Trial:
        folder = Path(tempfile.mkdtemp(dir=quick))
        where = {"rows": servers.rows(folder), "journal": servers.journal()}
        return Trial(folder=folder, bucket=servers.bucket, worker=worker, **where, **more)

    return make


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A run that nobody kills.

    Attributes:
        world: What it leaves.
        writes: How often it writes to its journal.
        took: Seconds, as long as nothing else has to be done.
    """

    world: dict[str, Any]
    writes: int
    took: float


@pytest.fixture(scope="session")
def reference(make_trial: Callable[..., Trial]) -> Reference:
    """The first one only lets the worker import what is needed."""
    assert make_trial().run(warm=True)["code"] == 0
    trial = make_trial()
    began = time.monotonic()
    answer = trial.run()
    took = time.monotonic() - began
    assert answer["code"] == 0, answer["said"]
    return Reference(world=trial.world(), writes=answer["writes"], took=took)
