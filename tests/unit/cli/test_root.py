"""The root command: what it lists, what it imports, how wrong calls end."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


def test_no_command_shows_the_help(handrail):
    """`handrail` alone tells what there is, and ends well."""
    done = handrail()
    assert done.returncode == 0
    for command in ("packs", "actions", "steps", "plan", "run", "config", "doctor"):
        assert f"  {command}" in done.stdout
    assert "--no-pack" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "did you mean run?"),
        (["scan"], "there is no command 'scan'"),
        (["--nonsense"], "No such option"),
        (["run"], "name an action"),
        (["packs", "--no-pack"], "--no-pack needs the name of a pack"),
        (["steps", "nothing"], "nothing"),
    ],
)
def test_a_wrong_call_ends_with_2(handrail, arguments, message):
    """A wrong command, option or name gives one message, no traceback, and exit code 2."""
    done = handrail(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["packs", "actions", "steps", "config", "doctor"])
def test_every_listing_has_json(handrail, command):
    """--json gives one object with its schema."""
    done = handrail(command, "--json")
    document = json.loads(done.stdout)
    assert document["schema"] == 1
    key = {"config": "settings", "doctor": "problems"}.get(command, command)
    assert isinstance(document[key], list)


def test_config_tells_where_each_value_is_from(handrail, folder):
    """`config` shows flag, variable, file with line, and default."""
    (folder / "handrail.toml").write_text('[packs]\ndisable = ["acme-a"]\n')
    done = handrail("config", "--no-pack", "acme-b", HANDRAIL_NO_PACKS="acme-c")
    assert "handrail.toml:2" in done.stdout
    assert "--no-pack" in done.stdout
    assert "HANDRAIL_NO_PACKS" in done.stdout


def test_broken_settings_stop_a_run_but_no_listing(handrail, folder):
    """A misspelt setting is told with file and line; `packs` goes on, `run` does not."""
    (folder / "handrail.toml").write_text("\n[pakcs]\ndisable = []\n")
    listing = handrail("packs")
    assert listing.returncode == 0
    assert "handrail.toml:2" in listing.stderr
    assert "did you mean packs?" in handrail("config").stderr
    done = handrail("run", "flows.py:nightly", "in")
    assert done.returncode == 2
    assert "handrail.toml:2" in done.stderr
    assert not (folder / "out").exists()


def test_the_command_works_as_a_module(folder, environment):
    """`python -m handrail` is the same command."""
    done = subprocess.run(
        [sys.executable, "-m", "handrail", "--version"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.startswith("handrail ")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("handrail p", ["plain,packs", "plain,plan"]),
        ("handrail run flows.py:nightly --dry", ["plain,--dry-run"]),
        ("handrail run flows.py:nightly --tim", ["plain,--times"]),
        ("handrail run ", []),
    ],
)
def test_the_shell_completes_commands_and_options(handrail, words, expected):
    """Completion knows commands, and the options of an action that was named."""
    done = handrail(
        _HANDRAIL_COMPLETE="bash_complete",
        HANDRAIL_ONLY_PACKS="",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split(" ")) - 1),
    )
    assert done.stdout.split() == expected, done.stderr


def test_a_pack_to_leave_out_that_is_not_installed_is_told(handrail):
    """A misspelt --no-pack is a warning, in listings and in runs."""
    for line in (["packs"], ["plan", "flows.py:nightly"], ["run", "flows.py:nightly", "in"]):
        done = handrail(*line, "--no-pack", "acme-scna")
        assert done.returncode == 0
        assert "--no-pack: no installed pack is called acme-scna" in done.stderr
