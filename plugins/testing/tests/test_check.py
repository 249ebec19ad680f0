"""`handrail check`: the contract of a pack as a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from handrail import ExitCode
from handrail_testing import FakePacks

pytestmark = pytest.mark.slow  # Hundreds of commands: with one Python.

STEPS = """
    from handrail import BaseStep, StepResult

    class ScanFiles(BaseStep):
        name = "scan_files"
        progress_weight = 0.5

        def execute(self, context):
            return StepResult()
"""

Check = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def packs():
    with FakePacks() as made:
        yield made


@pytest.fixture
def check(packs: FakePacks, folder: Path, environment: dict[str, str]) -> Check:
    """Run `handrail check` where the fake packs are installed."""

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(filter(None, (str(packs.folder), os.environ.get("PYTHONPATH"))))
        return subprocess.run(
            [sys.executable, "-m", "handrail", "check", *words],
            cwd=folder,
            env={**environment, "PYTHONPATH": path, **variables},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    return run


def add(packs: FakePacks, steps: str = STEPS, **more) -> None:
    packs.add(
        "acme-scan",
        "1.4.0",
        steps={"scan_files": "acme_scan.steps:ScanFiles"},
        modules={"acme_scan/steps.py": steps},
        **more,
    )


def test_a_pack_that_keeps_its_promises_ends_with_0(packs: FakePacks, check: Check) -> None:
    add(packs)
    done = check("acme-scan")
    assert done.returncode == ExitCode.DONE, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("acme-scan 1.4.0 · 12 checks: 5 passed, 1 warned, 6 not checked")
    assert "weights   passed       weights are from 0.0 to 1.0" in lines
    assert any(line.startswith("rollback  not checked  running its steps takes") for line in lines)
    assert "no undo  step 'scan_files' has effects and no rollback" in done.stdout
    assert max(map(len, lines)) <= 120


EFFECTS = """
    from handrail import BaseStep, StepResult

    class Step(BaseStep):
        progress_weight = 0.2

        def execute(self, context):
            return StepResult()

    class Mails(Step):
        name = "mails"

    class Reads(Step):
        name = "reads"
        effects = False

    class Undoes(Step):
        name = "undoes"

        def rollback(self, context, result): ...

    class Resumes(Step):
        name = "resumes"

        def resume(self, context, result):
            return StepResult()

    class Closes(Step):
        name = "closes"
        always_run = True
"""


def test_steps_with_effects_that_nothing_undoes_are_warned_about(
    packs: FakePacks, check: Check
) -> None:
    """Not those that only read, can be undone or resumed, or always run."""
    classes = ("Mails", "Reads", "Undoes", "Resumes", "Closes")
    packs.add(
        "acme-ship",
        steps={each.lower(): f"acme_ship.steps:{each}" for each in classes},
        modules={"acme_ship/steps.py": EFFECTS},
    )
    checks = json.loads(check("acme-ship", "--json").stdout)["checks"]
    problems = [problem for each in checks for problem in each["problems"]]
    warned = [each["message"] for each in problems if each["code"] == "no-undo"]
    assert [message.partition(" has ")[0] for message in warned] == ["step 'mails'"]


def test_a_failed_check_ends_with_1_and_says_where_and_what_to_do(
    packs: FakePacks, check: Check
) -> None:
    add(packs, STEPS.replace("0.5", "5") + "\n    print('here I am')\n")
    done = check("acme-scan")
    assert done.returncode == ExitCode.FAILED
    assert "weights   failed" in done.stdout
    assert "    at acme_scan/steps.py:4" in done.stdout
    assert "progress_weight = 0.1" in done.stdout
    assert "importing acme-scan 1.4.0 prints 'here I am'" in done.stdout


def test_a_pack_that_cannot_be_used_ends_with_4(packs: FakePacks, check: Check) -> None:
    add(packs, "raise RuntimeError('the camera is gone')")
    done = check("acme-scan")
    assert done.returncode == ExitCode.PACK
    assert "the camera is gone" in done.stdout
    assert "names     not checked  it does not load" in done.stdout


def test_a_pack_for_another_core_ends_with_4(packs: FakePacks, check: Check) -> None:
    add(packs, requires=("handrail>=99",))
    done = check("acme-scan")
    assert (done.returncode, "wants handrail>=99" in done.stdout) == (ExitCode.PACK, True)


def test_json_is_one_object_whatever_the_pack_prints(packs: FakePacks, check: Check) -> None:
    add(packs, STEPS + "\n    print('here I am')\n")
    done = check("acme-scan", "--json")
    told = json.loads(done.stdout)
    assert (told["id"], told["version"], told["exit_code"]) == ("acme-scan", "1.4.0", 1)
    by_name = {each["name"]: each for each in told["checks"]}
    assert by_name["effects"]["status"] == "failed"
    assert by_name["effects"]["problems"][0]["code"] == "import-effect"
    assert by_name["undo"]["status"] == "warned"


def test_the_budget_of_hooks_can_be_raised(packs: FakePacks, check: Check) -> None:
    hooks = "import hypothesis\n"
    packs.add("acme-heavy", hooks=hooks, requires=("handrail", "hypothesis"))
    refused = check("acme-heavy")
    assert refused.returncode == ExitCode.FAILED
    assert "acme_heavy/hooks.py:1 imports hypothesis, which every plan then loads" in refused.stdout
    assert check("acme-heavy", "--allow-import", "hypothesis").returncode == ExitCode.DONE


def test_without_a_name_the_pack_of_this_folder_is_checked(
    packs: FakePacks, check: Check, folder: Path
) -> None:
    add(packs)
    none = check()
    assert none.returncode == ExitCode.USAGE
    assert "handrail check acme-scan" in none.stderr
    (folder / "pyproject.toml").write_text('[project]\nname = "acme-scan"\nversion = "1.5"\n')
    done = check()
    assert done.returncode == ExitCode.FAILED
    assert "version: pyproject.toml says 1.5, installed is 1.4.0" in done.stdout


def test_a_pack_that_is_not_installed_ends_with_2(packs: FakePacks, check: Check) -> None:
    add(packs)
    done = check("acme-scam")
    assert done.returncode == ExitCode.USAGE
    assert "did you mean acme-scan?" in done.stderr


def test_no_step_is_run(packs: FakePacks, check: Check, tmp_path: Path) -> None:
    add(packs, STEPS.replace("return StepResult()", f"open({str(tmp_path / 'x')!r}, 'w')"))
    assert check("acme-scan").returncode == ExitCode.DONE
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("width", [60, 80, 120, 200, None])
def test_the_list_fits_and_loses_no_reason(
    packs: FakePacks, check: Check, width: int | None
) -> None:
    """Reasons go on in further lines; a pipe has no width."""
    name = "資料を送る_" * 12
    add(packs, STEPS.replace('"scan_files"', f'"{name}"'))
    variables = {} if width is None else {"COLUMNS": str(width)}
    done = check("acme-scan", **variables)
    document = json.loads(check("acme-scan", "--json").stdout)
    lines = done.stdout.splitlines()
    assert width is None or max(map(_columns, lines)) <= width
    assert "CHECK RESULT" in [" ".join(line.split()[:2]) for line in lines]
    words = set(done.stdout.split())
    reasons = [each["why"] or each["promise"] for each in document["checks"]]
    assert not [word for each in reasons for word in each.split() if word not in words]
    whole = "".join(done.stdout.split())
    problems = [each for found in document["checks"] for each in found["problems"]]
    assert problems
    assert not [each for each in problems if "".join(each["message"].split()) not in whole]


def _columns(line: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in line)
