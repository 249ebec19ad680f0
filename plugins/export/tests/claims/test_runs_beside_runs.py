"""Exports with one target: no undo takes what another run relies on, and all leave nothing."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import handrail
from handrail import RuntimeContext, step
from handrail.cli import main
from handrail.journal.sqlite import SqliteJournal
from handrail.recovery.invocation import working_in
from handrail.recovery.prepare import look_up, prepare
from handrail.recovery.preview import preview_rollback
from handrail_export import DefaultExportAction, claiming
from handrail_export.manifest import Manifest
from handrail_export.saving import Saving
from handrail_export.target import open_target
from handrail_storage.claims import Clock

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
            with working_in(recorded.row, None):
                recovery = prepare(Export, recorded, journal, "rollback", packs=())
                return [line for each in preview_rollback(recovery) for line in each.lines or ()]


def _break(*_: object) -> None:
    raise TimeoutError("not today")


@pytest.fixture
def run(here, seen):
    """Make runs, each with a journal of its own."""
    numbers = iter(range(1, 9))
    return lambda: Run(here / f"journal-{next(numbers)}.db", seen)


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


@pytest.fixture(params=["folder", "moto"])
def target(request, here, monkeypatch):
    """An empty target."""
    if request.param == "folder":
        (here / "target").mkdir()
        return Target(str(here / "target"))
    server = request.getfixturevalue("moto")
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


OVER = {"if_exists": "overwrite"}
ORDERS = pytest.mark.parametrize("order", [(0, 1), (1, 0)])


@ORDERS
def test_an_export_over_another_and_both_undone(run, target, rows, order):
    """In either order nothing is left: nobody puts back what nobody relies on any more."""
    runs = run(), run()
    file = f"{target.url}/out.csv"
    rows(1)
    runs[0].go(file)
    first = target.data()["out.csv"]
    rows(2)
    runs[1].go(file, stop="after", **OVER)
    second = target.data()["out.csv"]
    assert second != first
    runs[order[0]].undo()
    assert target.data() == {"out.csv": second if order[0] == 0 else first}
    runs[order[1]].undo()
    assert target.files() == {}


@ORDERS
@pytest.mark.parametrize("shape", ["file", "folder"])
def test_two_exports_over_what_somebody_else_has_and_both_undone(run, target, rows, order, shape):
    """What was there before is back, also where the first of them is undone first."""
    runs = run(), run()
    path = target.url if shape == "folder" else f"{target.url}/out.csv"
    key = "data.csv" if shape == "folder" else "out.csv"
    target.put(key, b"mine")
    for number, each in enumerate(runs, 1):
        rows(number)
        each.go(path, stop="after", **OVER)
    runs[order[0]].undo()
    assert target.data()[key] != b"mine"
    runs[order[1]].undo()
    assert target.files() == {key: b"mine"}


def test_an_export_that_was_replaced_for_good_is_undone(run, target, rows):
    """It has nothing left at the target, and does not touch what has taken its place."""
    first, second = run(), run()
    file = f"{target.url}/out.csv"
    target.put("out.csv", b"mine")
    rows(1)
    first.go(file, stop="after", **OVER)
    rows(2)
    second.go(file, **OVER)
    before = target.data()
    first.undo()
    assert target.data() == before
    assert not [key for key in target.files() if "/aside/" in key]


def test_an_equal_export_relies_on_what_is_there(run, target, rows):
    """It is left by the undo of the run that made it, and taken by that of the last one."""
    first, second, third = run(), run(), run()
    file = f"{target.url}/out.csv"
    rows(3)
    first.go(file)
    before = target.data()
    second.go(file, **OVER)
    third.go(file, **OVER)
    assert target.data() == before
    told = first.undo()
    assert told.startswith("1 stays: run 1 on ")
    assert told.endswith(" relies on it")
    assert target.data() == before
    second.undo()
    assert target.data() == before
    assert third.undo() == "1 file deleted"
    assert target.files() == {}


def test_the_preview_says_what_stays_and_for_whom(run, target, rows):
    """Before anything is undone, and nothing is changed by it."""
    first, second = run(), run()
    file = f"{target.url}/out.csv"
    rows(3)
    first.go(file)
    assert any(": 1 file deleted (" in line for line in first.preview())
    second.go(file, **OVER)
    before = target.files()
    (line,) = [each for each in first.preview() if each.startswith("at ")]
    assert ": 1 stays: run 1 on " in line
    assert target.files() == before


def test_equal_exports_run_side_by_side(run, target, rows):
    """One that was killed is in nobody's way where the other wants the same bytes."""
    first, second = run(), run()
    file = f"{target.url}/out.csv"
    rows(3)
    first.go(file, stop="middle")
    before = target.data()
    second.go(file, **OVER)
    assert first.undo().startswith("1 stays: run 1 on ")
    assert target.data() == before
    second.undo()
    assert target.files() == {}


@pytest.mark.parametrize("shape", ["file", "folder"])
def test_an_export_in_the_way_is_named(run, target, rows, shape):
    """With its machine, its journal and the command that finishes it; exit code 3, no effects."""
    first, second = run(), run()
    path = target.url if shape == "folder" else f"{target.url}/out.csv"
    rows(1)
    first.go(path, stop="middle")
    before = target.files()
    rows(2)
    with pytest.raises(handrail.StepFailedError) as raised:
        second.go(path, **OVER)
    cause = raised.value.__cause__
    assert isinstance(cause, handrail.HandrailError)
    assert "run 1 on " in cause.message
    assert str(first.journal) in cause.message
    ways = "\n".join(cause.ways_out)
    assert f"handrail resume 1 --journal {first.journal}" in ways
    assert "--claim-wait 10m" in ways
    assert f"handrail claims {target.url}" in ways
    assert cause.exit_code == 3
    with closing(SqliteJournal(second.journal)) as journal:
        assert journal.read(1).row.outcome in ("failed", "rolled_back")
    second.undo()
    assert target.files() == before
    first.resume()
    first.undo()
    assert target.files() == {}


def test_an_export_waits_for_the_one_in_the_way(run, target, rows, seen):
    """With --claim-wait it goes on as soon as the other one is gone."""
    first, second = run(), run()
    rows(1)
    first.go(target.url, stop="middle")
    rows(2)
    usual = seen.log

    def log(event: str, *given: Any) -> None:
        usual(event, *given)
        if event == "waiting" and "undone" not in [each[0] for each in seen.logged]:
            first.undo()

    seen.log = log
    second.go(target.url, claim_wait="10m")
    assert "waiting" in [event for event, _, _ in seen.logged]
    assert set(target.data()) == {"data.csv", "manifest.json"}


def test_an_undo_does_not_go_on_where_another_export_works(run, target, rows, monkeypatch):
    """It names that run, and undoes nothing; once that is over, it does."""
    first, second = run(), run()
    file = f"{target.url}/out.csv"
    rows(3)
    first.go(file)
    second.go(file, stop="middle", **OVER)
    before = target.data()
    monkeypatch.setattr("handrail_export.claiming.CLOCK", Clock(undoing=0.0))
    with pytest.raises(handrail.HandrailError, match=r"run 1 on .* is working on the same keys"):
        first.undo()
    assert target.data() == before
    second.resume()
    first.undo()
    assert target.data() == before
    second.undo()
    assert target.files() == {}


def test_a_run_whose_claim_is_gone_deletes_nothing(run, target, rows):
    """Nothing says any more what is its own; and it says so."""
    first = run()
    rows(1)
    first.go(f"{target.url}/out.csv")
    _remove_claims(target)
    before = target.files()
    assert "nothing there is deleted" in " ".join(first.preview())
    assert "has no claim at" in first.undo()
    assert target.files() == before


def test_a_resume_whose_claim_is_gone_stops(run, target, rows):
    """It ends with 5, and what is there stays."""
    first = run()
    rows(1)
    first.go(f"{target.url}/out.csv", stop="middle")
    _remove_claims(target)
    before = target.data()
    with pytest.raises(handrail.HandrailError) as raised:
        first.resume()
    error: Any = raised.value.__cause__ or raised.value
    assert "the claim of this run" in error.message
    assert error.exit_code == 5
    assert target.data() == before


def _remove_claims(target: Target) -> None:
    files = open_target(target.url).small_files
    files.remove_all([name for name, _ in files.names("")])


def test_what_is_replaced_on_the_way_to_holding_is_not_done_again(run, target, rows):
    """A run that was killed when all was saved does not write over what has replaced it since."""
    first, second = run(), run()
    rows(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("handrail_export.manifest.Manifest.keep", _keep_then_break())
        first.go(target.url, stop="after", **OVER)
    rows(2)
    second.go(target.url, **OVER)
    before = target.data()
    first.resume()
    assert target.data() == before


def _keep_then_break() -> Any:
    usual, calls = Manifest.keep, []

    def keep(self: Manifest) -> None:
        usual(self)
        calls.append(1)
        if len(calls) == 3:
            raise TimeoutError("not today")

    return keep


PARTS = {"partition_by": ["kind"]}


def test_files_that_an_export_lacks_go_and_come_back(run, target, rows):
    """Those of the older export that it replaces, to the byte, and in either order of undos."""
    first, second = run(), run()
    rows(3)
    first.go(target.url, **PARTS)
    before = target.data()
    rows(2)
    second.go(target.url, stop="after", **PARTS, **OVER)
    second.undo()
    assert target.data() == before
    first.undo()
    assert target.files() == {}


def test_both_are_undone_and_no_file_of_either_is_left(run, target, rows):
    """Also of those that only the first one had."""
    first, second = run(), run()
    rows(3)
    first.go(target.url, **PARTS)
    rows(2)
    second.go(target.url, stop="after", **PARTS, **OVER)
    first.undo()
    second.undo()
    assert target.files() == {}


def test_files_that_a_completed_export_lacks_are_gone(run, target, rows):
    first, second = run(), run()
    rows(3)
    first.go(target.url, **PARTS)
    rows(2)
    second.go(target.url, **PARTS, **OVER)
    assert set(target.data()) == {"kind=a/data_0.csv", "kind=b/data_0.csv", "manifest.json"}
    assert not [key for key in target.files() if "/aside/" in key]


def test_another_run_may_want_a_file_that_is_to_go(run, target, rows):
    """While the run that retires it can be undone: both are, and what was there before is back."""
    first, second = run(), run()
    older = {"files": [{"path": "old.csv", "size": 4, "sha256": ""}]}
    target.put("old.csv", b"mine")
    target.put("manifest.json", json.dumps(older).encode())
    before = target.data()
    rows(1)
    first.go(target.url, stop="after", **OVER)
    second.go(f"{target.url}/old.csv", stop="after", **OVER)
    first.undo()
    assert target.data()["old.csv"].startswith(b"id,")
    assert {**target.data(), "old.csv": b"mine"} == before
    second.undo()
    assert target.files() == before


def test_a_manifest_that_names_the_claims_of_others_retires_nothing(run, target, rows):
    first, second = run(), run()
    rows(1)
    first.go(f"{target.url}/other.csv")
    state = next(key for key in target.files() if key.endswith("/state"))
    older = {"files": [{"path": state, "size": 4, "sha256": ""}]}
    target.put("manifest.json", json.dumps(older).encode())
    second.go(target.url, **OVER)
    assert state in target.files()
    first.undo()
    assert set(target.data()) == {"data.csv", "manifest.json"}


def test_an_export_that_is_completed_just_before_the_claim_is_not_half_replaced(
    run, target, rows, monkeypatch
):
    """Its files were not known when the claim was asked for, so the run stops."""
    first, second = run(), run()
    rows(2)
    usual = claiming._list_retired

    def list_then_export(context: Any) -> None:
        monkeypatch.setattr("handrail_export.claiming._list_retired", usual)
        usual(context)
        rows(3)
        first.go(target.url, **PARTS)

    monkeypatch.setattr("handrail_export.claiming._list_retired", list_then_export)
    with pytest.raises(handrail.StepFailedError, match="another export was completed"):
        second.go(target.url, **OVER)
    second.undo()
    assert "kind=c/data_0.csv" in target.data()
    first.undo()
    assert target.files() == {}


def test_an_export_that_was_refused_says_that_it_had_saved_nothing(run, target, rows):
    """What is in its way is not counted as something that it leaves alone."""
    first = run()
    rows(1)
    target.put("data.csv", b"mine")
    with pytest.raises(handrail.StepFailedError, match=r"data\.csv is already at"):
        first.go(target.url)
    assert first.undo() == "nothing had been saved"
    assert target.files() == {"data.csv": b"mine"}


def test_runs_that_are_relied_on_are_recorded(run, target, rows):
    """So `handrail runs` and `show` can mark them."""
    first = run()
    second = Run(first.journal, first.seen)
    file = f"{target.url}/out.csv"
    rows(3)
    first.go(file)
    second.go(file, **OVER)
    with closing(SqliteJournal(first.journal)) as journal:
        assert journal.reliance([2])[2].relies_on == (1,)


def test_a_run_that_its_journal_forgets_still_relies_on_what_it_has_exported(
    run, target, rows, monkeypatch
):
    """The undo of the run that made it leaves it, also when no claim of a run is left."""
    first, second = run(), run()
    file = f"{target.url}/out.csv"
    rows(3)
    first.go(file)
    second.go(file, **OVER)
    before = target.data()
    monkeypatch.setenv("HANDRAIL_JOURNAL", str(second.journal))
    monkeypatch.setenv("HANDRAIL_ONLY_PACKS", "handrail-storage")
    assert main(["runs", "prune", "--older-than", "0s"]) == 0
    first.undo()
    assert target.data() == before
    assert not [key for key in target.files() if key.endswith("/state")]
