"""What is said to be supported is what is tested, and workflows run what nox knows."""

from __future__ import annotations

import ast
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


# Each writes texts through `visible`, or none that come from somewhere else.
WRITERS = (
    *("builtin/cli/view/console.py", "context.py", "orchestrator/dispatch.py"),
    *("orchestrator/interrupts.py", "handrail_synapse/__main__.py"),
)


def test_all_output_goes_through_the_console() -> None:
    """It spells out what could control a terminal; a command that writes by itself would not."""
    writing = {"print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write"}
    found = [
        f"{file.relative_to(ROOT)}:{each.lineno}: {ast.unparse(each.func)}"
        for file in [*(ROOT / "core/src").rglob("*.py"), *ROOT.glob("plugins/*/src/**/*.py")]
        if not file.as_posix().endswith(WRITERS)
        for each in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(each, ast.Call) and ast.unparse(each.func) in writing
    ]
    assert found == []


def test_ci_runs_every_session_of_a_whole_run() -> None:
    """What `nox` runs without arguments is what the jobs run, and pictures, which need npm."""
    noxfile = (ROOT / "noxfile.py").read_text("utf-8")
    (whole,) = re.findall(r"nox\.options\.sessions = \[(.*)\]", noxfile)
    (parts,) = re.findall(r"^ +part: \[(.*)\]$", CI, re.MULTILINE)
    run = {*parts.split(", "), *re.findall(r"\.ci/run (\w+)", CI)}
    assert run == {"demo", "views", *re.findall(r"\w+", whole)}


def test_one_policy_says_when_a_database_is_tried_again() -> None:
    """Two packs that do not know each other have the same text of it."""
    journal = ROOT / "plugins/postgres/src/handrail_postgres/reconnecting.py"
    catalogue = ROOT / "plugins/upload/src/handrail_upload/catalogue/reconnecting.py"
    assert journal.read_text("utf-8") == catalogue.read_text("utf-8")
