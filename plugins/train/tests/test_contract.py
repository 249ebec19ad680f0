"""What every pack promises, of this one: its steps are run, killed at each record, and undone."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from handrail import RuntimeContext
from handrail_testing import PackContract, SilentLogger, folder, run_step
from handrail_train import (
    EvaluateModelStep,
    LoadDatasetStep,
    TrainContext,
    TrainModelStep,
    TrainParams,
)

_HOME = Path(tempfile.mkdtemp(prefix="handrail-train-"))
_WORLD = _HOME / "world"
_WORLD.mkdir()
_READY: dict[str, Any] = {}


@pytest.fixture(autouse=True, scope="module")
def _tidy() -> Any:
    yield
    shutil.rmtree(_HOME)


class Context(TrainContext):
    """A context of the run that trained the model, whichever run a step is checked in."""

    run = "01a21a83-58b6-733d-84f0-05ede60669d1"


def _context(state: str) -> TrainContext:
    params = TrainParams(
        data="iris", kind="sgd", epochs=2, store=str(_WORLD / "models"), folder=_HOME / state
    )
    return Context(RuntimeContext(logger=SilentLogger()), params=params.model_dump())


def context() -> TrainContext:
    """Make a context in which each of the steps has all that those before it make."""
    if not _READY:
        before = _context("before")
        for step in (LoadDatasetStep(), TrainModelStep(), EvaluateModelStep()):
            outcome = run_step(step, before)
            assert outcome.error is None, outcome.error
        for name in ("dataset", "history", "model_path", "metrics"):
            _READY[name] = getattr(before, name)
        _READY["trained"] = before.use_checkpoint()
    made = _context("world")
    trained = Path(_READY["model_path"]).relative_to(_HOME / "before")
    for name in ("dataset", "history", "model_path", "metrics"):
        setattr(made, name, _READY[name])
    made.model_path = str(_HOME / "world" / trained)
    # upload_model removes the checkpoints; here each attempt finds the model again.
    made.opened.trained = _READY["trained"]
    return made


class TestContract(PackContract):
    distribution = "handrail-train"
    context = context
    world = folder(_WORLD)
    # They need more than this context has, and are tested with actions of their own.
    untried = (
        *("check_mlflow", "cross_validate", "load_model", "log_to_mlflow"),
        "write_predictions",
    )
