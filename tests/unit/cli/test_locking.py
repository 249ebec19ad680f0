"""Locked plans: what is written, what is refused, and what is told without a lock."""

from __future__ import annotations

import json
import stat
import subprocess
import sys

import pytest

from handrail import BaseAction
from handrail.builtin.cli.session import Session
from handrail.builtin.project.differences import LastPlan
from handrail.builtin.project.lock import ProjectLock
from handrail.builtin.project.lock_file import LockedAction
from handrail.errors import LockError
from handrail.events import RunStarted
from handrail.frozen import replace
from handrail.origin import Origin
from handrail.packs.configuration import Target
from handrail.plan.plan import Plan
from handrail.plan.rules import CheckedRun

pytestmark = pytest.mark.slow  # Hundreds of commands: with one Python.

FLOWS = """
from pydantic import BaseModel
from handrail import BaseAction, action, step

@step
def find(context): ...

@step
def push(context): ...

every_night = action("nightly", [find, push])

class Params(BaseModel):
    fast: bool
    token: str = "x"

class SpeedyAction(BaseAction[Params]):
    def setup_steps(self, registry):
        registry.register(find)
        if not self.params.fast:
            registry.register(push)

class SimpleAction(BaseAction):
    def execute(self):
        return {"done": True}

if __name__ == "__main__":
    every_night.main()
"""


@pytest.fixture
def flows(yard):
    """Return the yard with actions of the project's own."""
    (yard.project / "flows.py").write_text(FLOWS)
    (yard.project / "handrail.toml").write_text("")
    return yard


def lock_of(yard):
    return (yard.project / "handrail.lock").read_text()


def events(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_lock_holds_steps_layers_and_packs(yard):
    """One line each, no path of this machine, and the same text when it is written again."""
    done = yard("lock")
    assert done.returncode == 0, done.stderr
    text = lock_of(yard)
    assert '  { name = "scan", pack = "acme-scan" },' in text
    assert '  { name = "send", pack = "acme-ship", layers = ["acme-scan:timing"] },' in text
    assert '  { id = "acme-scan", version = "1.4.0", record = "sha256:' in text
    assert str(yard.project.parent) not in text
    again = yard("lock")
    assert "locked ship · 5 steps · " in again.stdout
    assert " packs · unchanged\n" in again.stdout
    assert lock_of(yard) == text


def test_a_run_that_matches_the_lock_is_locked(yard):
    """The head says so, the plan too, and so do the events."""
    yard("lock", "ship")
    assert "matches handrail.lock" in yard("plan", "ship").stdout.splitlines()[0]
    assert "(locked)" in yard("run", "ship").stderr.splitlines()[0]
    assert events(yard("run", "ship", "--json"))[0]["locked"] is True
    assert json.loads(yard("plan", "ship", "--json").stdout)["lock"]["matches"] is True


@pytest.mark.parametrize("arguments", [(), ("--dry-run",), ("--only", "send")])
def test_a_run_that_differs_from_the_lock_is_refused(yard, arguments):
    """With all differences at once and the ways out, before anything is run: exit code 3."""
    yard("lock", "ship")
    done = yard("run", "ship", "--no-pack", "acme-audit", *arguments)
    assert done.returncode == 3
    assert "the plan of ship is not the one in handrail.lock; nothing was run" in done.stderr
    assert "audit (acme-audit 2.0.1) is gone" in done.stderr
    assert "acme-audit 2.0.1 is off: --no-pack" in done.stderr
    assert "pip install" not in done.stderr
    assert "handrail lock ship" in done.stderr
    assert "--no-lock" in done.stderr
    assert not (yard.project / ".handrail").exists()


def test_drift_is_json_too(yard):
    """As the error event of the run, with each difference by its code."""
    yard("lock", "ship")
    (event,) = events(yard("run", "ship", "--no-pack", "acme-audit", "--json"))
    assert (event["error"]["code"], event["error"]["exit_code"]) == ("plan-drifted", 3)
    codes = [problem["code"] for problem in event["error"]["problems"]]
    assert codes == ["step-gone", "pack-gone"]


def test_no_lock_is_told_in_the_head_and_in_the_events(yard):
    """A run that leaves the lock aside can be found later."""
    yard("lock", "ship")
    done = yard("run", "ship", "--no-pack", "acme-audit", "--no-lock")
    assert done.returncode == 0
    assert "not locked (--no-lock)" in done.stderr
    assert events(yard("run", "ship", "--no-lock", "--json"))[0]["locked"] is False


def test_without_a_lock_nothing_is_said_of_one(yard):
    """No head, and no value in the events, also with --no-lock."""
    assert "lock" not in yard("plan", "ship").stdout
    assert "lock" not in yard("run", "ship", "--no-lock").stderr
    assert events(yard("run", "ship", "--json"))[0]["locked"] is None


def test_a_plan_says_that_it_differs_and_shows_how(yard):
    """The command in its foot lists the differences."""
    yard("lock", "ship")
    shown = yard("plan", "ship", "--no-pack", "acme-audit").stdout
    assert "differs from handrail.lock" in shown.splitlines()[0]
    assert "What differs: handrail lock --check ship" in shown


def test_an_action_that_the_lock_does_not_have_is_not_run(flows):
    """Locking it adds it, and leaves the others as they are."""
    flows("lock", "ship")
    done = flows("run", "flows.py:every_night")
    assert done.returncode == 3
    assert "flows.py:every_night is not in handrail.lock" in done.stderr
    assert "not in handrail.lock" in flows("plan", "flows.py:every_night").stdout.splitlines()[0]
    before = lock_of(flows)
    assert flows("lock", "flows.py:every_night").returncode == 0
    assert before.partition("schema")[2].partition("\n\n")[2] in lock_of(flows)
    assert "(locked)" in flows("run", "flows.py:every_night").stderr


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [
        (("run", "./flows.py:every_night"), "."),
        (("run", "../flows.py:every_night"), "inner"),
        (("lock", "--check", "../flows.py:every_night"), "inner"),
        (("lock", "--check"), "inner"),
        (("lock",), "inner"),
    ],
)
def test_a_file_has_one_name_wherever_it_is_run_from(flows, arguments, folder):
    """The way to it from the project's folder."""
    flows("lock", "flows.py:every_night", "--only-packs", "")
    before = lock_of(flows)
    (flows.project / "inner").mkdir()
    done = flows(*arguments, "--only-packs", "", folder=flows.project / folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert lock_of(flows) == before


def test_a_program_of_its_own_is_held_to_the_lock_too(flows, environment):
    """`python flows.py` is the same action as `flows.py:every_night`."""

    def program():
        return subprocess.run(
            [sys.executable, "flows.py"],
            cwd=flows.project,
            env={**environment, "HANDRAIL_ONLY_PACKS": ""},
            capture_output=True,
            text=True,
            check=False,
        )

    flows("lock", "flows.py:every_night", "--only-packs", "")
    assert "(locked)" in program().stderr
    (flows.project / "flows.py").write_text(FLOWS.replace("[find, push]", "[push, find]"))
    assert program().returncode == 3


def test_params_that_steps_depend_on_are_kept_in_the_lock(flows):
    """Where they are missing, the error says how to give them; then lock and check have them."""
    done = flows("lock", "flows.py:SpeedyAction")
    assert done.returncode == 2
    assert "handrail lock flows.py:SpeedyAction -p fast=..." in done.stderr
    secret = flows("lock", "flows.py:SpeedyAction", "-p", "fast=postgresql://ada:hunter2@db")
    assert secret.returncode == 2
    assert "-p fast has a password in it, and handrail.lock is shared" in secret.stderr
    assert flows("lock", "flows.py:SpeedyAction", "-p", "fast=true").returncode == 0
    assert 'params = ["fast=true"]' in lock_of(flows)
    assert flows("lock", "--check").returncode == 0
    assert flows("lock").returncode == 0
    assert flows("run", "flows.py:SpeedyAction", "--fast").returncode == 0
    slow = flows("run", "flows.py:SpeedyAction", "--no-fast")
    assert slow.returncode == 3
    assert "push (own code) is new, after find" in slow.stderr


def test_an_action_without_steps_can_be_locked(flows):
    """It has to be in the lock like any other."""
    flows("lock", "ship")
    assert flows("run", "flows.py:SimpleAction").returncode == 3
    flows("lock", "flows.py:SimpleAction")
    assert flows("run", "flows.py:SimpleAction").returncode == 0


def test_check_lists_all_drift_and_writes_nothing(yard):
    """Versions, files and steps, each with what it was; exit code 3."""
    yard("lock", "ship")
    before = lock_of(yard)
    record = yard.scan.record.read_text()
    yard.scan.record.write_text(record + "acme_scan/more.py,sha256=x,1\n")
    (yard.garden.site / "acme_scan" / "more.py").touch()
    done = yard("lock", "--check")
    assert done.returncode == 3
    assert "acme-scan 1.4.0 has other files under the same version" in done.stdout
    yard.scan.uproot()
    points = {"packs": {"scan": "acme_scan"}, "steps": {"scan": "acme_scan:scan"}}
    source = yard.SCAN.replace('"send"', '"initialize"', 1)
    yard.plant("acme-scan", "1.5.0", source, **points)
    found = json.loads(yard("lock", "--check", "--json").stdout)
    assert found["matches"] is False
    problems = found["actions"][0]["problems"]
    assert [problem["code"] for problem in problems][-1] == "pack-version"
    assert problems[-1]["message"] == "acme-scan is 1.5.0, and was 1.4.0"
    assert "step-moved" in {problem["code"] for problem in problems}
    assert lock_of(yard) == before
    written = yard("lock")
    assert "  ~ acme-scan is 1.5.0, and was 1.4.0" in written.stdout
    assert yard("lock", "--check").returncode == 0


def test_check_tells_about_an_action_that_is_gone(flows):
    """And `lock` drops it, and says so."""
    flows("lock", "flows.py:every_night", "ship")
    (flows.project / "flows.py").unlink()
    done = flows("lock", "--check")
    assert done.returncode == 3
    assert "action gone" in done.stdout
    assert "ship: as in handrail.lock" in done.stdout
    assert "dropped flows.py:every_night" in flows("lock").stdout
    assert flows("lock", "--check").returncode == 0


def test_check_goes_on_where_a_plan_has_problems(flows):
    """They are listed with the drift of the other actions."""
    flows("lock", "flows.py:every_night", "ship")
    (flows.project / "flows.py").write_text(FLOWS.replace("[find, push]", "[push, find]"))
    done = flows("lock", "--check", "--no-pack", "acme-scan")
    assert done.returncode == 3
    assert "unknown anchor" in done.stdout
    assert "push was after find, and is first" in done.stdout


def test_a_lock_lies_in_the_project(flows):
    """Wherever it is written from; what is printed leads to it."""
    (flows.project / "inner").mkdir()
    done = flows("lock", "ship", folder=flows.project / "inner")
    assert "wrote ../handrail.lock · 1 action" in done.stdout
    assert "ship" in lock_of(flows)


def test_check_without_a_lock_ends_with_2(yard):
    """With the command that writes one."""
    done = yard("lock", "--check")
    assert done.returncode == 2
    assert "write one:  handrail lock" in done.stderr


@pytest.mark.parametrize("command", [("run", "ship"), ("plan", "ship"), ("lock",)])
def test_a_damaged_lock_stops_everything_that_needs_it(yard, command):
    """One clear message, exit code 2, and the file is left as it is."""
    (yard.project / "handrail.lock").write_text("schema = 1\n<<<<<<< HEAD\n")
    done = yard(*command)
    assert done.returncode == 2
    assert "handrail.lock is not TOML" in done.stderr
    assert "git checkout handrail.lock" in done.stderr
    assert "<<<<<<<" in lock_of(yard)


def test_nothing_to_lock_is_an_error(yard):
    """Rather than an empty lock, which would forbid everything."""
    done = yard("lock", "--only-packs", "")
    assert done.returncode == 2
    assert "handrail lock flows.py:NAME" in done.stderr
    assert not (yard.project / "handrail.lock").exists()


def test_the_second_run_tells_what_has_changed_since_the_first(yard):
    """On stderr, before the run; the first run, and one without changes, say nothing."""
    assert "changed" not in yard("run", "ship").stderr
    assert "changed" not in yard("run", "ship").stderr
    done = yard("run", "ship", "--no-pack", "acme-audit")
    assert done.stderr.splitlines()[:3] == [
        "changed since the last run of ship:",
        "  - audit (acme-audit 2.0.1) is gone",
        "  - acme-audit 2.0.1 is off: --no-pack",
    ]
    assert "changed" not in done.stdout
    back = yard("run", "ship").stderr
    assert "  + audit (acme-audit 2.0.1) is new, after scan" in back
    assert "changed" not in yard("run", "ship", "-q", "--no-pack", "acme-audit").stderr


def test_many_changes_are_cut_short(yard):
    """The rest is in the plan."""
    yard("run", "ship")
    flags = ("--no-pack", "acme-audit", "--no-pack", "acme-scan")
    (yard.project / "flows.py").write_text("")
    lines = yard("run", "ship", *flags).stderr.splitlines()
    assert lines[0] == "changed since the last run of ship:"
    assert len([line for line in lines if line.startswith(("  +", "  -", "  ~"))]) == 5


def test_only_a_real_run_is_remembered(yard):
    """Neither a dry run nor one that is refused."""
    yard("run", "ship", "--dry-run")
    yard("run", "ship", "--only", "no_such_step")
    assert not (yard.project / ".handrail").exists()
    yard("run", "ship")
    kept = yard.project / ".handrail"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert (kept / ".gitignore").read_text().splitlines()[-1] == "*"
    assert [path.name for path in (kept / "plans").iterdir()] == ["acme-ship%3Aship.toml"]


def test_what_was_remembered_never_fails_a_run(yard):
    """Damaged, or not to be written: the run goes on and says nothing of it."""
    yard("run", "ship")
    (file,) = (yard.project / ".handrail" / "plans").iterdir()
    file.write_bytes(b"\xff")
    done = yard("run", "ship", "--no-pack", "acme-audit")
    assert (done.returncode, "changed" in done.stderr) == (0, False)
    assert "changed" in yard("run", "ship").stderr  # It was written anew.
    file.unlink()
    file.parent.rmdir()
    file.parent.write_text("in the way")
    done = yard("run", "ship")
    assert done.returncode == 0, done.stderr


def test_a_setting_or_policy_that_forces_a_lock_is_named(tmp_path, monkeypatch):
    """Neither a missing lock nor --no-lock gets past it, but for a run that began without one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HANDRAIL_ONLY_PACKS", "")
    lock = ProjectLock.of(Session().packs)
    forced = replace(lock, forced_by="acme-policy 3.1.0")
    plan = Plan(action="ship", steps=())

    def check(lock, **more):
        target = Target(name="ship.py:ship", action_class=BaseAction, origin=Origin())
        run = CheckedRun(
            plan=plan, whole=lambda: plan, action_class=BaseAction, target=target, **more
        )
        return lock.check(run)

    missing = r"acme-policy 3.1.0 wants every run locked, and there is no"
    with pytest.raises(LockError, match=missing):
        check(forced)
    given = r"acme-policy 3.1.0 wants every run locked, and --no-lock is given"
    with pytest.raises(LockError, match=given):
        check(forced, no_lock=True)
    with pytest.raises(LockError, match=missing):
        check(forced, left_aside=True)
    assert check(lock) is None


def test_a_last_plan_is_written_when_the_run_starts(tmp_path):
    """Not before."""
    last = LastPlan(tmp_path, LockedAction(name="ship.py:ship"))
    assert not (tmp_path / ".handrail").exists()
    last(RunStarted(action="ship", run_id="1", fingerprint="f", steps=()))
    assert (tmp_path / ".handrail" / "plans" / "ship.py%3Aship.toml").is_file()
    assert last.changes({}) == []
