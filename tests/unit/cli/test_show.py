"""`handrail show`: what is told of a run, in which order, in how many lines, and at which cost."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from recorded_runs import Call, Journal, done, ended, noted, planned, started

from handrail.amounts import seconds
from handrail.builtin.cli.view.text import columns
from handrail.builtin.records.run_record import recorded_steps
from handrail.journal import AttemptRow, NoteRow, RelianceChange, RunRow

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

LONG = "a reason that goes on and on, " * 30


def test_a_killed_run_from_head_to_ways_out(call: Call, journal: Journal) -> None:
    """Who had it, what it was given, how far each step came, what is left, and both ways out."""
    journal.add(
        [
            planned("scan", undo=False, effects=False),
            planned("tell", undo=False),
            planned("send", resume=True),
            planned("index"),
            planned("close", always_run=True, undo=False),
        ],
        *(done("scan"), done("tell"), started("send")),
        *(noted("send", "keys", "a", "b"), noted("send", "keys", "c", seq=2)),
        action="upload",
        params=json.dumps(
            {
                "values": {
                    "source": "./photos",
                    "target": "https://ada:secret@store/in",
                    "x": None,
                },
                "secrets": {"token": "UPLOAD_TOKEN"},
            }
        ),
    )
    head, owner, begun, given, *rest = call("show").lines
    assert f"{head.strip()} {owner.strip()}".startswith("run 1 · upload · interrupted owner pid ")
    assert " is gone, heard of last at " in owner
    assert owner.endswith(" (killed, power, or its journal failed)")
    assert begun.startswith("started 2026-11-25 ")
    assert begun.endswith(" · plan 12345678 · in /work")
    assert (
        given == "with source=./photos target=https://ada:**********@store/in token=$UPLOAD_TOKEN"
    )
    table, rest = [line.split() for line in rest[:4]], rest[4:]
    assert table[3].pop(2) == "-"
    assert table == [
        ["STEP", "STATE", "TOOK", "RECORDED", "FOR", "UNDO"],
        ["scan", "done", "0.2s", "-"],
        ["tell", "done", "0.2s", "-"],
        ["send", "interrupted", "keys:", "3"],
    ]
    assert rest == [
        "+ 2 not started: index, close",
        "  finish  handrail resume 1      goes on in send, from what it recorded",
        "  undo    handrail rollback 1    undoes send",
        "  not undone: tell (it has no way back)",
    ]


def test_a_run_is_found_by_its_uuid_too(call: Call, journal: Journal) -> None:
    """Files and servers name it so; what is printed has the number."""
    uid = str(uuid.uuid4())
    journal.add([planned("send")], outcome="completed", uid=uid)
    journal.add([planned("send")], outcome="completed")
    assert call("show", uid).lines[0].startswith("run 1 · ")
    assert call("show", uid.upper()).lines == call("show", "1").lines
    unknown = call("show", str(uuid.uuid4()))
    assert (unknown.code, "handrail runs lists them" in unknown.err) == (2, True)
    assert [call("show", run).code for run in ("9", "x")] == [2, 2]


def test_params_that_are_as_by_default_are_left_out(call: Call, folder: Path) -> None:
    """What is shown is what differs; secrets by their variable, in a nested model too."""
    (folder / "more.py").write_text(PARAMS)
    call("run", "more.py", "--title", "as it is", "-p", "inner.size=5", "--no-check")
    assert "with check=false inner.size=5" in call("show").lines
    stored = call("show", "--json").document["run"]["params"]
    assert stored["values"]["title"] == "as it is"


PARAMS = """
from pydantic import BaseModel, Field
from handrail import action, step

class Inner(BaseModel):
    size: int = 3
    names: list[str] = Field(default_factory=list)

class Params(BaseModel):
    title: str = "as it is"
    check: bool = True
    inner: Inner = Inner()

@step
def send(context): ...

more = action("more", [send], params=Params)
"""


def test_it_says_who_relies_on_a_run_and_on_whom_it_relies(call: Call, journal: Journal) -> None:
    """Those of other journals have no number; programs get the ids."""
    uid, steps = str(uuid.uuid4()), [planned("send")]
    journal.add(steps, outcome="completed", uid=uid)
    for _ in range(2):
        journal.add(steps, RelianceChange((uid, "elsewhere")), outcome="completed")
    assert "  relied on by runs 2 and 3" in call("show", "1").lines
    lines = call("show", "2").lines
    assert "  relies on run 1" in lines
    assert "  relies on 1 run of other journals" in lines
    run = call("show", "2", "--json").document["run"]
    assert (run["relies_on"], run["relied_on_by"]) == ([1], [])
    assert sorted(run["relies_on_uids"]) == sorted([uid, "elsewhere"])
    assert call("show", "1", "--json").document["run"]["relied_on_by"] == [2, 3]


def test_a_run_that_was_given_up_was_not_killed(call: Call, journal: Journal) -> None:
    """After a second Ctrl-C in an undo its process said so; nobody looks for a kill."""
    journal.add([planned("send")], started("send"), dead=False)
    journal.opened[0].close()
    told = call("show").out
    assert "given up by pid " in told
    assert "kill -9" not in told


def test_the_machine_went_down_yesterday(call: Call, journal: Journal) -> None:
    """The day is told where it is another one than that of the start."""
    opened = datetime.now(UTC) - timedelta(days=3)
    journal.add([planned("send")], started("send"), opened=opened.isoformat())
    today = datetime.now().astimezone()
    assert f"heard of last at {today:%d %b} " in call("show").out


@pytest.mark.parametrize("width", [40, 80, 100, 140])
def test_no_line_is_too_long(
    call: Call, journal: Journal, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """Whatever names, errors, folders and params there are; --all has them in full."""
    monkeypatch.setenv("COLUMNS", str(width))
    wide = [f"資料を送る {n}" * 5 for n in range(30)]
    journal.add(
        [planned(name) for name in wide],
        *(done(name, files=[1]) for name in wide[:5]),
        ended(wide[5], "failed", error=LONG, traceback="Traceback"),
        outcome="failed",
        action="flows.py:" + "long" * 20,
        cwd="/work" * 30,
        params=json.dumps({"values": {f"param_{n}": "x" * 50 for n in range(9)}, "secrets": {}}),
    )
    lines = call("show").lines
    # Folders, actions and commands are to be copied; they are never cut.
    kept = ("  in /work/work", "  flows.py:long", "  finish", "  undo", "    ", "  full")
    assert not [line for line in lines if columns(line) > width and not line.startswith(kept)]
    assert LONG[:300] in " ".join(" ".join(lines).split())
    assert "  full    handrail show 1 --traceback" in lines
    everything = "".join(call("show", "--all").out.split())  # Long ones go on in further lines.
    assert "".join(LONG.split()) in everything
    assert "".join(wide[29].split()) in everything


def test_an_error_of_many_lines_is_one(call: Call, journal: Journal) -> None:
    journal.add([planned("send")], ended("send", "failed", error="no\n  room"), outcome="failed")
    assert "  failed  send: no room" in call("show").lines


def test_a_rollback_that_was_asked_for_is_no_failure(call: Call, journal: Journal) -> None:
    """Neither is Ctrl-C an exception: it says that it was interrupted."""
    asked = ended("send", "undone")
    journal.add([planned("send")], asked, outcome="rolled_back")
    assert "failed" not in call("show").out
    stopped = ended("send", "undone", error="KeyboardInterrupt", traceback="KeyboardInterrupt")
    journal.add([planned("send")], stopped, outcome="rolled_back")
    assert "  stopped send: interrupted" in call("show").lines
    assert "--traceback" not in call("show").out


@pytest.mark.parametrize("failed_at", [500, 0])
def test_a_long_run_takes_one_screen(call: Call, journal: Journal, failed_at: int) -> None:
    """What tells nothing stands together, with what it took; what failed is shown where it is."""
    names = [f"step_{n:03}" for n in range(1000)]
    changes = [done(name, took=0.01, files=["a", "b"]) for name in names[:900]]
    changes[failed_at] = ended(names[failed_at], "undo_failed", error="away")
    journal.add(list(map(planned, names)), *changes, outcome="rollback_incomplete")
    lines = call("show").lines
    assert len(lines) <= 15
    together = [line.split() for line in lines if line.startswith("... ")]
    assert sum(int(words[1]) for words in together) >= 895
    for _, count, _, state, took, key, files in together:
        assert (state, key, int(files)) == ("done", "files:", 2 * int(count))
        assert took == seconds(0.01 * int(count))
    [failed] = [line for line in lines if line.startswith(names[failed_at])]
    assert failed.split()[1:3] == ["undo", "failed"]
    [waiting] = [line for line in lines if line.startswith("+ 100 not started: step_900, ")]
    assert waiting.endswith(" more")
    assert sum(line.startswith("step_") for line in call("show", "--all").lines) == 900


def test_many_failures_do_not_fill_the_screen(call: Call, journal: Journal) -> None:
    names = [f"step_{n:03}" for n in range(200)]
    changes = [ended(name, "undo_failed", error="away") for name in names]
    journal.add(list(map(planned, names)), *changes, outcome="rollback_incomplete")
    lines = call("show").lines
    assert len(lines) < 40
    assert "  and 195 more that failed" in lines
    *_, again, left, record = lines
    assert again.startswith("  again   handrail rollback 1    undoes step_000, step_001")
    assert left.startswith("  left    step_199, step_198, ")
    assert record.startswith("  record  handrail rollback 1 --by-hand step_199 --reason TEXT")


def test_all_that_one_step_recorded(call: Call, journal: Journal) -> None:
    """Each value on its line, joined as an undo gets it; as JSON, as it is.

    Of the numbers in the table the largest comes first, since that is what is seen of many.
    """
    journal.add(
        [planned("send"), planned("index")],
        started("send"),
        *(noted("send", "keys", "a", "ü"), noted("send", "keys", {"id": 7}, seq=2)),
        done("send", mark="m1", keys=["a", "z"]),
        outcome="completed",
    )
    [row] = [line for line in call("show").lines if line.startswith("send")]
    assert row.endswith("  keys: 4, mark: 1")
    head, time, *recorded = call("show", "--step", "send").lines
    assert head == "run 1 · send · done"
    assert re.fullmatch(r"  attempt 1 [\d:]{8} to [\d:]{8}, \d\.\ds", time)
    assert recorded == ["mark: 1", "  m1", "keys: 4", "  a", "  ü", '  {"id": 7}', "  z"]
    command = call("show", "--json").document["steps"][0]["values"]
    assert command == "handrail show 1 --step send --json"
    found = call(*command.split()[1:]).document["step"]
    assert found["values"] == {"keys": ["a", "ü", {"id": 7}, "z"], "mark": "m1"}
    assert call("show", "--step", "index").lines[-1] == "nothing was recorded for its undo"


def test_a_step_that_is_not_there(call: Call, journal: Journal) -> None:
    journal.add([planned("send")], outcome="completed")
    asked = call("show", "--step", "sent")
    assert asked.code == 2
    assert "run 1 has no step 'sent'" in asked.err
    assert call("show", "--step", "send", "--all").code == 2


def test_only_the_last_attempt_counts(call: Call, journal: Journal) -> None:
    """What an attempt recorded that is undone already is not counted again."""
    journal.add(
        [planned("send")],
        *(noted("send", "keys", 1, 2, 3), ended("send", "undone")),
        *(started("send", 2), noted("send", "keys", 4, n=2)),
    )
    [row] = [line for line in call("show").lines if line.startswith("send")]
    assert row.endswith("keys: 1 (attempt 2)")


def test_what_a_program_needs(call: Call, journal: Journal) -> None:
    """Times are ISO 8601, errors have their origin, and what the commands would do is there."""
    error = ended("send", "failed", error="no room", traceback="Traceback...", took=1.5)
    journal.add(
        [planned("scan", effects=False, undo=False), planned("send"), planned("index")],
        *(done("scan"), noted("send", "keys", "a"), error),
        outcome="failed",
    )
    document = call("show", "--json").document
    assert document["schema"] == 1
    run = document["run"]
    assert (run["id"], run["outcome"], run["given_up"]) == (1, "failed", False)
    for moment in (run["started"], run["ended"], run["heard"], document["steps"][1]["at"]):
        assert datetime.fromisoformat(moment).tzinfo is not None
    assert run["would"] == {
        "finish": "undoes what send recorded, and runs it again",
        "undo": "undoes send",
    }
    assert (run["stays"], run["packs"]) == ([], {})
    scan, send, index = document["steps"]
    assert (send["error"], send["traceback"], send["took"]) == ("no room", "Traceback...", 1.5)
    assert send["origin"]["file"] == "flows.py"
    assert send["recorded"] == {"keys": 1}
    assert (scan["values"], scan["undo"], scan["effects"]) == (None, False, False)
    assert (index["state"], index["at"], index["took"]) == ("not started", None, None)


def test_packs_are_compared_with_what_is_installed(call: Call, journal: Journal) -> None:
    """From their metadata: the code of the run is not asked."""
    origin = {"pack": "acme-gone", "version": "1.2.0", "module": "m", "file": "m.py", "line": 1}
    journal.add([planned("send", origin=origin)], done("send"))
    assert "  since   acme-gone was 1.2.0, is not installed any more" in call("show").lines
    assert call("show", "--json").document["run"]["packs"] == {
        "acme-gone": {"then": "1.2.0", "now": None}
    }


def test_a_journal_without_runs(call: Call, journal: Journal) -> None:
    asked = call("show")
    assert asked.code == 2
    assert "there is no run in .handrail/runs.db" in asked.err
    assert "handrail run ACTION" in asked.err


def recorded(steps: int, batches: int) -> RunRow:
    """Return a run of so many steps, each of which recorded so many batches."""
    names = [f"step_{n}" for n in range(steps)]
    moment = "2026-11-25T03:30:00.000Z"
    row: Any = dict.fromkeys(RunRow.__dataclass_fields__.keys() - {"attempts", "notes"}, "")
    row |= {
        "plan": json.dumps({"steps": list(map(planned, names))}),
        "opened": moment,
        "fields": (),
    }
    result = json.dumps({"took": 0.1, "rollback_data": {"files": ["x"]}})
    about = {"data_version": 1, "error": None, "at": moment, "result": result}
    return RunRow(
        **row,
        attempts=tuple(AttemptRow(step=name, n=1, state="done", **about) for name in names),
        notes=tuple(
            NoteRow(step=name, n=1, seq=seq, key="files", values="[1, 2]")
            for name in names
            for seq in range(batches)
        ),
    )


def test_how_long_a_killed_step_took_at_least() -> None:
    """Up to the last sign of life: the end of a step that nobody wrote down is not known."""
    begun = recorded(steps=1, batches=0)
    killed = replace(
        begun,
        heard="2026-11-25T03:30:24.500Z",
        attempts=(
            AttemptRow(
                step="step_0",
                n=1,
                state="started",
                data_version=1,
                result=None,
                error=None,
                at="2026-11-25T03:30:00.000Z",
            ),
        ),
        notes=(),
        fields=(),
    )
    [step] = recorded_steps(killed, running=False)
    assert (step.state, step.took, step.at_least) == ("interrupted", 24.5, True)
    [step] = recorded_steps(killed, running=True)
    assert step.state == "running"
    [step] = recorded_steps(begun, running=False)
    assert (step.took, step.at_least) == (0.1, False)


def calls_of(function: Callable[[], object]) -> int:
    """Return how many functions are called, Python's own included."""
    count = 0

    def profile(_frame: object, event: str, _what: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_time_grows_with_the_steps_and_not_with_their_square() -> None:
    small, large = (recorded(steps, batches=2) for steps in (100, 800))
    few = calls_of(lambda: recorded_steps(small, running=False))
    many = calls_of(lambda: recorded_steps(large, running=False))
    assert many < 9 * few


def test_values_of_the_context_are_not_read(
    call: Call, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of a million entries may be there for each step; nothing of it is shown."""
    journal.add([planned("send")], done("send"), outcome="completed")
    monkeypatch.setattr("handrail.builtin.sqlite.claims.SQL.fields", "SELECT no_such_column")
    assert call("show").code == 0
    assert call("show", "--json").code == 0


def test_nothing_of_the_run_is_imported(folder: Path, journal: Journal) -> None:
    """Not even for what the commands would do: its packs may be broken, or gone."""
    journal.add([planned("send")], started("send"), action="durable.py:job")
    (folder / "durable.py").write_text("raise SystemExit('imported')")
    code = (
        "import sys; from handrail.cli import main\n"
        "for words in 'show', 'show --json', 'show --step send', 'runs --all':\n"
        "    assert main(words.split()) == 0\n"
        "print(sorted({'pydantic', 'pluggy', 'durable', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_commands_lead_to_the_same_journal(call: Call, journal: Journal, folder: Path) -> None:
    """Where the call names one, so does each command that it proposes; quoted as shells need it."""
    journal.add([planned("send")], ended("send", "failed", error=LONG), outcome="failed")
    journal.opened[0].close()
    (folder / ".handrail" / "runs.db").rename(folder / "other one.db")
    name = "--journal 'other one.db'"
    lines = call("show", "--journal", "other one.db").lines
    assert lines[-5:] == [
        f"  full    handrail show 1 --traceback {name}",
        f"  finish  handrail resume 1 {name}",
        "          undoes what send recorded, and runs it again",
        f"  undo    handrail rollback 1 {name}",
        "          undoes send",
    ]
    assert call("runs", "--journal", "other one.db").lines[-1].endswith(f"handrail show RUN {name}")
    run = call("show", "--json", "--journal", "other one.db").document["run"]
    assert run["ways"] == {
        "finish": f"handrail resume 1 {name}",
        "undo": f"handrail rollback 1 {name}",
    }


GROUP = [
    planned("fetch"),
    planned("resize", group="media", lane=0),
    planned("watermark", group="media", lane=0),
    planned("transcode", group="media", lane=1),
    planned("publish"),
]


def below_the_head(lines: list[str]) -> list[str]:
    """Return the lines from the first step on."""
    return lines[[line.split()[0] for line in lines].index("STEP") + 1 :]


def test_the_steps_of_a_group_stand_in_their_lanes(call: Call, journal: Journal) -> None:
    """Below a heading, with the number of the lane; a resume goes on in every lane."""
    journal.add(GROUP, done("fetch"), done("resize"), started("watermark"), started("transcode"))
    lines = [line.split() for line in below_the_head(call("show").lines)]
    assert [line[:4] for line in lines[:4]] == [
        ["fetch", "done", "0.2s", "-"],
        ["┌", "media", "2", "lanes"],
        ["│", "1", "resize", "done"],
        ["│", "1", "watermark", "interrupted"],
    ]
    assert lines[4][:4] == ["│", "2", "transcode", "interrupted"]
    assert lines[5] == ["+", "1", "not", "started:", "publish"]
    assert "goes on in watermark, transcode" in call("show").out
    shown = call("show", "--json").document["steps"]
    assert [each.get("lane") for each in shown] == [None, 0, 0, 1, None]


def test_of_many_lanes_the_notable_steps_are_shown(call: Call, journal: Journal) -> None:
    """With the heading once, and numbers of lanes below each other."""
    steps = [planned(f"s{number:02}", group="media", lane=number) for number in range(30)]
    journal.add(steps, *(done(f"s{number:02}") for number in range(29)), started("s29"))
    lines = below_the_head(call("show").lines)[:5]
    assert [" ".join(line.split()[:3]) for line in lines] == [
        "┌ media 30",
        "│ 1 s00",
        "│ 2 s01",
        "... 27 more",
        "│ 30 s29",
    ]
    assert lines[1].startswith("│  1 s00")


@pytest.mark.parametrize("place", [{"group": 3}, {"lane": 1}, {"group": "a", "lane": "x"}])
def test_a_lane_that_is_none_is_damage(call: Call, journal: Journal, place: Any) -> None:
    """A journal is told to be damaged, and is not read beyond that."""
    journal.add([planned("fetch", **place)], done("fetch"))
    assert call("show").code == 7
