"""The eight steps, how they are found, and what finding and running them imports."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

import handrail_upload
from handrail import BaseStep

STEPS = {
    "initialize": (0.05, True, False),
    "process_metadata": (0.10, False, False),
    "analyze_collection": (0.05, False, False),
    "organize_files": (0.15, False, False),
    "validate_files": (0.10, False, False),
    "upload_files": (0.30, True, False),
    "generate_data_units": (0.20, True, False),
    "cleanup": (0.05, True, True),
}
UNDOABLE = ("initialize", "upload_files", "generate_data_units")
HEAVY = {"obstore", "pyarrow", "openpyxl", "psycopg", "boto3"}


def python(code: str, folder: Path, **variables: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_eight_steps(make: Callable[..., Any]) -> None:
    """The default upload has these steps in this order, with these weights and flags."""
    steps = make().plan().steps
    found = {s.name: (s.step.progress_weight, s.effects, s.always_run) for s in steps}
    assert found == STEPS
    assert list(found) == list(STEPS)
    assert sum(weight for weight, _, _ in found.values()) == pytest.approx(1)
    assert tuple(each.name for each in steps if each.undoable) == UNDOABLE


def test_entry_points() -> None:
    """The metadata of the package names the actions, each step and the command, and all load."""
    groups: dict[str, dict[str, Any]] = {}
    for each in distribution("handrail-upload").entry_points:
        groups.setdefault(each.group, {})[each.name] = each.load()
    assert groups["handrail.actions"] == {
        "download": handrail_upload.DownloadAction,
        "upload": handrail_upload.DefaultUploadAction,
    }
    assert set(groups["handrail.commands"]) == {"upload"}
    steps = groups["handrail.steps"]
    assert set(steps) == set(STEPS)
    for name, step in steps.items():
        assert issubclass(step, BaseStep)
        assert step().name == name
        assert step.__doc__


def test_public_names() -> None:
    """Each public name is sorted, listed by dir, imported from its home, and documented."""
    assert handrail_upload.__all__ == sorted(handrail_upload.__all__)
    assert set(handrail_upload.__all__) <= set(dir(handrail_upload))
    for name in handrail_upload.__all__:
        value = getattr(handrail_upload, name)
        assert getattr(importlib.import_module(value.__module__), name) is value
        assert value.__doc__
    with pytest.raises(AttributeError, match=r"module 'handrail_upload' has no attribute 'Nope'"):
        _ = handrail_upload.Nope  # type: ignore[attr-defined]


def test_import_is_cheap(here: Path) -> None:
    """Importing the pack imports no other module than its own, and none of the heavy ones."""
    python(
        "import __future__, handrail, sys; before = set(sys.modules); import handrail_upload\n"
        "assert set(sys.modules) - before == {'handrail_upload'}, set(sys.modules) - before",
        here,
    )


@pytest.mark.parametrize("way", ["run", "dry run"])
def test_a_local_upload_imports_no_heavy_library(
    here: Path, write: Callable[..., Path], way: str
) -> None:
    """A folder goes to a folder and into SQLite without the clients of anything else."""
    write({"a.txt": "a", "sub/b.txt": "b"})
    (here / "sheet.csv").write_text("file,label\na.txt,1\n")
    python(
        "import sys\n"
        "from handrail.builtin.cli.dry_run import preview_plan\n"
        "from handrail_upload import DefaultUploadAction\n"
        "params = {'source': 'src', 'target': 'out', 'metadata_file': 'sheet.csv'}\n"
        "made = DefaultUploadAction(params, packs=())\n"
        + ("made.run()" if way == "run" else "made.run_plan(preview_plan(made.plan()))")
        + f"\nfound = {HEAVY!r} & sys.modules.keys()\nassert not found, found",
        here,
    )
