"""Runs that outlive their process: killed, shown, finished and undone by other processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DURABLE = '''
import os, sqlite3, sys, time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from pydantic import BaseModel, SecretStr
from handrail import Argument, BaseStep, BaseStepContext, StepResult, action, step

class Params(BaseModel):
    """What to make."""
    name: Annotated[str, Argument()]
    token: SecretStr | None = None
    tokens: list[SecretStr] = []

@dataclass(kw_only=True)
class Context(BaseStepContext):
    name: str
    seen: list[str] = field(default_factory=list)

@step
def first(context):
    context.record_rollback("files", "first.txt")
    Path("first.txt").write_text(context.name)
    context.seen.append("first")

@first.rollback
def undo_first(context, result):
    for name in result.rollback_data.get("files", []):
        Path(name).unlink(missing_ok=True)

@step
def second(context):
    """Wait to be killed, unless somebody has opened the gate."""
    context.record_rollback("files", f"{context.name}.txt")
    with open(f"{context.name}.txt", "a") as stream:
        stream.write("made\\n")
    if not Path("open").exists():
        print("ready", flush=True)
        sys.stdin.read()
    if Path("broken").exists():
        raise ValueError("it is broken")
    context.seen.append("second")

@second.rollback
def undo_second(context, result):
    for name in result.rollback_data.get("files", []):
        Path(name).unlink(missing_ok=True)

@step
def mail(context):
    Path("seen.txt").write_text(" ".join(context.seen))

job = action("job", [first, second, mail], params=Params, context=Context)

@step
def slow(context):
    context.record_rollback("files", "slow.txt")
    raise ValueError("told to fail")

@slow.rollback
def undo_slowly(context, result):
    if not Path("open").exists():
        print("undoing", flush=True)
        time.sleep(60)

undoing = action("undoing", [slow])

@step
def sabotage(context):
    context.record_rollback("files", "first.txt")
    with closing(sqlite3.connect(".handrail/runs.db")) as journal, journal:
        journal.execute(Path("sabotage.sql").read_text())
    context.record_rollback("files", "more.txt")

@sabotage.rollback
def undo_sabotage(context, result):
    Path("undone").touch()

sabotaged = action("sabotaged", [first, sabotage], params=Params, context=Context)

@dataclass(kw_only=True)
class Odd(BaseStepContext):
    lock: object = field(default_factory=__import__("threading").Lock)
    stream: "__import__('threading').Event" = None

odd = action("odd", [first], context=Odd)

if __name__ == "__main__":
    job.main()
'''

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(autouse=True)
def durable(folder: Path) -> None:
    (folder / "durable.py").write_text(DURABLE)


@pytest.fixture
def start(folder: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Start `handrail` in the background; what is left of it ends with the test."""
    processes: list[subprocess.Popen[str]] = []

    def begin(*words: str, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env={**environment, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def killed(start: Start) -> Callable[..., None]:
    """Run the job and kill it with SIGKILL in the middle of its second step."""

    def run_and_kill(*words: str, **variables: str) -> None:
        given = words or ("-m", "handrail", "run", "durable.py:job", "über")
        process = start(*given, **variables)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
        process.wait()

    return run_and_kill


def states(run: Run, number: int) -> dict[str, str]:
    document = json.loads(run("show", str(number), "--json").stdout)
    return {step["name"]: step["state"] for step in document["steps"]}


def runs(run: Run) -> dict[int, str]:
    return {each["id"]: each["state"] for each in json.loads(run("runs", "--json").stdout)["runs"]}


def made(folder: Path) -> set[str]:
    return {each.name for each in folder.glob("*.txt")}


def test_a_run_has_a_number_and_says_what_can_be_done(handrail: Run, folder: Path) -> None:
    (folder / "open").touch()
    done = handrail("run", "durable.py:job", "a")
    assert done.returncode == 0
    head = done.stderr.splitlines()[0]
    assert head.startswith("run 1 · job · plan ")
    assert head.endswith(" · journal .handrail/runs.db")
    assert done.stdout.splitlines()[-1] == "  see  handrail show 1     undo  handrail rollback 1"
    assert handrail("run", "durable.py:job", "a").stderr.startswith("run 2 · ")
    assert (folder / ".handrail").stat().st_mode & 0o777 == 0o700
    assert (folder / ".handrail" / "runs.db").stat().st_mode & 0o777 == 0o600


def test_a_killed_run_is_shown(handrail: Run, killed: Callable[..., None]) -> None:
    """What was done, what was not, what is recorded, who had it, and both ways out."""
    killed()
    told = handrail("show").stdout
    assert told.startswith("run 1 · durable.py:job · interrupted · owner pid ")
    assert " died after " in told.splitlines()[0]
    [line] = [line for line in told.splitlines() if line.startswith("second")]
    assert line.split() == ["second", "INTERRUPTED", "-", "files:", "1"]
    assert "+ 1 not started: mail" in told
    assert "finish  handrail resume 1      undoes what second recorded, and runs it again" in told
    assert "undo    handrail rollback 1    undoes second, first" in told
    assert states(handrail, 1) == {
        "first": "done",
        "second": "interrupted",
        "mail": "not started",
    }
    listed = handrail("runs").stdout.splitlines()[1]
    assert listed.startswith("1    durable.py:job  interrupted")
    assert listed.endswith("handrail resume 1")


def test_a_killed_run_is_finished(handrail: Run, folder: Path, killed: Callable[..., None]) -> None:
    """Elsewhere: the interrupted step once more, what was done not, the context as it was."""
    killed()
    (folder / "open").touch()
    done = handrail("resume")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("run 1 · durable.py:job · interrupted, started ")
    assert "✓ first" not in done.stderr
    assert (folder / "über.txt").read_text() == "made\n"
    assert (folder / "seen.txt").read_text() == "first second"
    assert runs(handrail) == {1: "completed"}
    again = handrail("resume", "1")
    assert (again.returncode, again.stdout) == (
        0,
        "run 1 is completed; there is nothing to resume\n",
    )


def test_a_killed_run_is_undone(handrail: Run, folder: Path, killed: Callable[..., None]) -> None:
    killed()
    assert made(folder) == {"first.txt", "über.txt"}
    done = handrail("rollback", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("job rolled back in ")
    assert made(folder) == set()
    assert runs(handrail) == {1: "rolled back"}
    assert handrail("rollback", "1").returncode == 2
    assert handrail("resume", "1").returncode == 2


def test_from_another_folder(
    handrail: Run, folder: Path, tmp_path: Path, killed: Callable[..., None]
) -> None:
    """A run goes on in its own working folder, wherever one stands."""
    killed()
    (folder / "open").touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    journal = str(folder / ".handrail" / "runs.db")
    done = handrail("resume", "1", "--journal", journal, cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert (folder / "seen.txt").exists()
    assert list(elsewhere.iterdir()) == []
    assert handrail("show", "1", cwd=elsewhere, HANDRAIL_JOURNAL=journal).returncode == 0
    missing = handrail("show", "1", cwd=elsewhere)
    assert missing.returncode == 2
    assert "there is no journal at" in missing.stderr


def test_a_completed_run_is_undone(handrail: Run, folder: Path) -> None:
    """Also later, and what has no rollback is named."""
    (folder / "open").touch()
    handrail("run", "durable.py:job", "a")
    assert "stays   what mail did: has effects, and no rollback" in handrail("show").stdout
    done = handrail("rollback")
    assert done.returncode == 0, done.stderr
    assert made(folder) == {"seen.txt"}


def test_a_failure_is_kept_where_that_is_asked(handrail: Run, folder: Path) -> None:
    """It ends with 6 and both ways out; resume runs the failed step again, and goes on."""
    (folder / "open").touch()
    (folder / "broken").touch()
    done = handrail("run", "durable.py:job", "a", "--on-failure", "keep")
    assert done.returncode == 6
    assert "what was done is kept" in done.stderr
    assert "  finish  handrail resume 1\n  undo    handrail rollback 1\n" in done.stderr
    assert made(folder) == {"first.txt", "a.txt"}
    assert runs(handrail) == {1: "failed (kept)"}
    again = handrail("resume", "1", "--on-failure", "keep")
    assert again.returncode == 6
    (folder / "broken").unlink()
    assert handrail("resume", "1").returncode == 0
    assert (folder / "a.txt").read_text() == "made\n"


def test_resume_is_no_way_around_what_is_required(
    handrail: Run, folder: Path, killed: Callable[..., None]
) -> None:
    """A pack or a step that the project has come to require is missed by `resume`, too."""
    killed()
    (folder / "open").touch()
    required = folder / "handrail.toml"
    required.write_text('[required]\npacks = ["acme-scan"]\n')
    done = handrail("resume", "1")
    assert done.returncode == 4
    assert "acme-scan" in done.stderr
    required.write_text(
        '[required]\nsteps = [{ step = "acme-scan:scan", before = "second", in = "*" }]\n'
    )
    done = handrail("resume", "1")
    assert done.returncode in (3, 4)
    assert "acme-scan" in done.stderr
    assert runs(handrail) == {1: "interrupted"}
    required.unlink()
    assert handrail("resume", "1").returncode == 0


def test_the_traceback_of_a_failure_is_kept(handrail: Run, folder: Path) -> None:
    (folder / "open").touch()
    (folder / "broken").touch()
    done = handrail("run", "durable.py:job", "a")
    assert done.returncode == 1
    assert "  full    handrail show 1 --traceback\n" in done.stderr
    assert "Traceback" not in done.stderr
    told = handrail("show", "1", "--traceback").stdout
    assert told.startswith("run 1 · second · undone: it is broken")
    assert "Traceback (most recent call last):" in told
    assert 'raise ValueError("it is broken")' in told


def test_two_terminals_race(handrail: Run, folder: Path, start: Start, killed: Callable) -> None:
    """Of two that resume one run, one does; the other is refused with 3 and told who has it."""
    killed()
    one = start("-m", "handrail", "resume", "1")
    assert one.stdout is not None
    assert one.stdout.readline() == "ready\n"
    other = handrail("resume", "1")
    assert other.returncode == 3
    assert f"pid {one.pid} " in other.stderr
    assert runs(handrail) == {1: "running"}
    assert f"running (pid {one.pid})" in handrail("runs").stdout
    out, _ = one.communicate("")
    assert one.returncode == 0
    assert "completed" in out
    assert (folder / "über.txt").read_text() == "made\n"


def test_all_that_are_dead(handrail: Run, folder: Path, killed: Callable[..., None]) -> None:
    """A boot script finishes what was left, the oldest first, and nothing else."""
    killed("-m", "handrail", "run", "durable.py:job", "a")
    killed("-m", "handrail", "run", "durable.py:job", "b")
    (folder / "open").touch()
    handrail("run", "durable.py:job", "c")
    done = handrail("resume", "--all-dead")
    assert done.returncode == 0, done.stderr
    assert runs(handrail) == {1: "completed", 2: "completed", 3: "completed"}
    assert done.stderr.index("run 1 · ") < done.stderr.index("run 2 · ")
    again = handrail("rollback", "--all-dead")
    assert again.returncode == 0
    assert "no run in .handrail/runs.db was left" in again.stdout
    assert handrail("resume", "1", "--all-dead").returncode == 2


def test_secrets_are_read_again(handrail: Run, folder: Path, killed: Callable[..., None]) -> None:
    """A secret is not in the journal; where its variable is not set, nothing is touched."""
    killed(*("-m", "handrail", "run", "durable.py:job", "a"), HANDRAIL_JOB_TOKEN="hunter2-and-more")
    files = list((folder / ".handrail").glob("runs.db*"))
    assert not any(b"hunter2" in file.read_bytes() for file in files)
    (folder / "open").touch()
    refused = handrail("resume", "1")
    assert refused.returncode == 2
    assert "HANDRAIL_JOB_TOKEN" in refused.stderr
    assert runs(handrail) == {1: "interrupted"}
    assert handrail("resume", "1", HANDRAIL_JOB_TOKEN="x").returncode == 0


def test_secrets_from_other_variables(handrail: Run, folder: Path, killed: Callable) -> None:
    """A variable that was named for a secret is read again, a list of secrets as JSON."""
    given = {"OTHER": "hunter2", "HANDRAIL_JOB_TOKENS": '["one-secret", "another"]'}
    killed("-m", "handrail", "run", "durable.py:job", "a", "--token-env", "OTHER", **given)
    (folder / "open").touch()
    refused = handrail("resume", "1", OTHER="hunter2", HANDRAIL_JOB_TOKENS="[")
    assert refused.returncode == 2
    assert "HANDRAIL_JOB_TOKENS, which has to hold JSON" in refused.stderr
    done = handrail("resume", "1", **given)
    assert done.returncode == 0, done.stderr


def test_the_part_of_the_plan_is_the_same(handrail: Run, folder: Path, killed: Callable) -> None:
    """What --skip left out of a run is left out when it goes on."""
    killed("-m", "handrail", "run", "durable.py:job", "a", "--skip", "mail", "--skip", "first")
    (folder / "open").touch()
    done = handrail("resume", "1")
    assert done.returncode == 0, done.stderr
    assert made(folder) == {"a.txt"}


def test_steps_that_changed_stop_it(handrail: Run, folder: Path, killed: Callable) -> None:
    """Where a step that had begun is gone, it needs --accept-drift; the rest may change."""
    killed()
    source = (folder / "durable.py").read_text()
    changed = source.replace("[first, second, mail]", "[second, mail]")
    (folder / "durable.py").write_text(changed)
    refused = handrail("rollback", "1")
    assert refused.returncode == 3
    assert "first is not in the plan any more" in refused.stderr
    assert "--accept-drift" in refused.stderr
    (folder / "durable.py").write_text(source.replace("second, mail]", "second]"))
    done = handrail("rollback", "1")
    assert done.returncode == 0, done.stderr
    assert "since run 1 began: mail is gone" in done.stderr


def test_a_program_is_found_again(handrail: Run, folder: Path, killed: Callable) -> None:
    """`name.main()` keeps its runs as `handrail run` does, and `handrail resume` finds it."""
    killed("durable.py", "a")
    (folder / "open").touch()
    done = handrail("resume")
    assert done.returncode == 0, done.stderr
    assert made(folder) == {"first.txt", "a.txt", "seen.txt"}


def test_without_a_journal(handrail: Run, folder: Path) -> None:
    """Nothing is written for it, but the plan that is compared with the next one."""
    (folder / "open").touch()
    done = handrail("run", "durable.py:job", "a", "--no-journal")
    assert done.returncode == 0
    assert done.stderr.startswith("job · 3 steps · plan ")
    assert not (folder / ".handrail" / "runs.db").exists()
    assert "show" not in done.stdout
    assert handrail("runs").stdout == "no runs yet; handrail run ACTION makes one\n"
    dry = handrail("run", "durable.py:job", "a", "--dry-run")
    assert dry.returncode == 0
    assert not (folder / ".handrail" / "runs.db").exists()
    both = handrail("run", "durable.py:job", "a", "--no-journal", "--on-failure", "keep")
    assert both.returncode == 2


def test_a_context_that_cannot_be_kept(handrail: Run, folder: Path) -> None:
    """One error before the first step, with the ways out."""
    done = handrail("run", "durable.py:odd")
    assert done.returncode == 2
    assert "Odd." in done.stderr
    assert "--no-journal" in done.stderr
    assert made(folder) == set()
    assert runs(handrail) == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only(handrail: Run, folder: Path) -> None:
    folder.chmod(0o500)
    try:
        done = handrail("run", "durable.py:job", "a")
    finally:
        folder.chmod(0o700)
    assert done.returncode == 5
    assert "nothing was run" in done.stderr
    assert "--no-journal" in done.stderr


def test_a_journal_that_cannot_be(handrail: Run, folder: Path) -> None:
    """Where there can be no journal, nothing is run, and the ways out are named."""
    (folder / ".handrail").write_text("a file")
    done = handrail("run", "durable.py:job", "a")
    assert done.returncode == 5
    assert "nothing was run" in done.stderr
    assert "--no-journal" in done.stderr
    assert made(folder) == set()
    odd = handrail("run", "durable.py:job", "a", "--journal", "redis://there")
    assert odd.returncode == 2
    assert "no pack for it is installed" in odd.stderr


def test_a_journal_that_fails_in_the_middle(handrail: Run, folder: Path) -> None:
    """The running step is undone, the rest is left, and both ways out are named."""
    (folder / "sabotage.sql").write_text("DROP TABLE note")
    done = handrail("run", "durable.py:sabotaged", "a")
    assert done.returncode == 5, done.stderr
    assert "finish it:  handrail resume 1" in done.stderr
    assert "undo it:  handrail rollback 1" in done.stderr
    assert (folder / "undone").exists()
    assert made(folder) == {"first.txt"}


def test_a_run_that_was_lost_to_another(handrail: Run, folder: Path) -> None:
    """Nothing is touched any more, and where to look is named."""
    (folder / "sabotage.sql").write_text("UPDATE run SET fence = fence + 1")
    done = handrail("run", "durable.py:sabotaged", "a")
    assert done.returncode == 3, done.stderr
    assert "handrail show 1" in done.stderr
    assert "rollback" not in done.stderr
    assert not (folder / "undone").exists()


def test_old_runs_are_deleted(handrail: Run, folder: Path, killed: Callable) -> None:
    """Those that are over; one that waits to be finished stays. Numbers are not given again."""
    killed()
    (folder / "open").touch()
    handrail("run", "durable.py:job", "a")
    assert handrail("runs", "prune", "--older-than", "1h").stdout == "0 runs deleted\n"
    assert handrail("runs", "prune", "--older-than", "0s").stdout == "1 run deleted\n"
    assert runs(handrail) == {1: "interrupted"}
    assert handrail("run", "durable.py:job", "a").stderr.startswith("run 3 · ")
    assert handrail("runs", "prune", "--older-than", "soon").returncode == 2


def test_runs_of_one_action(handrail: Run, folder: Path) -> None:
    (folder / "open").touch()
    handrail("run", "durable.py:job", "a")
    handrail("run", "flows.py:nightly", "in")
    listed = json.loads(handrail("runs", "--json", "--action", "nightly").stdout)["runs"]
    assert [each["id"] for each in listed] == [2]
    listed = json.loads(handrail("runs", "--json", "--limit", "1").stdout)["runs"]
    assert [each["id"] for each in listed] == [2]
    assert handrail("show", "9").returncode == 2
    assert handrail("show", "x").returncode == 2


def test_ctrl_c_in_an_undo_says_how_to_go_on(handrail: Run, folder: Path, start: Start) -> None:
    """Two signals stop an undo; what is left is undone by one command."""
    process = start("-m", "handrail", "run", "durable.py:undoing")
    assert process.stdout is not None
    assert process.stdout.readline() == "undoing\n"
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "Ctrl-C again" not in (line := process.stderr.readline()):
        assert line
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.7)  # Signals within half a second count as one.
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130
    assert "  undo    handrail rollback 1\n" in told
    (folder / "open").touch()
    assert handrail("rollback", "1").returncode == 0
    assert runs(handrail) == {1: "rolled back"}


def test_ctrl_c_keeps_where_that_is_asked(handrail: Run, folder: Path, start: Start) -> None:
    process = start("-m", "handrail", "run", "durable.py:job", "a", "--on-failure", "keep")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    _, told = process.communicate()
    assert "interrupted: what was done is kept" in told
    assert "finish  handrail resume 1" in told
    (folder / "open").touch()
    assert handrail("resume", "1").returncode == 0
    assert made(folder) == {"first.txt", "a.txt", "seen.txt"}


def test_a_signal_to_all_that_are_dead(
    handrail: Run, folder: Path, start: Start, killed: Callable[..., None]
) -> None:
    """The run that goes on is undone, in its own time, and no other one is begun."""
    killed("-m", "handrail", "run", "durable.py:job", "a")
    killed("-m", "handrail", "run", "durable.py:job", "b")
    process = start("-m", "handrail", "resume", "--all-dead")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 130
    assert runs(handrail) == {1: "rolled back", 2: "interrupted"}


def test_lists_import_neither_pydantic_nor_code_of_runs(handrail: Run, folder: Path) -> None:
    (folder / "open").touch()
    handrail("run", "durable.py:job", "a")
    (folder / "durable.py").write_text("raise SystemExit('imported')")
    for words in (["runs"], ["show"], ["show", "1", "--traceback"]):
        code = (
            "import sys; from handrail.cli import main; main(sys.argv[1:]);"
            "print(sorted({'pydantic', 'pluggy', 'durable'} & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[-1] == "[]"
