"""Closed, full and abandoned streams, a folder that is gone, early interrupts: no traceback."""

from __future__ import annotations

import json
import os
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
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **options,
        )

    return run


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["packs", "plan more.py:odds --json", "run more.py:odds"])
def test_a_full_disk_is_told_in_one_line(shell, command):
    """Output that cannot be written is an error with its reason, and not exit code 0."""
    done = shell(f"{command} > /dev/full")
    assert done.returncode == 1
    assert "error: standard output could not be written: No space left" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="closes streams in the shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "2> /dev/full"])
def test_a_run_goes_on_without_its_streams(shell, closed):
    """A closed or full stream is nobody's error: the run completes."""
    if "full" in closed and not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    done = shell(f"run more.py:odds {closed}")
    assert done.returncode == 0
    assert "Traceback" not in done.stdout + done.stderr


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


def test_an_init_of_another_shape_is_told(shell):
    """An action whose __init__ does not take what it is given says what it has to take."""
    done = shell("run more.py:Own")
    assert done.returncode == 3
    assert "its __init__ has to take (params, ctx, *, packs)" in done.stderr


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
