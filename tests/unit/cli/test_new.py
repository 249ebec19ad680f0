"""`handrail new`: a workflow to begin with, and what packs can begin beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from garden import Garden

from handrail import ExitCode

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

Handrail = Callable[..., "subprocess.CompletedProcess[str]"]
NO_PACKS = {"HANDRAIL_ONLY_PACKS": ""}

COMMANDS = """
import click

@click.command()
def thing():
    print("a thing begins")
"""


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    made = tmp_path / "empty"
    made.mkdir()
    return made


def test_a_flow_is_written_with_its_test_and_runs_as_it_is(handrail: Handrail, empty: Path) -> None:
    done = handrail("new", "flow", cwd=empty)
    assert done.returncode == ExitCode.DONE, done.stderr
    assert sorted(path.name for path in empty.iterdir()) == ["flows.py", "test_flows.py"]
    assert "next\n  handrail run flows.py:hello\n  handrail rollback\n" in done.stdout
    assert handrail("run", "flows.py:hello", cwd=empty).returncode == ExitCode.DONE
    assert (empty / "hello.txt").read_text() == "Hello!\n"
    assert handrail("run", "flows.py:hello", cwd=empty).returncode == ExitCode.DONE
    assert handrail("rollback", "2", "--yes", cwd=empty).returncode == ExitCode.DONE
    assert (empty / "hello.txt").exists()  # The second run did not make it.
    assert handrail("rollback", "1", "--yes", cwd=empty).returncode == ExitCode.DONE
    assert not (empty / "hello.txt").exists()


def test_the_test_of_a_flow_passes(handrail: Handrail, empty: Path) -> None:
    handrail("new", "flow", cwd=empty)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    options = ["-c", "/dev/null", f"--rootdir={empty}"]
    done = subprocess.run(
        [*command, *options], cwd=empty, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_a_flow_looks_the_same_whatever_is_installed(handrail: Handrail, empty: Path) -> None:
    shown = handrail("new", "flow", "--help", cwd=empty)
    assert shown.returncode == ExitCode.DONE
    assert handrail("new", "flow", "--help", cwd=empty, **NO_PACKS).stdout == shown.stdout


def test_a_flow_can_be_written_elsewhere(handrail: Handrail, empty: Path) -> None:
    told = json.loads(handrail("new", "flow", "--into", "a b/c", "--json", cwd=empty).stdout)
    assert told["files"] == ["flows.py", "test_flows.py"]
    assert (told["folder"], told["action"]) == ("a b/c", "flows.py:hello")
    assert told["next"][0] == "cd 'a b/c'"
    assert (empty / "a b/c/flows.py").exists()


@pytest.mark.parametrize("there", ["flows.py", "test_flows.py"])
def test_nothing_is_overwritten_and_nothing_is_left_half(
    handrail: Handrail, empty: Path, there: str
) -> None:
    (empty / there).write_text("mine")
    done = handrail("new", "flow", cwd=empty)
    assert done.returncode == ExitCode.USAGE
    assert f"{there} is there already, and nothing is overwritten" in done.stderr
    assert [path.name for path in empty.iterdir()] == [there]
    assert (empty / there).read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_named(handrail: Handrail, empty: Path) -> None:
    (empty / "file").write_text("")
    done = handrail("new", "flow", "--into", "file/folder", cwd=empty)
    assert done.returncode == ExitCode.USAGE
    assert "file/folder cannot be written: Not a directory" in done.stderr


@pytest.fixture
def without_packs(tmp_path: Path, environment: dict[str, str]) -> Handrail:
    """Return a function that runs `handrail` as if no pack were installed."""
    code = (
        "import sys, handrail.packs.installed as packs\n"
        "packs.read_packs = lambda *_: ()\n"
        "from handrail.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize("words", [("new", "pack", "webp"), ("check",)])
def test_what_is_not_installed_is_named_in_one_line(
    without_packs: Handrail, words: tuple[str, ...]
) -> None:
    done = without_packs(*words)
    assert done.returncode == ExitCode.USAGE
    what = " ".join(words[:2])
    assert done.stderr == (
        f"error: `handrail {what}` comes with handrail-testing:  pip install handrail-testing\n"
    )


def test_the_help_says_what_else_could_be_begun(without_packs: Handrail) -> None:
    assert "  pack  pip install handrail-testing\n" in without_packs("new", "--help").stdout
    assert "handrail-testing" not in without_packs("--help").stdout


def test_packs_add_to_it_and_are_imported_when_called(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    garden = Garden(tmp_path)
    points = {"commands": {"new.thing": "acme_things:thing", "new.flow": "acme_things:thing"}}
    garden.plant("acme-things", "2.0", points=points, modules={"acme_things.py": COMMANDS})
    points = {"commands": {"new.bad": "acme_bad:bad"}}
    garden.plant("acme-bad", "1.0", points=points, modules={"acme_bad.py": "import acme_gone"})

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "handrail", *words],
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(garden.site)},
            capture_output=True,
            text=True,
            check=False,
        )

    shown = run("new", "--help").stdout
    own, _, packs = shown.partition("Commands from packs:")
    assert "  flow " in own
    assert "  thing  from acme-things 2.0" in packs
    assert "  bad    from acme-bad 1.0" in packs
    assert "  flow" not in packs  # The one of the core stays what it is.
    assert run("new", "thing").stdout == "a thing begins\n"
    assert run("new", "acme-things:thing").stdout == "a thing begins\n"
    assert "\n  thing " not in run("--help").stdout
    assert run("new.thing").returncode == ExitCode.USAGE
    off = run("new", "thing", "--no-pack", "acme-things")
    assert off.returncode == ExitCode.USAGE
    assert "there is no command 'new thing' that is on" in off.stderr
    assert "acme-things has it and is off: --no-pack" in off.stderr
    broken = run("new", "bad")
    assert broken.returncode == ExitCode.PACK
    assert "No module named 'acme_gone'" in broken.stderr


def test_a_misspelt_one_is_a_mistake_in_the_call(handrail: Handrail) -> None:
    done = handrail("new", "flw")
    assert done.returncode == ExitCode.USAGE
    assert "there is no command 'new flw'\n  did you mean flow?" in done.stderr
