"""Damaged journals: every command ends with a code that is documented, and other runs are seen."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from recorded_runs import Call
from resealing import reseal

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

FLOW = """
from dataclasses import dataclass, field
from pathlib import Path
from pydantic import BaseModel
from handrail import BaseStepContext, action, step

class Params(BaseModel):
    name: str = "a"

@dataclass(kw_only=True)
class Context(BaseStepContext):
    found: list[str] = field(default_factory=list)

@step
def scan(context):
    context.found = ["one", "two"]
    return {"files": 2}

@step
def send(context):
    for each in context.found:
        context.record_rollback("made", f"{each}.txt")
        Path(f"{each}.txt").write_text(each)

@send.rollback
def unsend(context, result):
    for each in result.rollback_data["made"]:
        Path(each).unlink()

flow = action("flow", [scan, send], params=Params, context=Context)
"""
CODES = {0, 1, 2, 3, 4, 5, 6, 7, 130}
TEXTS = [
    *[("run", each) for each in ("uid", "action", "params", "packs", "cwd", "opened", "owner")],
    *[("run", each) for each in ("project", "core_version", "claimed", "closed")],
    *[("attempt", each) for each in ("step", "result", "at", "error")],
    *[("note", each) for each in ("step", "key", "values")],
    *[("field", each) for each in ("name", "value")],
    ("plan", "plan"),
]
NUMBERS = [
    ("attempt", "n"),
    ("note", "seq"),
    ("note", "n"),
    ("field", "boundary"),
    ("run", "fence"),
]


@pytest.fixture
def project(folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with three runs; the files of the last one are there."""
    (folder / "flow.py").write_text(FLOW)
    for _ in range(3):
        assert call("run", "flow.py:flow").code == 0
    with closing(sqlite3.connect(folder / ".handrail" / "runs.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copytree(folder / ".handrail", folder / "kept")
    return folder


def put_back(project: Path) -> Path:
    """Restore the journal and the files; return the journal."""
    shutil.rmtree(project / ".handrail")
    shutil.copytree(project / "kept", project / ".handrail")
    for each in ("one", "two"):
        (project / f"{each}.txt").write_text(each)
    return project / ".handrail" / "runs.db"


def flipped(value: object, chance: random.Random) -> object:
    """Return a text with one character or one byte changed, or a number with one bit changed."""
    if not isinstance(value, str) or not value:
        return (value if isinstance(value, int) else 0) ^ (1 << chance.randrange(40))
    place = chance.randrange(len(value))
    if chance.random() < 0.3:  # What is no text at all.
        raw = bytearray(value.encode())
        raw[place] ^= 0x80
        return bytes(raw)
    return value[:place] + chr(ord(value[place]) ^ (1 << chance.randrange(7))) + value[place + 1 :]


def flip(file: Path, chance: random.Random) -> str:
    """Change one value of run 2; return which."""
    table, column = chance.choice([*TEXTS, *NUMBERS])
    key = "id" if table == "run" else "run"
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        rows = database.execute(
            f'SELECT "{column}", "{column}" IS NULL FROM {table} WHERE {key} = 2'
        ).fetchall()
        rows = [row for row in rows if not row[1]]
        if not rows:
            return ""
        old = chance.choice(rows)[0]
        new = flipped(old, chance)
        sql = "CAST(? AS TEXT)" if isinstance(new, bytes) else "?"
        database.execute(
            f'UPDATE OR IGNORE {table} SET "{column}" = {sql} WHERE {key} = 2 AND "{column}" = ?',
            (new, old),
        )
        if chance.random() < 0.5:  # So that only what it says can be wrong.
            reseal(database)
    return f"{table}.{column}: {old!r} -> {new!r}"


@pytest.mark.parametrize("seed", range(8))
def test_a_flipped_value_ends_no_command_with_a_traceback(
    project: Path, call: Call, seed: int
) -> None:
    """Whatever it is; and the other runs are listed, shown and rolled back."""
    chance = random.Random(seed)
    for _ in range(6):
        file = put_back(project)
        changed = flip(file, chance)
        for words in (("show", "2"), ("rollback", "2", "--dry-run"), ("doctor", "--journal")):
            done = call(*words)
            assert done.code in CODES, (changed, words, done)
            assert "Traceback" not in done.err, (changed, words, done.err)
            assert "own errors" not in done.err, (changed, words, done.err)
        listed = call("runs", "--json")
        assert listed.code == 0, (changed, listed.err)
        assert {1, 3} <= {run["id"] for run in listed.document["runs"]}, changed
        assert call("runs").code == 0
        assert call("show", "3").code == 0, changed
        assert call("rollback", "3", "--yes").code == 0, changed
        assert not (project / "two.txt").exists()


# Names of tables that are no text were met with the last two.
@pytest.mark.parametrize("seed", [*range(6), 307, 311])
def test_a_flipped_byte_of_the_file_ends_no_command_with_a_traceback(
    project: Path, call: Call, seed: int
) -> None:
    """Anywhere in it, in the pages of SQLite too."""
    chance = random.Random(seed)
    for _ in range(6):
        file = put_back(project)
        raw = bytearray(file.read_bytes())
        places = [chance.randrange(len(raw)) for _ in range(chance.choice([1, 1, 5]))]
        for place in places:
            raw[place] ^= 1 << chance.randrange(8)
        file.write_bytes(raw)
        for words in (
            ("runs",),
            ("runs", "--json"),
            *[("show", number) for number in "123"],
            ("rollback", "3", "--yes"),
            ("doctor", "--journal"),
            ("doctor", "--journal", "--json"),
        ):
            done = call(*words)
            assert done.code in CODES, (places, words, done)
            assert "Traceback" not in done.err, (places, words, done.err)
            assert "own errors" not in done.err, (places, words, done.err)


def damage(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute(statement)


def test_a_damaged_run_is_named_and_nothing_is_undone(project: Path, call: Call) -> None:
    """With the row, and what to do; the exit code is 7."""
    file = put_back(project)
    damage(file, 'UPDATE note SET "values" = \'["other.txt"]\' WHERE run = 3')
    for words in (("rollback", "3", "--yes"), ("resume", "3"), ("show", "3")):
        done = call(*words)
        if words[0] != "resume":
            assert done.code == 7
            assert "run 3 is damaged in the journal: note 1 of step 'send'" in done.err
            assert "handrail doctor --journal" in done.err
        assert (project / "one.txt").exists()
    checked = call("doctor", "--journal")
    assert checked.code == 7
    assert "✗ run 3 is damaged in the journal: note 1 of step 'send' differs" in checked.out
    assert "all but run 3 can be shown" in checked.out
    found = call("doctor", "--journal", "--json").document
    error, *_ = found["damaged"]
    assert (error["run"], error["code"]) == (3, "journal-damaged")
    assert found["runs"] == 3


def test_a_damaged_row_of_a_run_is_seen_in_the_list(project: Path, call: Call) -> None:
    """And by the doctor, which goes on."""
    damage(put_back(project), "UPDATE run SET params = '2026' WHERE id = 2")
    lines = call("runs").lines
    states = [line.split()[:2] for line in lines[1:4]]
    assert states == [["3", "completed"], ["2", "damaged"], ["1", "completed"]]
    assert "handrail doctor --journal" in lines[2]
    checked = call("doctor")
    assert checked.code == 7
    assert "run 2 is damaged in the journal: its own row" in checked.out
    assert call("rollback", "2", "--yes").code == 7


INTERRUPTED = "UPDATE run SET outcome = NULL, closed = NULL"


def test_a_damaged_run_does_not_stop_the_others(project: Path, call: Call) -> None:
    """When all dead runs are undone, and when old ones are pruned."""
    file = put_back(project)
    damage(file, "UPDATE run SET outcome = NULL, closed = NULL WHERE id IN (1, 3)")
    damage(file, "UPDATE run SET owner = '[]' WHERE id = 1")
    assert call("rollback", "--all-dead").code == 7
    assert not (project / "one.txt").exists()
    states = {run["id"]: run["state"] for run in call("runs", "--json").document["runs"]}
    assert states == {1: "damaged", 2: "completed", 3: "rolled back"}
    damage(file, "UPDATE run SET outcome = 'completed', closed = opened")
    assert call("runs", "prune", "--older-than", "0s").code in (0, 1)
    assert [run["id"] for run in call("runs", "--json").document["runs"]] == [1]


def test_what_is_no_journal_is_told_in_one_message(folder: Path, call: Call) -> None:
    """Garbage, a folder, an empty file, and a journal of a newer version."""
    (folder / "garbage").write_bytes(b"no journal at all" * 100)
    (folder / "nothing").touch()
    newer = folder / "newer"
    with closing(sqlite3.connect(newer)) as database:
        database.execute("PRAGMA application_id = 0x48726a6c")
        database.execute("PRAGMA user_version = 99")
        database.execute("CREATE TABLE run (id)")
    for name, code, words in (
        ("garbage", 7, "is not a journal"),
        ("in", 7, "is a folder, not a journal"),
        ("nothing", 2, "is empty"),
        ("newer", 7, "was written by a newer Handrail: it has format 99"),
    ):
        for command in (("runs",), ("show", "1"), ("rollback", "1"), ("doctor",)):
            done = call(*command, "--journal", name)
            assert (done.code, done.err.count("error:")) == (code, 1), (command, done)
            assert words in done.err
            assert "\n  " in done.err, "a way out"
    assert (folder / "nothing").stat().st_size == 0


def test_what_is_sound_of_a_damaged_run_is_shown(project: Path, call: Call) -> None:
    """With all damaged rows, on the screen and as JSON; the exit code stays 7."""
    damage(put_back(project), 'UPDATE note SET "values" = \'["other"]\' WHERE run = 3 AND seq = 1')
    shown = call("show", "3")
    assert shown.code == 7
    assert "run 3 · flow.py:flow · damaged" in shown.out
    assert "started 20" in shown.out
    assert f"in {project}" in shown.out
    assert [line.split()[:2] for line in shown.lines if "done" in line] == [
        ["scan", "done"],
        ["send", "done"],
    ]
    assert "  damaged note 1 of step 'send' differs from its checksum" in shown.lines
    assert "error: run 3 is damaged in the journal" in shown.err
    found = call("show", "3", "--json")
    assert (found.code, found.err) == (7, "")
    assert found.document["run"]["state"] == "damaged"
    assert found.document["run"]["plan"]
    assert [step["state"] for step in found.document["steps"]] == ["done", "done"]
    assert [each["row"] for each in found.document["damaged"]] == ["note 1 of step 'send'"]
    step = call("show", "3", "--step", "send", "--json")
    made = step.document["step"]["values"]["made"]
    assert (step.code, sorted(made)) == (7, ["one.txt", "two.txt"])
    assert call("show", "2", "--json").document["damaged"] == []


@pytest.mark.parametrize("column", ["params", "packs", "cwd", "opened", "outcome", "uid"])
def test_the_steps_of_a_run_whose_own_row_is_damaged_are_shown(
    project: Path, call: Call, column: str
) -> None:
    """Whether or not its checksum fits; the row is named once."""
    for fits in (False, True):
        with closing(sqlite3.connect(put_back(project), isolation_level=None)) as database:
            database.execute("PRAGMA ignore_check_constraints = ON")
            value = "NULL, closed = NULL, owner = '7'" if column == "outcome" else "'7'"
            database.execute(f"UPDATE run SET {column} = {value} WHERE id = 3")
            if fits:
                reseal(database)
        shown = call("show", "3", "--json")
        harmless = fits and column in ("cwd", "uid", "packs")
        assert shown.code == (0 if harmless else 7), (fits, shown.err)
        told = [each["row"] for each in shown.document["damaged"] if "its" in each["row"]]
        assert len(told) == (0 if harmless else 1)
        states = {step["name"]: step["state"] for step in shown.document["steps"]}
        if column != "uid":
            assert states == {"scan": "done", "send": "done"}
        assert "Traceback" not in call("show", "3").err


def test_a_step_whose_record_is_damaged_is_not_said_to_wait(project: Path, call: Call) -> None:
    """Nobody knows whether it began; all the damage is told, not the first row alone."""
    damage(put_back(project), "UPDATE attempt SET result = '{}' WHERE run = 3 AND step = 'send'")
    damage(project / ".handrail" / "runs.db", "UPDATE field SET value = '1' WHERE run = 3")
    shown = call("show", "3", "--json")
    states = {step["name"]: step["state"] for step in shown.document["steps"]}
    assert states == {"scan": "done", "send": "unknown"}
    rows = [each["row"] for each in shown.document["damaged"]]
    fields = [f"the value of the context's 'found' after {each} steps" for each in (0, 1)]
    assert rows == ["attempt 1 of step 'send'", *fields]
    assert shown.document["steps"][1]["recorded"] == {"made": 2}, "what it recorded is sound"
    step = call("show", "3", "--step", "send", "--json").document["step"]
    assert sorted(step["values"]["made"]) == ["one.txt", "two.txt"]
    assert "made: 2" in call("show", "3").out
    assert "send · unknown" in call("show", "3", "--step", "send").out
    assert [
        each["row"] for each in call("doctor", "--journal", "--json").document["damaged"]
    ] == rows


def test_a_lost_row_of_a_run_that_has_ended_is_damage(project: Path, call: Call) -> None:
    """Else a rollback would leave what the row is about; what is left of the run is shown."""
    damage(put_back(project), "DELETE FROM note WHERE run = 3 AND seq = 1")
    told = "the record has 1 notes, and had 2 at its end"
    for words in (("rollback", "3", "--yes"), ("show", "3")):
        done = call(*words)
        assert (done.code, told in " ".join(done.err.split())) == (7, True)
    assert (project / "one.txt").exists()
    assert f"✗ run 3 is damaged in the journal: {told}" in call("doctor", "--journal").out
    assert call("rollback", "2", "--yes").code == 0
