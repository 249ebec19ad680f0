"""The first minute of a user who has the core and nothing else, and the next one of an author."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from handrail import ExitCode

pytestmark = pytest.mark.slow


def test_a_flow_is_the_same_with_and_without_the_kit(environment, workshop, tmp_path: Path) -> None:
    shown: list[str] = []
    for number, each in enumerate((environment, workshop)):
        folder = tmp_path / str(number)
        done = each.handrail("new", "flow", "--into", folder)
        assert done.returncode == ExitCode.DONE, done.stderr
        ran = each.handrail("run", f"{folder}/flows.py:hello", "--journal", folder / "runs.db")
        assert ran.returncode == ExitCode.DONE, ran.stderr
        (each.work / "hello.txt").unlink()
        files = "".join((folder / name).read_text() for name in ("flows.py", "test_flows.py"))
        help_ = each.handrail("new", "flow", "--help").stdout
        shown.append(files + help_ + done.stdout.replace(str(folder), "FOLDER"))
    assert shown[0] == shown[1]


def test_the_tests_of_a_flow_pass(workshop, tmp_path: Path) -> None:
    assert workshop.handrail("new", "flow", "--into", tmp_path).returncode == ExitCode.DONE
    command = [workshop.scripts / "python", "-m", "pytest", "-q", "-W", "error"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_what_makes_and_checks_packs_is_in_another_distribution(environment, workshop) -> None:
    for words, what in ((("new", "pack", "webp"), "new pack"), (("check", "acme-greet"), "check")):
        done = environment.handrail(*words)
        assert done.returncode == ExitCode.USAGE
        assert done.stderr == (
            f"error: `handrail {what}` comes with handrail-testing:  pip install handrail-testing\n"
        )
    assert "pack  pip install handrail-testing" in environment.handrail("new", "--help").stdout
    assert "pack  from handrail-testing 0.1.0" in workshop.handrail("new", "--help").stdout
    assert "check  from handrail-testing 0.1.0" in workshop.handrail("--help").stdout
