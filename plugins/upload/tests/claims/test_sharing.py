"""Runs that share a target: an undo never takes what another run relies on."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from handrail.cli import main
from handrail.errors import HandrailError, StepFailedError
from handrail_storage.claims import Claimant, ClaimMissingError, ClaimRefusedError, Claims, Clock
from handrail_upload.catalogue import open_catalogue
from handrail_upload.storage import open_storage

HOST = socket.gethostname()


def cause_of(error: BaseException) -> HandrailError:
    cause = error.__cause__ or error
    assert isinstance(cause, HandrailError)
    return cause


def named(person: Any) -> str:
    """The run of somebody as another one with the same number, on the same machine, names it."""
    return f"run 1 on {HOST} (user {getpass.getuser()}, journal {os.path.realpath(person.journal)})"


def test_the_undo_of_one_upload_leaves_what_a_completed_one_relies_on(
    shared: Any, two: Any
) -> None:
    """Whoever uploads the same files finds them there after the first upload was undone."""
    ann, ben = two
    before = shared.everything()
    ann.upload()
    assert ben.upload()["uploaded_files"] == 0
    files = shared.files()
    assert ann.rollback() == (
        f"12 units taken out of {ann.folder}/catalogue.db\n12 stay: {named(ben)} relies on them"
    )
    assert shared.files() == files
    assert ben.row().outcome == "completed"
    assert len(ben.catalogue.rows()["handrail_data_file"]) == 12
    assert "12 objects deleted" in ben.rollback()
    assert shared.everything() == before


def test_the_undo_of_the_later_upload_leaves_the_first(shared: Any, two: Any) -> None:
    """What a run has found is not its own to delete while the run that made it relies on it."""
    ann, ben = two
    before = shared.everything()
    ann.upload()
    files = shared.files()
    ben.write({"9.txt": "another"})
    ben.upload()
    assert "1 object deleted, 12 stay" in ben.rollback()
    assert shared.files() == files
    ann.rollback()
    assert shared.everything() == before


def test_an_undo_leaves_the_rows_that_another_run_relies_on(
    shared: Any, two: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a run has found registered stays, as its own, when the run that registered it goes."""
    ann, ben = two
    common = {"catalogue": str(shared.top / "common.db"), "collection": "common"}
    ann.upload(**common)
    (ben.source / "0.txt").unlink()
    done = ben.upload(**common)
    assert done["data_units"] == 0
    command = ["rollback", "1", "--dry-run", "--accept-drift", "--journal"]
    main([*command, str(ann.journal)])
    shown = capsys.readouterr().out
    assert "up to 12 units removed from" in shown
    assert "the rows of 11 files stay in" in shown
    assert "1 unit taken out" in ann.rollback()
    with open_catalogue(common["catalogue"]) as opened:
        assert {each.run for each in opened.units("common")} == {done["run"]}
        assert {
            file.name for each in opened.units("common") for file in each.files
        } == shared.files()
        ben.rollback()
        assert opened.missing()  # It went with the last run that had registered there.


@pytest.fixture
def foreseen(capsys: pytest.CaptureFixture[str]) -> Callable[[Any], str]:
    """Return what the undo of the first run of somebody is said to do."""

    def shown(person: Any) -> str:
        command = ["rollback", "1", "--dry-run", "--accept-drift", "--journal"]
        main([*command, str(person.journal)])
        return " ".join(capsys.readouterr().out.split())

    return shown


def test_a_preview_says_whose_rows_stay_and_what_has_passed_on(
    shared: Any, two: Any, foreseen: Callable[[Any], str]
) -> None:
    """As many as the undo leaves; and a run may have rows that another one has registered."""
    ann, ben = two
    common = {"catalogue": str(shared.top / "common.db"), "collection": "common"}
    ann.upload(**common)
    ben.upload(**common)
    place = f"{shared.top}/common.db"
    for each in two:
        shown = foreseen(each)
        assert f"the rows of all 12 files stay in {place}, as those of a run" in shown
        assert "removed from" not in shown
    assert "0 units taken out" in ann.rollback()
    assert f"what has passed on to the run from others leaves {place}" in foreseen(ben)
    assert "12 units taken out" in ben.rollback()
    assert not (shared.top / "common.db").exists()


def test_a_preview_says_that_corrected_metadata_goes_back(
    shared: Any, two: Any, foreseen: Callable[[Any], str]
) -> None:
    """The rows of the files stay, as they are those of the earlier run."""
    ann, ben = two
    common = {"catalogue": str(shared.top / "common.db"), "collection": "common"}
    for number, person in enumerate(two):
        sheet = shared.top / f"sheet{number}.csv"
        names = sorted(path.name for path in ann.source.iterdir())
        sheet.write_text("".join(["file,x\n", *(f"{name},{number}\n" for name in names)]))
        person.upload(**common, metadata_file=str(sheet))
    shown = foreseen(ben)
    assert f"up to 12 former rows back in {shared.top}/common.db" in shown
    assert "the rows of all 12 files stay" in shown
    assert "12 units brought back" in ben.rollback()


def test_rows_in_another_collection_go(shared: Any, two: Any) -> None:
    """A run relies on its own rows; those of another collection leave with their run."""
    ann, ben = two
    catalogue = str(shared.top / "common.db")
    ann.upload(catalogue=catalogue, collection="anns")
    ben.upload(catalogue=catalogue, collection="bens")
    ann.rollback()
    with open_catalogue(catalogue) as opened:
        assert len(list(opened.units("bens"))) == 12
        assert list(opened.units("anns")) == []


def test_the_same_journal_twice(shared: Any, two: Any) -> None:
    """Upload, upload again, undo the first: the second keeps what it counts as its own."""
    ann, _ = two
    before = shared.everything()
    ann.upload()
    ann.upload()
    files = shared.files()
    assert f"12 stay: run 2 on {HOST} relies on them" in ann.rollback(1)
    assert shared.files() == files
    ann.rollback(2)
    assert shared.everything() == before


def test_who_comes_during_an_upload_is_refused_and_leaves_nothing(
    shared: Any, two: Any, hooked: Any
) -> None:
    """The refusal names the other run, its machine, its journal, and what frees its files."""
    ann, ben = two
    errors: list[Any] = []

    def come(_key: str, number: int) -> None:
        if number == 5:
            before = shared.everything()
            errors.append(ben.fail())
            assert shared.everything() == before

    ann.edit = hooked(after=come)
    ann.upload(transfers=1)
    (error,) = errors
    assert error.exit_code == 3
    cause = cause_of(error)
    assert isinstance(cause, ClaimRefusedError)
    assert f"run 1 on {HOST}" in cause.message
    assert str(ann.journal) in cause.message
    ways = "\n".join(cause.ways_out)
    assert "--claim-wait 10m" in ways
    assert f"handrail resume 1 --journal {ann.journal}" in ways
    assert f"handrail claims {shared.place.url}" in ways
    assert ben.row().outcome == "rolled_back"
    assert not ben.catalogue.rows()
    assert ben.upload()["uploaded_files"] == 0


def test_who_waits_goes_on_when_the_other_run_is_over(
    shared: Any, two: Any, failing: Any, hooked: Any
) -> None:
    """With --claim-wait it says for whom it waits; what the other undoes, it sends itself."""
    import threading

    ann, ben = two
    results: list[Any] = []
    waiting = threading.Event()
    log = ben.tape.log

    def heard(event: str, data: Any, file: str | None = None) -> None:
        log(event, data, file)
        if event == "waiting":
            waiting.set()

    ben.tape.log = heard
    ben_uploads = threading.Thread(target=lambda: results.append(ben.upload(claim_wait="1m")))

    def come(_key: str, number: int) -> None:
        if number == 5:
            ben_uploads.start()
            assert waiting.wait(60)
            raise RuntimeError("ann's machine fails")

    ann.edit = hooked(after=come)
    assert ann.fail(transfers=1).exit_code == 1
    ben_uploads.join(60)
    assert results[0]["uploaded_files"] == 12
    said, *others = ben.tape.said("waiting")
    assert said not in others
    assert said.startswith(f"run 1 on {HOST}")
    assert "is working on the same keys" in said
    before_ben = {key for key in shared.files() if "others" not in key}
    assert len(before_ben) == 12


def test_nothing_is_undone_while_another_run_works_on_the_files(
    shared: Any, two: Any, hooked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal comes before the rows leave the catalogue, and the run stays completed."""
    monkeypatch.setattr("handrail_storage.claims.claims.Clock", partial(Clock, undoing=0.0))
    ann, ben = two
    ann.upload()
    errors: list[Any] = []
    ben.write({"9.txt": "another"})

    def come(_key: str, _number: int) -> None:
        with pytest.raises(HandrailError) as caught:
            ann.rollback()
        errors.append(caught.value)

    ben.edit = hooked(before=come)
    ben.upload()
    (error,) = errors
    assert error.exit_code == 3
    assert "nothing was undone" in str(error)
    assert f"run 1 on {HOST}" in str(error)
    assert ann.row().outcome == "completed"
    assert len(ann.catalogue.rows()["handrail_data_file"]) == 12
    assert "12 stay" in ann.rollback()


def test_what_a_preview_says_is_what_an_undo_does(shared: Any, two: Any) -> None:
    """How much goes, what stays and for whom."""
    ann, ben = two
    ben.source = ben.folder / "src"
    ben.write({f"{number}.txt": f"photo {number}" for number in range(5)})
    ann.upload()
    ben.upload()
    lines = preview(ann)
    size = sum(path.stat().st_size for path in ann.source.rglob("*.txt")) - 5 * len("photo 0")
    assert lines == [
        f"7 objects deleted ({size} B) from {shared.place.url}",
        f"5 stay: {named(ben)} relies on them",
    ]
    assert "7 objects deleted, 5 stay" in ann.rollback()


def test_a_preview_says_who_is_in_the_way(shared: Any, two: Any, hooked: Any) -> None:
    """An undo that would be refused is announced as such."""
    ann, ben = two
    ann.upload()
    shown: list[list[str]] = []
    ben.write({"9.txt": "another"})
    ben.edit = hooked(before=lambda _key, _number: shown.append(preview(ann)))
    ben.upload()
    (lines,) = shown
    assert lines[0].startswith("12 objects deleted")
    assert lines[-1].startswith(f"run 1 on {HOST}")
    assert lines[-1].endswith("the undo would be refused")


def preview(person: Any) -> list[str]:
    """Return what the undo of a run would do at its target."""
    from handrail import StepResult
    from handrail_upload import UploadFilesStep

    with closing(sqlite3.connect(person.journal)) as database:
        rows = database.execute(
            'SELECT key, "values" FROM note WHERE step = ? ORDER BY seq', ("upload_files",)
        ).fetchall()
    import json

    data: dict[str, list[Any]] = {}
    for key, text in rows:
        data.setdefault(key, []).extend(json.loads(text))
    context = person.make().create_context()
    result = StepResult(rollback_data=data)
    return list(UploadFilesStep().preview_rollback(context, result))


def test_a_dry_run_says_who_is_in_the_way(shared: Any, two: Any, hooked: Any) -> None:
    """It asks for nothing, and says what would happen; where it would be refused, it fails."""
    from handrail.builtin.cli.dry_run import preview_plan

    ann, ben = two
    said: list[str] = []

    def look(_key: str, number: int) -> None:
        if number == 5:
            made = ben.make(claim_wait="0")
            with pytest.raises(StepFailedError) as refused:
                made.run_plan(preview_plan(made.plan()))
            said.append(str(refused.value))
            made = ben.make(claim_wait="10m")
            made.run_plan(preview_plan(made.plan(), lambda _step, line: said.append(line)))

    ann.edit = hooked(after=look)
    ann.upload(transfers=1)
    assert said[0].startswith(f"run 1 on {HOST}")
    assert any(line.startswith(f"it would wait up to 10m: run 1 on {HOST}") for line in said)


def test_an_undo_puts_back_what_nobody_of_ours_made_and_no_orphan(
    shared: Any, two: Any, failing: Any
) -> None:
    """What an undone run had made does not come back when the run that replaced it is undone."""
    ann, ben = two
    ben.source = ben.folder / "src"
    ben.write({"0.txt": "a better photo"})
    before = shared.everything()
    ann.upload()
    ben.edit = failing("generate_data_units")
    ben.fail(if_exists="overwrite", on_failure="keep")
    assert "11 objects deleted" in ann.rollback()
    assert {key for key in shared.files() if "others" not in key} == {"0.txt"}
    assert "1 object deleted" in ben.rollback()
    assert shared.everything() == before


def test_an_undo_puts_back_what_another_run_relies_on(shared: Any, two: Any, failing: Any) -> None:
    """The object that was replaced belongs to a completed run, so it comes back."""
    ann, ben = two
    ben.source = ben.folder / "src"
    ben.write({"0.txt": "a better photo"})
    ann.upload()
    before = shared.everything()
    ben.edit = failing("generate_data_units")
    ben.fail(if_exists="overwrite")
    assert ben.row().outcome == "rolled_back"
    assert shared.place.content("0.txt") == b"photo 0"
    assert {key for key in shared.everything() if "claims" not in key} == {
        key for key in before if "claims" not in key
    }


def test_a_run_whose_claim_is_gone_deletes_nothing(shared: Any, two: Any) -> None:
    """Nothing says any more who relies on what, so all stays; and that is said."""
    ann, _ = two
    ann.upload()
    files = shared.files()
    forget(shared)
    assert f"the run has no claim at {shared.place.url}, so nothing there was deleted" in (
        ann.rollback()
    )
    assert shared.files() == files
    assert not ann.catalogue.rows()


def test_what_was_uploaded_before_there_were_claims_is_left(shared: Any, two: Any) -> None:
    """It counts as somebody else's: equal files are unchanged, and no undo takes them."""
    ann, ben = two
    ann.upload()
    files = shared.files()
    forget(shared)
    assert ben.upload()["unchanged_files"] == 12
    ben.upload()
    for number in (2, 1):
        ben.rollback(number)
    assert shared.files() == files


def test_a_run_whose_claim_is_gone_does_not_go_on(shared: Any, two: Any, failing: Any) -> None:
    """It stops with exit code 3, and undoes nothing."""
    ann, _ = two
    kill_in_upload(ann, failing)
    forget(shared)
    files = shared.files()
    with pytest.raises(ClaimMissingError) as caught:
        ann.resume()
    assert caught.value.exit_code == 3
    assert shared.files() == files


def kill_in_upload(person: Any, failing: Any) -> None:
    """Let a run be one whose process died in the middle of upload_files."""
    import subprocess
    import sys

    code = f"""
import os
from handrail.sqlite import SqliteJournal
from handrail import RuntimeContext
from handrail_upload import DefaultUploadAction, DirectUploader, UploadFilesStep

class Dies:
    def send(self, storage, file, sending, replacing):
        stored = DirectUploader().send(storage, file, sending, replacing)
        if file.key == "5.txt":
            os._exit(9)
        return stored

class Upload(DefaultUploadAction):
    action_name = "upload"
    def setup_steps(self, registry):
        super().setup_steps(registry)
        registry.replace("upload_files", UploadFilesStep(Dies()))

params = {person.params(transfers=1)!r}
Upload(params, RuntimeContext(), packs=()).run(journal=SqliteJournal({str(person.journal)!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == 9, done.stderr.decode()


def forget(shared: Any) -> None:
    """Remove all claims, as somebody does who does not know what they are."""
    if hasattr(shared.place, "path"):
        shutil.rmtree(Path(shared.place.path) / ".handrail-target")
        return
    for key in shared.own():
        shared.place.remove(key)


def test_a_run_that_was_undone_from_elsewhere_sends_nothing_more(
    shared: Any, two: Any, hooked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its claim is no longer its own, which it sees where it renews it; exit code 3."""
    monkeypatch.setattr("handrail_storage.claims.claims.Clock", partial(Clock, renew=0.0))
    ann, _ = two
    before = shared.everything()
    sent: list[str] = []

    def free(key: str, number: int) -> None:
        sent.append(key)
        if number == 5:
            uid = next(key.split("/")[2] for key in shared.own() if key.endswith("/state"))
            claims = Claims(open_storage(ann.target), Claimant(run=uid))
            undoing = claims.free(waiting=lambda left: None, take_over=True)
            assert undoing is not None
            assert undoing.run().deleted == 6

    ann.edit = hooked(after=free)
    error = ann.fail(transfers=1)
    assert (error.exit_code, error.code) == (3, "claim-lost")
    assert len(sent) == 6
    assert {key for key in shared.files() if not key.startswith("others/")} == set()
    assert shared.everything() == before
