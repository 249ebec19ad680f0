"""The four steps, how they are found, and what finding, planning and helping imports."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

import handrail_train
from handrail import BaseStep
from handrail_train import DefaultTrainAction

STEPS = {
    "check_store": (0.05, False),
    "load_dataset": (0.15, False),
    "train_model": (0.50, True),
    "evaluate_model": (0.10, False),
    "upload_model": (0.20, True),
}
# With params that ask for it, and of another action.
OTHER_STEPS = {
    "check_mlflow": (0.05, False),
    "cross_validate": (0.10, False),
    "load_model": (0.20, False),
    "log_to_mlflow": (0.05, True),
    "write_predictions": (0.80, True),
}
HEAVY = ("sklearn", "numpy", "scipy", "skops", "pyarrow", "obstore", "lightgbm", "requests")


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own that must end well."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HANDRAIL_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**kept, "HANDRAIL_ONLY_PACKS": "handrail-train"},
        check=False,
    )
    assert not done.returncode, done.stderr
    return done


def test_the_default_training_has_five_steps_with_their_weights() -> None:
    plan = DefaultTrainAction.partial({}, packs=()).plan()
    assert [step.name for step in plan.steps] == list(STEPS)
    assert [float(step.weight_share) for step in plan.steps] == [w for w, _ in STEPS.values()]


def test_each_step_is_an_entry_point() -> None:
    points = distribution("handrail-train").entry_points.select(group="handrail.steps")
    made = {point.name: point.load()() for point in points}
    known = {**STEPS, **OTHER_STEPS}
    assert set(made) == set(known)
    for name, step in made.items():
        weight, undone = known[name]
        assert (step.name, step.progress_weight, step.effects) == (name, weight, undone)
        assert (type(step).rollback is not BaseStep.rollback) == undone
        assert type(step).__doc__


def test_public_names_are_sorted_documented_and_come_from_their_homes() -> None:
    assert handrail_train.__all__ == sorted(handrail_train.__all__)
    assert set(handrail_train.__all__) <= set(dir(handrail_train))
    for name in handrail_train.__all__:
        value = getattr(handrail_train, name)
        assert getattr(importlib.import_module(value.__module__), name) is value
        assert value.__doc__
    with pytest.raises(AttributeError, match="has no attribute 'Nope'"):
        _ = handrail_train.Nope  # type: ignore[attr-defined]


def test_importing_the_pack_imports_nothing_else(here: Path) -> None:
    python(
        "import __future__, handrail, sys; before = set(sys.modules); import handrail_train\n"
        "assert set(sys.modules) - before == {'handrail_train'}, set(sys.modules) - before",
        here,
    )


COMMANDS = (
    *(("packs",), ("actions",), ("steps",), ("run", "train", "--help")),
    *(
        ("plan", "train"),
        ("plan", "train", "flowers.csv", "--target", "kind", "--kind", "lightgbm"),
    ),
    *(("models", "--help"), ("models", "show", "--help"), ("models", "kinds")),
    *(("models", "kinds", "mlp"), ("models", "list")),
)


def test_no_command_that_trains_nothing_imports_a_heavy_library(here: Path) -> None:
    """Each is run in one process, after the other; so the first that does is told."""
    code = f"""
import contextlib, io, runpy, sys
for command in {COMMANDS!r}:
    sys.argv = ["handrail", *command]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            runpy.run_module("handrail", run_name="__main__", alter_sys=False)
        except SystemExit as end:
            assert not end.code, (command, end.code, said.getvalue())
    loaded = [name for name in {HEAVY!r} if name in sys.modules]
    assert not loaded, (command, loaded)
"""
    python(code, here)


def test_a_training_into_a_folder_needs_no_client_of_an_object_storage(
    here: Path, flowers: Path, params: Any
) -> None:
    python(
        "import sys; from handrail_train import DefaultTrainAction\n"
        f"DefaultTrainAction({params()!r}, packs=()).run()\n"
        "assert 'obstore' not in sys.modules and 'lightgbm' not in sys.modules",
        here,
    )
