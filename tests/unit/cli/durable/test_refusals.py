"""What `resume` and `rollback` refuse: with which exit code, in words, and as JSON."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from durable_runs import Called, Run, Start, made

from handrail.builtin.sqlite import place

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.


def error_of(called: Called) -> dict[str, object]:
    """The error that a command wrote as its last event."""
    assert called.stderr == ""
    last = called.events[-1]
    assert (last["schema"], last["event"]) == (1, "Error")
    found: dict[str, object] = last["error"]
    assert found["exit_code"] == called.returncode
    return found


def change(folder: Path, statement: str) -> None:
    """Change the journal as no command would."""
    with closing(sqlite3.connect(folder / ".handrail" / "runs.db")) as journal, journal:
        journal.execute(statement)


def refused(
    run: Run, words: list[str], code: int, kind: str, *message: str, **variables: str
) -> None:
    """Check a refusal in words, and as JSON."""
    told = run(*words, **variables)
    assert told.returncode == code, told.stderr
    assert told.stdout == ""
    assert "error: " in told.stderr
    for part in message:
        assert part in told.stderr
    found = error_of(run(*words, "--json", **variables))
    assert (found["code"], found["exit_code"]) == (kind, code)
    assert message[0] in str(found["message"])


BOTH = pytest.mark.parametrize("command", ["resume", "rollback"])


@BOTH
def test_what_is_no_run(handrail: Run, folder: Path, command: str) -> None:
    (folder / "open").touch()
    refused(handrail, [command, "1"], 2, "not-found", "there is not a journal at ")
    refused(handrail, [command], 2, "not-found", "there is not a journal at ")
    assert handrail("run", "durable.py:job", "a").returncode == 0
    refused(handrail, [command, "7"], 2, "not-found", "there is no run 7")
    refused(handrail, [command, "x"], 2, "not-found", "'x' is no number of a run", "handrail runs")
    refused(handrail, [command, "-1"], 2, "usage", "No such option")
    change(folder, "UPDATE run SET outcome = 'rolled_back'")
    if command == "resume":
        refused(handrail, [command, "1"], 2, "run-closed", "run 1 was rolled back", "handrail run")
        refused(handrail, [command], 2, "not-found", "there is no run of this project in ")
    else:
        refused(
            handrail, [command], 5, "rollback-refused", "run 1 was rolled back", "handrail runs"
        )


def test_what_is_completed_is_well(handrail: Run, folder: Path) -> None:
    """A `resume` says so, and ends with 0."""
    (folder / "open").touch()
    handrail("run", "durable.py:job", "a")
    told = handrail("resume", "1")
    assert (told.returncode, told.stdout) == (
        0,
        "run 1 is completed; there is nothing to resume\n",
    )
    assert handrail("resume", "1", "--json").events == [
        {"schema": 1, "event": "Result", "number": 1, "result": None}
    ]


@pytest.mark.parametrize("flags", [(), ("--yes",), ("--dry-run",), ("--quiet",)])
def test_what_is_rolled_back_is_well(handrail: Run, folder: Path, flags: tuple[str, ...]) -> None:
    """A `rollback` by its number, as of a script that tries again, says so, and ends with 0."""
    (folder / "open").touch()
    (folder / "broken").touch()
    assert handrail("run", "durable.py:job", "a").returncode == 1
    (folder / "durable.py").unlink()  # Nothing of it is needed.
    told = handrail("rollback", "1", *flags)
    assert (told.returncode, told.stdout, told.stderr) == (
        0,
        "run 1 · durable.py:job was rolled back; nothing left to undo\n",
        "",
    )
    preview, *result = handrail("rollback", "1", *flags, "--json").events
    assert (preview["event"], preview["state"], preview["undo"]) == (
        "RollbackPreview",
        "rolled back",
        [],
    )
    assert [each["result"] for each in result] == [
        {"rolled_back": True, "number": 1} for _ in range("--dry-run" not in flags)
    ]
    assert handrail("rollback", "--all-dead").returncode == 0


def test_what_is_sealed_or_half_undone(
    handrail: Run, folder: Path, killed: Callable[..., None]
) -> None:
    killed()
    change(folder, "UPDATE run SET sealed = 'the originals are gone'")
    words = ["rollback", "1"]
    refused(handrail, words, 5, "rollback-refused", "the originals are gone", "handrail resume 1")
    change(folder, "UPDATE run SET sealed = NULL, outcome = 'rollback_incomplete'")
    words = ["resume", "1"]
    refused(handrail, words, 5, "rollback-refused", "not completely", "handrail rollback 1")
    assert made(folder) == {"first.txt", "über.txt"}


@BOTH
def test_what_another_process_has(handrail: Run, start: Start, command: str) -> None:
    owner = start("-m", "handrail", "run", "durable.py:job", "a")
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    held = f"run 1 is held by pid {owner.pid} on "
    refused(handrail, [command, "1"], 3, "run-held", held, "wait for it to end")
    if command == "resume":
        refused(handrail, [command], 2, "not-found", "there is no run of this project in ")
    else:
        refused(handrail, [command], 3, "run-held", held)


@BOTH
def test_what_has_drifted(
    handrail: Run, folder: Path, killed: Callable[..., None], command: str
) -> None:
    killed()
    source = (folder / "durable.py").read_text()
    (folder / "durable.py").write_text(source.replace("[first, second, mail]", "[second]"))
    message = "run 1 began with other steps: first is not in the plan any more"
    refused(handrail, [command, "1"], 3, "run-drifted", message, "--accept-drift")
    assert made(folder) == {"first.txt", "über.txt"}


NEWER = "PRAGMA user_version = 99"
FOREIGN = "PRAGMA application_id = 7"


@BOTH
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (NEWER, "was written by a newer Handrail: it has format 99, and this one knows "),
        (FOREIGN, "is a database of another program, not a journal"),
    ],
)
def test_a_journal_of_others(
    handrail: Run, folder: Path, command: str, statement: str, message: str
) -> None:
    (folder / "open").touch()
    handrail("run", "durable.py:job", "a")
    change(folder, statement)
    refused(handrail, [command, "1"], 7, "journal", message)


@BOTH
def test_a_journal_that_is_damaged(handrail: Run, folder: Path, command: str) -> None:
    (folder / "open").touch()
    handrail("run", "durable.py:job", "a")
    file = folder / ".handrail" / "runs.db"
    file.write_bytes(b"no database at all" * 500)
    refused(handrail, [command, "1"], 7, "journal", "is not a journal: ", "--journal PATH")


@BOTH
def test_a_journal_with_damaged_pages(handrail: Run, folder: Path, command: str) -> None:
    (folder / "open").touch()
    handrail("run", "durable.py:job", "a")
    change(folder, "PRAGMA wal_checkpoint(TRUNCATE)")
    file = folder / ".handrail" / "runs.db"
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))
    refused(handrail, [command, "1"], 7, "journal-damaged", "is damaged: ", "sqlite3 ")


@BOTH
def test_a_journal_on_a_network_file_system(
    handrail: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (folder / "open").touch()
    handrail("run", "durable.py:job", "a")
    mounts = folder / "mounts"
    point = str(folder).replace(" ", "\\040")
    mounts.write_text(f"server:/home {point} nfs4 rw 0 0\n")
    monkeypatch.setattr(place, "_MOUNTS", mounts)
    message = "is on a network file system (nfs4), where SQLite is not safe"
    refused(handrail, [command, "1"], 7, "journal", message, "--journal postgresql://")
    run = handrail("run", "durable.py:job", "a")
    assert run.returncode == 7
    assert "nothing was run" in run.stderr


@pytest.mark.parametrize("command", ["resume", "rollback", "runs", "run"])
def test_a_journal_that_no_installed_pack_brings(handrail: Run, folder: Path, command: str) -> None:
    words = [command, "durable.py:job", "a"] if command == "run" else [command]
    variables = {"HANDRAIL_JOURNAL": "redis://there/0"}
    told = handrail(*words, **variables)
    assert told.returncode == 2
    assert "error: no installed pack provides journals in 'redis:'" in told.stderr
    assert "or install a pack that provides 'redis' journals" in told.stderr
