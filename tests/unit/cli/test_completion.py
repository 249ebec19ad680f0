"""Shells complete the names of steps, runs and packs, and no pack is imported for that."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

PROGRAM = """
import sys
from handrail.cli import main
sys.argv = ["handrail"]
try:
    main()
finally:
    print([name for name in sys.modules if name.startswith("acme")], file=sys.stderr)
"""


@pytest.fixture
def complete(yard):
    """Return a function that completes the last of some words, and tells what was imported."""

    def completed(*words, shell="bash"):
        done = yard.python(
            PROGRAM,
            COMP_WORDS=" ".join(["handrail", *words]),
            COMP_CWORD=str(len(words)),
            _HANDRAIL_COMPLETE=f"{shell}_complete",
        )
        assert done.stderr.splitlines() == ["[]"], done.stderr
        return done.stdout.split()

    return completed


def plain(*names):
    return [f"plain,{name}" for name in names]


@pytest.mark.parametrize("option", ["--only", "--skip", "--from"])
def test_steps_of_a_run(yard, complete, option):
    """As the lock has them; without one, all steps that packs offer."""
    assert complete("run", "ship", option, "sc") == plain("scan")
    assert yard("lock", "ship").returncode == 0
    assert complete("run", "ship", option, "s") == plain("scan", "send")
    assert complete("run", "acme-ship:ship", option, "i") == plain("initialize")


def test_steps_to_explain_are_those_of_the_last_run(yard, complete):
    assert yard("run", "ship").returncode == 0
    names = plain("audit", "cleanup", "initialize", "scan", "send")
    assert sorted(complete("plan", "ship", "--explain", "")) == names


def test_packs(complete):
    """Wherever one is named."""
    for words in (
        ("plan", "--no-pack"),
        ("steps", "--only-packs"),
    ):
        assert complete(*words, "acme-s") == plain("acme-scan", "acme-ship"), words


@pytest.mark.parametrize("command", ["show", "resume", "rollback"])
def test_numbers_of_runs(yard, complete, command):
    """There are none before the first run."""
    assert complete(command, "") == []
    assert yard("run", "ship").returncode == 0
    assert complete(command, "") == plain("1")


SENT = """
import click
from handrail.cli import RunType, echo

@click.command()
@click.argument("run", type=RunType("ship"))
@click.option("--like", type=RunType())
def sent(run, like):
    echo(f"{run} {like}")
"""


def test_numbers_of_runs_in_commands_of_packs(yard, complete):
    """Those of the action that the command is about, and the value is what was given."""
    yard.plant("sent", "1.0", SENT, commands={"sent": "sent:sent"})
    (yard.project / "flows.py").write_text(
        "from handrail import action, step\n@step\ndef go(context): ...\nother = action('o', [go])"
    )
    assert yard("run", "flows.py:other").returncode == 0
    assert yard("run", "ship").returncode == 0
    assert complete("sent", "") == plain("2")
    assert complete("sent", "--like", "") == plain("2", "1")
    assert yard("sent", "7", "--like", "01a2").stdout == "7 01a2\n"


def test_what_cannot_be_completed_says_nothing(yard, complete):
    """An error would be written into the line that somebody types."""
    assert complete("run", "no_such_action", "--") == []
    (yard.project / "handrail.toml").write_text("nonsense")
    assert complete("run", "ship", "--only", "zz") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell):
    done = subprocess.run(
        [sys.executable, "-m", "handrail"],
        env={**os.environ, "_HANDRAIL_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "_HANDRAIL_COMPLETE" in done.stdout, done.stderr
