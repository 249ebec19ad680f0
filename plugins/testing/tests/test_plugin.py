"""The fixtures are there without being asked for, and cost nothing until they are used."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from handrail import action, step


@step
def find(context):
    return {"files": 3}


flow = action("flow", [find])

HOOKS = """
    from handrail import hookimpl, step

    @step
    def scan(context): ...

    @hookimpl
    def insert_before(action, step):
        return scan if step.name == "find" else None
"""


def pytest_in(folder: Path, source: str, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(source, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", "/dev/null"]
    return subprocess.run(
        [*command, f"--rootdir={folder}", "-q", *words, "test_it.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_step_is_run(run_step) -> None:
    assert run_step(find).ran("find").data["find"]["files"] == 3


def test_an_action_is_run_with_no_packs(run_action) -> None:
    run_action(flow).succeeded().ran("find")


def test_an_action_is_run_with_the_fake_packs_of_the_test(run_action, fake_packs) -> None:
    fake_packs.add("acme-scan", hooks=HOOKS)
    run_action(flow).ran("scan", "find")
    run_action(flow, packs=()).ran("find")


def test_fake_packs_are_gone_after_the_test(fake_packs) -> None:
    assert not fake_packs.provider.records
    assert not [name for name in sys.modules if name.startswith("acme_scan")]


def test_an_assertion_that_does_not_hold_shows_what_happened(tmp_path: Path) -> None:
    done = pytest_in(
        tmp_path,
        "from handrail import step\n"
        "@step\ndef find(context): return {'files': 3}\n"
        "def test_it(run_step):\n    run_step(find).ran('fnd')\n",
    )
    assert done.returncode == 1
    assert "expected fnd to run, but it was find; did you mean find?" in done.stdout
    assert "✓ find  {'files': 3}" in done.stdout
    assert "outcome.py" not in done.stdout.replace("site-packages", "")


def test_pytest_finds_the_plugin_by_its_entry_point(tmp_path: Path) -> None:
    (point,) = entry_points(group="pytest11", name="handrail")
    assert point.value == "handrail_testing.plugin"
    listed = pytest_in(tmp_path, "", "--fixtures").stdout
    for fixture in ("run_step", "run_action", "fake_packs"):
        assert f"{fixture} --" in listed


def test_steps_and_runs_are_not_imported_until_a_fixture_is_used(tmp_path: Path) -> None:
    done = pytest_in(
        tmp_path,
        "import sys\n"
        "def test_before():\n"
        "    known = [name for name in sys.modules if name.startswith('handrail.')]\n"
        "    assert known == ['handrail.lazy']\n"
        "def test_with_it(run_step):\n    assert 'handrail_testing.harness' in sys.modules\n"
        "    assert 'pydantic' not in sys.modules\n",
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("fixture", ["run_step", "run_action", "fake_packs"])
def test_every_fixture_says_what_it_does(tmp_path: Path, fixture: str) -> None:
    listed = pytest_in(tmp_path, "", "--fixtures").stdout
    assert f"{fixture} --" in listed
    assert "no docstring available" not in listed.partition(f"{fixture} --")[2][:120]
