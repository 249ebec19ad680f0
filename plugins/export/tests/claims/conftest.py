"""What the tests of exports that share a target need: runs, and targets of several kinds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import handrail
from handrail import RuntimeContext, step
from handrail.builtin.records.preview import preview_rollback
from handrail.recovery.preparation import look_up, prepare, working_in
from handrail.sqlite import SqliteJournal
from handrail_export import DefaultExportAction
from handrail_export.saving import Saving
from handrail_export.target import open_target

FAIL = {"at": ""}


@step(weight=0.1)
def fail_after(context):
    if FAIL["at"] == "after":
        raise PermissionError("not today")


class Export(DefaultExportAction):
    """An export that may fail when all is saved."""

    def setup_steps(self, registry):
        super().setup_steps(registry)
        registry.insert_after("save_files", fail_after)


@dataclass
class Run:
    """One export with a journal of its own, which stays as it is where it fails."""

    journal: Path
    seen: Any

    def go(self, target: str, *, stop: str = "", **params: Any) -> None:
        """Export; stop in the middle of saving, or after it."""
        FAIL["at"] = stop
        given = {"source": "rows.db", "table": "item", "format": "csv", "target": target, **params}
        action = Export(given, RuntimeContext(logger=self.seen), packs=())
        with closing(SqliteJournal(self.journal)) as journal, pytest.MonkeyPatch.context() as patch:
            if stop == "middle":
                patch.setattr(Saving, "_count", _break)
            try:
                action.run(journal=journal, on_failure="keep")
            except handrail.StepFailedError:
                if not stop:
                    raise
            else:
                assert not stop
            finally:
                FAIL["at"] = ""

    def undo(self) -> str:
        """Roll it back; return what it says."""
        return self._recover(handrail.rollback)

    def resume(self) -> None:
        self._recover(handrail.resume)

    def _recover(self, recover: Any) -> str:
        before = len(self.seen.logged)
        with closing(SqliteJournal(self.journal)) as journal:
            ctx = RuntimeContext(logger=self.seen)
            recover(Export, 1, journal=journal, packs=(), ctx=ctx)
        logged = self.seen.logged[before:]
        return "; ".join(data["summary"] for event, data, _ in logged if event == "undone")

    def preview(self) -> list[str]:
        with closing(SqliteJournal(self.journal)) as journal:
            _, recorded = look_up("rollback", Export, 1, journal)
            with working_in(recorded, None):
                recovery = prepare(Export, recorded, journal, "rollback", packs=())
                return [line for each in preview_rollback(recovery) for line in each.lines or ()]


def _break(*_: object) -> None:
    raise TimeoutError("not today")


@pytest.fixture
def run(here, seen):
    """Make runs, each with a journal of its own unless given that of another one."""
    numbers = iter(range(1, 9))
    return lambda journal=None: Run(journal or here / f"journal-{next(numbers)}.db", seen)


@dataclass
class Target:
    """A target, looked at from outside."""

    url: str

    def put(self, key: str, content: bytes) -> None:
        """Store something as a program that knows nothing of Handrail."""
        store = open_target(self.url)
        if store.local:
            path = Path(self.url, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        else:
            store.create(key, content, "")

    def files(self) -> dict[str, bytes | None]:
        """Return what is there, with what Handrail keeps there for itself."""
        store = open_target(self.url)
        if store.local:
            root = Path(self.url)
            return {
                path.relative_to(root).as_posix(): path.read_bytes()
                for path in root.rglob("*")
                if path.is_file()
            }
        own = {f".handrail-target/{name}": b"" for name, _ in store.small_files.names("")}
        return {**{each.key: store.read(each.key) for each in store.listing()}, **own}

    def data(self) -> dict[str, bytes | None]:
        """Return what is there of exports and others."""
        found = self.files().items()
        return {key: content for key, content in found if not key.startswith(".handrail")}

    def forget_claims(self) -> None:
        """Delete all claims, as somebody who does not know what they are for."""
        files = open_target(self.url).small_files
        files.remove_all([name for name, _ in files.names("")])


@pytest.fixture(params=["folder", "moto", pytest.param("radosgw", marks=pytest.mark.slow)])
def target(request, here, monkeypatch):
    """An empty target."""
    if request.param == "folder":
        (here / "target").mkdir()
        return Target(str(here / "target"))
    server = request.getfixturevalue(request.param)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return Target(f"s3://{server.bucket()}/deep")


@pytest.fixture
def rows(table, here):
    """Set the number of rows of the source."""
    table(0)

    def make(count: int) -> None:
        with closing(sqlite3.connect(here / "rows.db")) as database, database:
            database.execute("DELETE FROM item")
            values = ((n, "abc"[n % 3]) for n in range(count))
            database.executemany("INSERT INTO item (id, kind) VALUES (?, ?)", values)

    return make
