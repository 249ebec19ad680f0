"""What is said to be supported is what is tested, and workflows run what nox knows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECTS = sorted([ROOT / "core/pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")])
PYTHON = "Programming Language :: Python :: 3."
CI = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")


def project(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))["project"]
    return found


def matrix_of_ci() -> list[str]:
    """Return the versions of Python in the matrix of CI."""
    (matrix,) = re.findall(r"^ +python: \[(.*)\]$", CI, re.MULTILINE)
    return re.findall(r"[\d.]+", matrix)


@pytest.mark.parametrize("file", PYPROJECTS, ids=lambda file: str(file.parent.name))
def test_classifiers_name_the_pythons_that_are_tested(file: Path) -> None:
    """A version that no run has proved is not named, and the oldest is the one required."""
    found = project(file)
    named = [each.rpartition(" ")[2] for each in found["classifiers"] if PYTHON in each]
    assert named == matrix_of_ci()
    assert found["requires-python"] == f">={named[0]}"


@pytest.mark.parametrize("file", PYPROJECTS, ids=lambda file: str(file.parent.name))
def test_every_dependency_has_a_lower_bound(file: Path) -> None:
    """`nox -s lowest` tests with it."""
    assert [each for each in project(file)["dependencies"] if not re.search("[>~]=", each)] == []


def test_ci_runs_every_session_of_a_whole_run() -> None:
    """What `nox` runs without arguments is what the jobs run beside each other."""
    noxfile = (ROOT / "noxfile.py").read_text("utf-8")
    (whole,) = re.findall(r"nox\.options\.sessions = \[(.*)\]", noxfile)
    (parts,) = re.findall(r"^ +part: \[(.*)\]$", CI, re.MULTILINE)
    run = {*parts.split(", "), *re.findall(r"\.ci/run (\w+)", CI)}
    assert run == {"demo", *re.findall(r"\w+", whole)}
