"""`handrail run` and `handrail plan` of local actions, in real processes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time

import pytest


def out(folder):
    return sorted(path.name for path in (folder / "out").glob("*"))


def test_an_action_in_a_file_runs(handrail, folder):
    """`run flows.py:name` runs the action, tells the steps on stderr and the result on stdout."""
    done = handrail("run", "flows.py:nightly", "in")
    assert done.returncode == 0, done.stderr
    assert out(folder) == ["a.txt", "b.txt", "ü.txt"]
    assert "nightly completed in" in done.stdout
    assert "3 of 3 steps executed" in done.stdout
    assert "✓ find" in done.stderr
    assert "files=3" in done.stderr


def test_a_failure_is_undone_and_ends_with_1(handrail, folder):
    """A failing step undoes the run; the message has the step, the cause and its line."""
    done = handrail("run", "flows.py:nightly", "in", "--fail")
    assert done.returncode == 1
    assert out(folder) == []
    assert "nightly failed at check, rolled back" in done.stderr
    assert "ValueError: told to fail" in done.stderr
    assert "flows.py:" in done.stderr
    assert "Traceback" not in done.stderr
    assert "↶ copy" in done.stderr


def test_debug_shows_the_traceback(handrail):
    """--debug anywhere on the line adds the traceback."""
    done = handrail("run", "flows.py:nightly", "in", "--fail", "--debug")
    assert "Traceback" in done.stderr


def test_a_dry_run_changes_nothing(handrail, folder):
    """--dry-run runs what only reads, and tells that the rest is not previewed."""
    done = handrail("run", "flows.py:nightly", "in", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert out(folder) == []
    assert "files=3" in done.stderr
    assert done.stdout.splitlines() == [
        *(" ○ copy", "     not previewed", " ○ check", "     not previewed"),
        "nightly would run 3 steps; nothing was done",
    ]


@pytest.mark.parametrize(
    ("arguments", "steps"),
    [
        (["--only", "find"], ["find"]),
        (["--from", "copy", "--skip", "check"], ["copy"]),
        (["--skip", "copy"], ["find", "check"]),
    ],
)
def test_parts_of_a_plan_can_be_run(handrail, arguments, steps):
    """--only, --from and --skip choose the steps, before or after the action's name."""
    for line in (["flows.py:nightly", "in", *arguments], [*arguments, "flows.py:nightly", "in"]):
        done = handrail("run", *line, "--json")
        events = [json.loads(each) for each in done.stdout.splitlines()]
        assert [each["step"] for each in events if each["event"] == "StepStarted"] == steps


def test_an_unknown_step_is_named_with_near_names(handrail):
    """--only with a misspelt step says what was meant and runs nothing."""
    done = handrail("run", "flows.py:nightly", "in", "--only", "finde")
    assert done.returncode == 2
    assert "Step 'finde' not found: did you mean find?" in done.stderr


def test_json_is_one_event_a_line(handrail):
    """--json writes one event per line with a schema, and ends with the result."""
    done = handrail("run", "flows.py:nightly", "in", "--json")
    events = [json.loads(each) for each in done.stdout.splitlines()]
    assert all(each["schema"] == 1 for each in events)
    assert events[0]["event"] == "RunStarted"
    assert events[-1] == {
        "schema": 1,
        "event": "Result",
        "number": 1,
        "result": {"success": True, "steps_executed": 3, "steps_total": 3},
    }
    assert [each["percent"] for each in events if each["event"] == "ProgressChanged"] == [
        20,
        90,
        100,
    ]


def test_json_errors_are_json_too(handrail):
    """With --json an error is a JSON object with code, message and exit code."""
    done = handrail("run", "flows.py:nightly", "in", "--fail", "--json")
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["error"]["code"] == "step-failed"
    assert last["error"]["exit_code"] == 1
    done = handrail("run", "flows.py:nightly", "--json")
    assert json.loads(done.stdout.splitlines()[-1])["error"]["code"] == "bad-params"


def test_wrong_params_are_told_in_the_words_of_the_command_line(handrail):
    """Missing and wrong params are reported together and end with 2."""
    done = handrail("run", "flows.py:nightly", "--times", "x")
    assert done.returncode == 2
    assert "SOURCE: is required" in done.stderr
    assert "--times: " in done.stderr
    done = handrail("run", "flows.py:nightly", "in", "-p", "tims=3")
    assert done.returncode == 2
    assert "did you mean times?" in done.stderr


def test_an_action_has_its_own_help(handrail):
    """`run ACTION --help` lists the action's arguments and options and those of run."""
    done = handrail("run", "flows.py:nightly", "--help")
    assert done.returncode == 0
    assert "SOURCE" in done.stdout
    assert "--fail / --no-fail" in done.stdout
    assert "--dry-run" in done.stdout


def test_a_file_is_a_program_of_its_own(folder, environment):
    """workflow.main() gives `python flows.py` the same options and exit codes."""
    for extra, code in (([], 0), (["--fail"], 1), (["--nonsense"], 2)):
        done = subprocess.run(
            [sys.executable, "flows.py", "in", *extra],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr


def test_an_action_in_its_simple_mode_runs(handrail):
    """An action without steps prints what its execute returns."""
    done = handrail("run", "flows.py:SimpleAction", "in")
    assert (done.returncode, done.stdout.strip()) == (0, "source=in")
    done = handrail("plan", "flows.py:SimpleAction")
    assert "has no steps" in done.stdout


def test_a_module_can_be_named_too(handrail):
    """`module:name` is imported from the working folder."""
    assert handrail("run", "flows:nightly", "in").returncode == 0


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("sub/flows.py:nightli", 2, "did you mean nightly?"),
        ("in", 2, "there is no action 'in'"),
        ("./in", 2, "is a directory"),
        ("flow.py:nightly", 2, "did you mean flows.py?"),
        ("flows.py:nightli", 2, "did you mean nightly?"),
        ("flows.py:copy", 2, "flows.py:copy is not an action but"),
        ("flows.py:Params", 2, "is not an action but"),
        ("flows.py", 2, "5 actions; name one"),
        ("broken.py:x", 2, "broken.py:2): ModuleNotFoundError"),
        ("syntax.py:x", 2, "syntax.py:1): SyntaxError"),
        ("no.module:x", 2, "there is no module no"),
        ("uplaod", 2, "did you mean upload?"),
        ("flows", 2, "handrail run flows.py:NAME"),
        ("handrail:BaseAction", 2, "is not an action but"),
        ("", 2, "name an action"),
    ],
)
def test_a_name_that_leads_nowhere_says_why(handrail, folder, name, code, message):
    """Each wrong name ends with one message, the way out, and exit code 2."""
    (folder / "sub").mkdir()
    (folder / "sub" / "flows.py").write_text((folder / "flows.py").read_text())
    (folder / "broken.py").write_text("import os\nimport nonsense_module\n")
    (folder / "syntax.py").write_text("def (:\n")
    done = handrail("run", name)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_plan_shows_every_step_and_who_put_it_there(handrail):
    """`plan` needs no params, runs nothing, and has a JSON form with a fingerprint."""
    done = handrail("plan", "flows.py:nightly")
    assert done.returncode == 0, done.stderr
    assert "nightly · 3 steps · plan " in done.stdout
    assert "only reads" in done.stdout
    document = json.loads(handrail("plan", "flows.py:nightly", "--json").stdout)
    assert [each["name"] for each in document["steps"]] == ["find", "copy", "check"]
    assert document["schema"] == 1
    assert len(document["fingerprint"]) == 16


def started(folder, environment, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "handrail", "run", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def ignore_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def test_a_job_in_the_background_ignores_ctrl_c_but_not_sigterm(folder, environment):
    """Where SIGINT is ignored it stays so, and SIGTERM still undoes the run and ends with 130."""
    with started(folder, environment, "flows.py:waiting", preexec_fn=ignore_interrupts) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "waiting"
        process.send_signal(signal.SIGINT)
        time.sleep(0.6)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert not (folder / "made.txt").exists()
    assert "waiting was interrupted, and rolled back" in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_undoes_the_run_and_ends_with_130(folder, environment, number):
    """Ctrl-C, SIGTERM and SIGHUP stop the step, undo what was done, and end with 130."""
    with started(folder, environment, "flows.py:waiting") as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "waiting"
        assert (folder / "made.txt").exists()
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert not (folder / "made.txt").exists()
    assert "waiting was interrupted, and rolled back" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("presses", [1, 2])
def test_in_an_undo_the_first_signal_warns_and_the_next_stops(folder, environment, presses):
    """One Ctrl-C lets the undo finish; another one stops it and says what was left behind."""
    with started(folder, environment, "flows.py:undoing", "in", "--fail") as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "undoing"
        process.send_signal(signal.SIGINT)
        errors = ""
        while "Ctrl-C again stops it" not in errors:
            line = process.stderr.readline()
            assert line, errors
            errors += line
        if presses == 2:
            time.sleep(0.6)  # Within half a second two signals are one.
            process.send_signal(signal.SIGINT)
        _, rest = process.communicate("\n", timeout=60)
        errors += rest
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "undoing failed at check" in errors
    assert (folder / "undone.txt").exists() == (presses == 1)
    assert ("not undone: slow_undo" in errors) == (presses == 2)


def test_a_reader_that_leaves_is_no_error(folder, environment):
    """A closed pipe ends the command quietly."""
    done = subprocess.run(
        f'"{sys.executable}" -m handrail run flows.py:nightly in --json | head -1',
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_options_before_the_action_are_what_click_takes_them_for(handrail, folder):
    """Options that every action has may stand before its name, in each of their spellings."""
    done = handrail(
        "run", "-ptimes=2", "--on-failure", "undo", "--dry-run", "flows.py:nightly", "in"
    )
    assert done.returncode == 0, done.stderr
    assert "dry run, nothing is changed" in done.stderr
    assert out(folder) == []
    done = handrail("run", "--journal")
    assert done.returncode == 2
    assert "requires an argument" in done.stderr


def test_a_part_that_lacks_what_it_needs(handrail, folder):
    """It names the step to include, and ends as other mistakes on the command line do."""
    (folder / "parts.py").write_text(
        "from handrail import action, step\n"
        "@step\ndef extract(context): return {'rows': 3}\n"
        "@step\ndef load(context): return {'rows': context.results['extract'].data['rows']}\n"
        "@step\ndef check(context): context.results['exract']\n"
        "parts = action('parts', [extract, load])\n"
        "typo = action('typo', [extract, check])\n"
    )
    for part in (["--only", "load"], ["--from", "load"], ["--skip", "extract"]):
        done = handrail("run", "parts.py:parts", *part)
        assert done.returncode == 2
        assert "cause   it needs extract, which was left out of this run" in done.stderr
        assert "let extract run too, or leave out --only, --from and --skip" in done.stderr
    done = handrail("run", "parts.py:typo")
    assert done.returncode == 1
    assert "no step answers to 'exract'; did you mean extract?" in done.stderr


def test_progress_as_json(handrail, folder):
    """Each line of standard error is an object, notes and errors too; the result is as ever."""
    done = handrail("run", "flows.py:nightly", "in", "--progress", "json")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert {each["schema"] for each in events} == {1}
    assert [each["event"] for each in events][:2] == ["RunStarted", "StepStarted"]
    assert "nightly completed" in done.stdout
    (folder / "flows.py").write_text((folder / "flows.py").read_text() + "# changed\n")
    failed = handrail("run", "flows.py:nightly", "in", "--fail", HANDRAIL_PROGRESS="json")
    events = [json.loads(line) for line in failed.stderr.splitlines()]
    assert events[-1]["event"] == "Error"
    assert events[-1]["error"]["exit_code"] == failed.returncode == 1


def test_other_kinds_of_progress(handrail):
    plain = handrail("run", "flows.py:nightly", "in", "--progress", "plain").stderr.splitlines()
    assert [line[9:] for line in plain if "find" in line] == ["▸ find", "✓ find  0.0s  files=3"]
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in plain)
    assert handrail("run", "flows.py:nightly", "in", "--progress", "off").stderr == ""
    done = handrail("run", "flows.py:nightly", "in", "--progress", "none")
    assert (done.returncode, "--progress" in done.stderr) == (2, True)


@pytest.mark.parametrize("progress", ["plain", "json", "bar"])
def test_a_run_without_a_terminal_imports_no_rich(folder, environment, progress):
    command = [sys.executable, "-X", "importtime", "-m", "handrail", "run", "flows.py:nightly"]
    done = subprocess.run(
        [*command, "in", "--progress", progress],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.split("|")[-1].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "handrail" in imported
    assert "rich" not in imported


COLLECTED = """
import gc

from handrail import action, step


@step(effects=False)
def look(context):
    return {"passed_over": gc.get_freeze_count(), "is_on": gc.isenabled()}


collected = action("collected", [look])
"""


def test_collections_in_a_run_pass_over_the_imported_modules(handrail, folder):
    """Steps that make many objects do not pay for those of the modules; garbage is collected."""
    (folder / "collected.py").write_text(COLLECTED, encoding="utf-8")
    done = handrail("run", "collected.py:collected", "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (data,) = (each["data"] for each in events if each["event"] == "StepFinished")
    assert data["passed_over"] > 10_000
    assert data["is_on"] is True
