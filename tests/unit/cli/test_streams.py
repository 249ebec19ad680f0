"""Closed, full and abandoned streams, a folder that is gone, early interrupts: no traceback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# With one Python: it is about no version of anything. How streams begin and end is that of Python.
pytestmark = [pytest.mark.slow, pytest.mark.cold]

EXTRA = """
import sys
import handrail

class Gone(handrail.BaseAction):
    def execute(self):
        raise BrokenPipeError("the server has hung up")

class Leaving(handrail.BaseAction):
    def execute(self):
        sys.exit(3)

class Own(handrail.BaseAction):
    def __init__(self, name):
        super().__init__()
    def setup_steps(self, registry):
        registry.register(made)

@handrail.step
def made(context):
    context.record_rollback("made", 1)

@made.rollback
def unmade(context, result):
    print("unmade", file=sys.stderr)

@handrail.step
def leave(context):
    sys.exit(0)

leaving = handrail.action("leaving", [made, leave])

@handrail.step
def odd(context):
    return {"x": float("nan"), "y": {(1, 2): 3}}

odds = handrail.action("odds", [odd])
"""


@pytest.fixture
def shell(folder, environment):
    (folder / "more.py").write_text(EXTRA)

    def run(line, **options):
        return subprocess.run(
            f'"{sys.executable}" -m handrail {line}',
            shell=True,
            executable=shutil.which("bash"),
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **options,
        )

    return run


FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
NOISY = """
import sys
import handrail

def note(what):
    print("\\n" * 9000, flush=True)
    print("\\n" * 9000, file=sys.stderr, flush=True)
    sys.stdout.write("and more")
    with open("told.txt", "a") as told:
        told.write(f"{what} ")

class Talk(handrail.BaseStep):
    progress_weight = 1.0
    def __init__(self, name, **limits):
        self.name, self.limits = name, handrail.Limits(**limits)
    def execute(self, context):
        note(self.name)
        return handrail.StepResult()
    def rollback(self, context, result):
        note("undo")

def item(item, context):
    note("item")

class Items(Talk):
    def execute(self, context):
        context.map_items(item, [1])
        return handrail.StepResult()

class Noisy(handrail.BaseAction):
    def setup_steps(self, registry):
        registry.register(Talk("plain"))
        registry.register(handrail.parallel("lanes", [[Talk("lane")]]))
        registry.register(Talk("isolated", isolated=True))
        registry.register(Items("items"))
"""
ALL = "plain lane isolated item "


@FULL
@pytest.mark.parametrize(
    "command",
    ["packs", "plan more.py:odds --json", "plan more.py:odds", "run more.py:odds --dry-run"],
)
def test_a_full_disk_is_told_in_one_line(shell, command):
    """Output that cannot be written is an error with its reason, and not exit code 0."""
    done = shell(f"{command} > /dev/full")
    assert done.returncode == 7
    assert "error: standard output could not be written: No space left" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="closes streams in the shell")
@pytest.mark.parametrize("flags", ["", "--progress json", "--progress plain", "--quiet"])
@pytest.mark.parametrize(
    "streams",
    [
        pytest.param("> /dev/full", marks=FULL),
        pytest.param("2> /dev/full", marks=FULL),
        pytest.param("> /dev/full 2>&1", marks=FULL),
        *(">&-", "2>&-", ">&- 2>&-", "< /dev/null 1<&0", "| true", "2>&1 | true"),
    ],
)
def test_a_run_and_its_undo_go_on_without_their_streams(shell, folder, streams, flags):
    """A stream that is closed, full or abandoned fails no run, and no step that prints."""
    pytest.importorskip("handrail_workers")  # For the isolated step, and for items.
    (folder / "noisy.py").write_text(NOISY)
    for words, told in (("run noisy.py:Noisy", ALL), ("rollback 1 --yes", ALL + "undo " * 4)):
        done = shell(f"{words} {flags} {streams}; exit ${{PIPESTATUS:-$?}}")
        assert done.returncode == 0, done.stderr.strip()
        assert "Traceback" not in done.stdout + done.stderr
        assert "Exception" not in done.stderr
        assert (folder / "told.txt").read_text() == told


@FULL
def test_events_that_are_lost_are_told_once_the_run_is_over(shell, folder):
    """They are what `--json` is for, so the exit code is not that of the work."""
    pytest.importorskip("handrail_workers")  # For the isolated step, and for items.
    (folder / "noisy.py").write_text(NOISY)
    for words, state in (("run noisy.py:Noisy", "completed"), ("rollback 1 --yes", "rolled back")):
        done = shell(f"{words} --json > /dev/full")
        assert done.returncode == 7
        assert "error: standard output could not be written: No space left" in done.stderr
        assert json.loads(shell("runs --json").stdout)["runs"][0]["state"] == state


@FULL
def test_a_run_that_fails_keeps_its_code_without_its_streams(shell):
    assert shell("run more.py:leaving > /dev/full 2>&1").returncode == 1
    assert shell("run more.py:leaving --json > /dev/full").returncode == 1


PROGRAM = """
import handrail

class Told(handrail.BaseStep):
    name, progress_weight = "told", 1.0
    def execute(self, context):
        context.log("event", {"x": 1})
        return handrail.StepResult()

def observe(event):
    raise ValueError("it is broken")

registry = handrail.StepRegistry()
registry.register(Told())
context = handrail.BaseStepContext(handrail.RuntimeContext())
handrail.Orchestrator(registry, context, observers=[observe]).execute()
print("done")
"""


@FULL
def test_what_a_program_cannot_log_fails_no_step(folder, environment):
    """Nor an observer that is dropped then."""
    (folder / "program.py").write_text(PROGRAM)
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "program.py"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            check=False,
        )
    assert done.stdout == "done\n"


def test_a_reader_that_has_enough_is_no_error(shell):
    done = shell("--help | head -1; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_broken_pipe_of_an_action_is_its_failure(shell):
    """BrokenPipeError from the action's own work is not taken for a reader that has left."""
    done = shell("run more.py:Gone")
    assert done.returncode == 1
    assert "gone failed; it has no steps, so nothing was undone" in done.stderr
    assert "BrokenPipeError: the server has hung up" in done.stderr
    last = json.loads(shell("run more.py:Gone --json").stdout)
    assert (last["event"], last["error"]["code"]) == ("Error", "action-failed")


def test_sys_exit_in_a_step_is_no_success(shell):
    """sys.exit(0) in a step undoes the run and ends with 1, in words and in JSON."""
    done = shell("run more.py:leaving")
    assert done.returncode == 1
    assert "leaving failed: a step called sys.exit(0), rolled back" in done.stderr
    assert "unmade" in done.stderr
    done = shell("run more.py:leaving --json")
    assert json.loads(done.stdout.splitlines()[-1])["error"]["exit_code"] == 1


def test_sys_exit_in_an_action_without_steps_is_its_failure(shell):
    """sys.exit(3) there does not end with a code that means something else."""
    done = shell("run more.py:Leaving")
    assert done.returncode == 1
    assert "cause   sys.exit(3)" in done.stderr


TALKING = """
import handrail
@handrail.step
def talk(context):
    print("said in a step")

@talk.rollback
def untalk(context, result):
    print("said in an undo")

talking = handrail.action("talking", [talk])
print("said while imported")
"""


@pytest.mark.parametrize(
    "command",
    ["run said.py:talking", "plan said.py:talking", "lock said.py:talking", "rollback 1 --yes"],
)
def test_json_stands_alone_on_standard_output(shell, folder, command):
    """What steps and imported files print is not within it, but on standard error."""
    (folder / "said.py").write_text(TALKING)
    if command.startswith("rollback"):
        assert shell("run said.py:talking").returncode == 0
    done = shell(f"{command} --json")
    decoder, rest = json.JSONDecoder(), done.stdout.strip()
    while rest:
        _, end = decoder.raw_decode(rest)
        rest = rest[end:].strip()
    assert "said while imported" in done.stderr
    told = {"run": "said in a step", "rollback": "said in an undo"}.get(command.split()[0], "")
    assert told in done.stderr
    plain = shell("run said.py:talking")
    assert "said in a step" in plain.stdout


def test_data_that_json_cannot_say_loses_no_event(shell):
    """Every event is there, also after one with NaN and keys that are no text."""
    lines = shell("run more.py:odds --json").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    assert [each["event"] for each in events][-2:] == ["RunFinished", "Result"]
    (finished,) = [each for each in events if each["event"] == "StepFinished"]
    assert finished["data"] == {"x": "nan", "y": {"(1, 2)": 3}}


def test_a_working_folder_that_is_gone_is_told(folder, environment, tmp_path):
    """A command in a deleted folder says so and ends with 2; the help is still there."""
    gone = tmp_path / "gone"
    for arguments, code in (("packs", 2), ("run x.py:y --json", 2), ("--help", 0)):
        gone.mkdir()
        line = f'cd "{gone}" && rmdir "{gone}" && "{sys.executable}" -m handrail {arguments}'
        done = subprocess.run(
            line, shell=True, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert code == 0 or "the working folder is gone" in done.stderr + done.stdout


@pytest.mark.parametrize("json_flag", ["", "--json"])
def test_an_interrupt_before_the_run_is_told(folder, environment, json_flag):
    """Ctrl-C while the file is imported ends with 130, and with JSON where that is wanted."""
    (folder / "slow.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(30)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "handrail", "run", "slow.py:x", *filter(None, [json_flag])],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    told = process.stderr if json_flag else process.stdout
    assert told is not None
    assert told.readline().strip() == "here"
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    if json_flag:
        assert json.loads(output)["error"]["code"] == "interrupted"
    else:
        assert "interrupted" in errors


def test_a_file_called_like_a_module_takes_nobodys_place(folder, environment):
    """An action in json.py runs, and does not stand in for the json module that others import."""
    (folder / "json.py").write_text((folder / "flows.py").read_text())
    # -P: as the installed command, which has not the working folder on its path.
    words = ["-P", "-m", "handrail", "run", "json.py:nightly", "in", "--json"]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["event"] == "Result"
