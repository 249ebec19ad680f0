"""What `handrail new pack` makes is whole: it builds, installs, type-checks, passes its tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from handrail import ExitCode
from handrail_testing.scaffold import new_pack

pytestmark = pytest.mark.slow

Run = Callable[..., "subprocess.CompletedProcess[str]"]

# What is given on the command line, and what it has to come to.
PACKS = {
    "by default": (("webp",), new_pack("webp")),
    "with everything": (
        ("acme-scan", "--action", "train", "--before", "fit", "--step", "scan_model", "--full"),
        new_pack("acme-scan", action="train", before="fit", step="scan_model"),
    ),
    "at the end": (
        ("acme-name-of-many-parts", "--action", "publish"),
        new_pack("acme-name-of-many-parts", action="publish"),
    ),
}


def tool(name: str) -> Path:
    """Return a tool of the environment that runs the tests."""
    found = Path(sys.executable).with_name(name)
    if not found.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed here")
    return found


@pytest.fixture(params=PACKS)
def made(request: pytest.FixtureRequest, workshop, tmp_path: Path) -> Path:
    """Return the folder of a pack that was just made, by the command of the built wheels."""
    words, pack = PACKS[request.param]
    done = workshop.handrail("new", "pack", *words, "--into", tmp_path)
    assert done.returncode == ExitCode.DONE, done.stderr
    folder = tmp_path / pack.distribution
    for name, text in pack.files(full="--full" in words).items():
        assert (folder / name).read_text(encoding="utf-8") == text
    return folder


@pytest.fixture
def run(made: Path) -> Run:
    def call(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("HANDRAIL_", "PYTHON"))}
        return subprocess.run(
            [str(word) for word in words],
            cwd=made,
            env={**clean, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1", **variables},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    return call


@pytest.fixture
def python(workshop, made: Path, run: Run, tmp_path: Path) -> Path:
    """Return the Python of a fresh environment with the pack, and what its tests need."""
    uv = tool("uv")
    wheels = tmp_path / "dist"
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    for words in (
        (uv, "build", "--wheel", "--out-dir", wheels, made),
        (uv, "venv", "--python", sys.executable, tmp_path / "venv"),
    ):
        done = run(*words)
        assert done.returncode == 0, done.stderr
    (wheel,) = wheels.glob("*.whl")
    install = (uv, "pip", "install", "--python", scripts / "python")
    packages = (workshop.wheels["handrail"], workshop.wheels["handrail-testing"], wheel)
    done = run(*install, "--offline", *packages)
    if done.returncode != 0:
        done = run(*install, *packages)
    assert done.returncode == 0, done.stderr
    return scripts / "python"


def test_its_tests_pass_and_it_keeps_the_contract(python: Path, made: Path, run: Run) -> None:
    tests = run(python, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")
    assert tests.returncode == 0, tests.stdout
    assert "12 passed, 4 skipped" in tests.stdout  # It has no can_skip, and no part in runs.
    check = run(python, "-m", "handrail", "check")
    assert check.returncode == ExitCode.DONE, check.stdout
    assert "metadata  passed" in check.stdout


def test_its_types_are_right_for_two_checkers(python: Path, run: Run) -> None:
    mypy = run(tool("mypy"), f"--python-executable={python}", "--cache-dir=/dev/null")
    assert mypy.returncode == 0, mypy.stdout
    pyright = run(tool("pyright"), "--pythonpath", python)
    assert pyright.returncode == 0, pyright.stdout


def test_its_style_is_that_of_ruff(made: Path, run: Run) -> None:
    ruff = tool("ruff")
    rules = run(ruff, "check", "--no-cache", "--extend-select", "D1,I,UP,B,RUF", ".")
    assert rules.returncode == 0, rules.stdout
    style = run(ruff, "format", "--no-cache", "--check", ".")
    assert style.returncode == 0, style.stdout


def test_its_step_stands_in_the_plan(python: Path, made: Path, run: Run) -> None:
    pack = next(each for _, each in PACKS.values() if each.distribution == made.name)
    anchor = pack.anchor or "work"
    (made / "flows.py").write_text(
        "from handrail import action, step\n"
        f"@step(name={anchor!r})\ndef anchor(context): ...\n"
        f"flow = action({pack.action!r}, [anchor])\n"
    )
    plan = run(python, "-m", "handrail", "plan", "flows.py:flow")
    assert plan.returncode == 0, plan.stderr
    assert f" {pack.step} " in plan.stdout
    assert f"{pack.distribution} 0.1.0" in plan.stdout
    assert run(python, "-m", "handrail", "run", "flows.py:flow").returncode == 0
    assert (made / f"{pack.step}.txt").read_text() == f"{pack.distribution} was here\n"
    (made / f"{pack.step}.txt").unlink()
    without = run(python, "-m", "handrail", "plan", "flows.py:flow", "--no-pack", made.name)
    assert f" {pack.step} " not in without.stdout
