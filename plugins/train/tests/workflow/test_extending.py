"""Trainings of one's own, and a pack that puts a step into every training."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from handrail import (
    BaseStep,
    BaseStepContext,
    RuntimeContext,
    StepFailedError,
    StepRegistry,
    StepResult,
    hookimpl,
    rollback,
)
from handrail.errors import ContextError
from handrail.sqlite import SqliteJournal
from handrail_testing import run_action
from handrail_train import (
    BaseTrainAction,
    DefaultTrainAction,
    LoadDatasetStep,
    TrainContext,
    TrainModelStep,
)
from handrail_train.errors import ModelError, TrainError


class Gate(BaseStep[TrainContext]):
    """Lets no model pass that is not good enough."""

    name = "check_accuracy"
    progress_weight = 0.05
    effects = False

    def __init__(self, least: float) -> None:
        self.least = least

    def execute(self, context: TrainContext) -> StepResult:
        found = context.metrics["accuracy"]
        if found < self.least:
            return StepResult(success=False, error=f"accuracy {found:.2f} is too low")
        model = context.use_predictor()
        assert model.predict({"length": 0.0, "width": 0.0}).shape == (1,)
        return StepResult(data={"accuracy": found})


def acme_gate(least: float) -> ModuleType:
    """Return the hooks of a pack called acme-gate."""
    hooks = ModuleType("acme_gate_hooks")

    @hookimpl
    def insert_after(action: Any, step: BaseStep[Any]) -> BaseStep[Any] | None:
        if "train" in action.lineage and step.name == "evaluate_model":
            return Gate(least)
        return None

    hooks.insert_after = insert_after  # type: ignore[attr-defined]
    return hooks


def test_a_pack_puts_a_step_into_a_training(here: Path, params: Any) -> None:
    outcome = run_action(DefaultTrainAction, params(epochs=20), packs=[acme_gate(0.5)])
    assert outcome.error is None
    assert list(outcome.steps) == [
        *("check_store", "load_dataset", "train_model", "evaluate_model"),
        *("check_accuracy", "upload_model"),
    ]
    assert outcome.context.results["check_accuracy"].data["accuracy"] > 0.5


def test_a_pack_vetoes_a_model_and_nothing_of_it_stays(here: Path, params: Any, world: Any) -> None:
    before = world(here)
    with pytest.raises(StepFailedError, match="is too low"):
        DefaultTrainAction(params(), packs=[acme_gate(1.1)]).run()
    assert world(here) == before


class Numbers(BaseModel):
    """Params that have nothing in common with those of the default training."""

    numbers: list[float]


@dataclass
class MeanContext(BaseStepContext):
    """A context of one's own."""

    numbers: list[float] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)


class Mean(BaseStep[MeanContext]):
    """Learns a mean."""

    name = "train_model"
    progress_weight = 0.6

    def execute(self, context: MeanContext) -> StepResult:
        context.metrics["mean"] = sum(context.numbers) / len(context.numbers)
        return StepResult()


class MeanTraining(BaseTrainAction[Numbers]):
    """As in the guide to step orchestration."""

    context_class = MeanContext

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        registry.register(Mean())


class SimpleTraining(BaseTrainAction[Numbers]):
    """Without steps: `execute` does it all."""

    def execute(self) -> dict[str, float]:
        return {"mean": sum(self.params.numbers)}


def test_a_training_of_ones_own_has_any_params_and_context() -> None:
    result = MeanTraining({"numbers": [1, 2]}, RuntimeContext(), packs=()).run()
    assert result["metrics"] == {"mean": 1.5}


def test_a_training_without_steps_runs_execute() -> None:
    assert SimpleTraining({"numbers": [1, 2]}, packs=()).run() == {"mean": 3}


class OnlyLoad(BaseTrainAction[Numbers]):
    """A default step with params that it cannot work with."""

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        registry.register(LoadDatasetStep())


def test_a_default_step_tells_which_params_it_lacks() -> None:
    with pytest.raises(StepFailedError, match="data: is required") as error:
        OnlyLoad({"numbers": []}, RuntimeContext(), packs=()).run()
    assert isinstance(error.value.__cause__, ContextError)


def test_a_context_without_a_client_says_so() -> None:
    with pytest.raises(RuntimeError, match="TrainContext has no client"):
        _ = TrainContext(RuntimeContext()).client
    assert TrainContext(RuntimeContext(client="c")).client == "c"


def test_a_step_that_needs_a_model_says_that_none_was_trained(params: Any) -> None:
    context = TrainContext(RuntimeContext(), params=params())
    with pytest.raises(TrainError, match="no model was trained in this run"):
        context.use_predictor()


def test_a_model_is_read_from_the_store_once_it_is_there(here: Path, params: Any) -> None:
    outcome = run_action(DefaultTrainAction, params())
    fresh = TrainContext(RuntimeContext(), params=params())
    fresh.model, fresh.dataset = outcome.context.model, outcome.context.dataset
    test = fresh.use_learnt().split.test
    there, here_ = fresh.use_predictor(), outcome.context.use_predictor()
    assert (there.of(test) == here_.of(test)).all()


def test_a_retried_upload_finds_the_model_again(here: Path, params: Any) -> None:
    """A layer may run a step again that had already cleaned up."""
    outcome = run_action(DefaultTrainAction, params())
    assert outcome.error is None
    assert not Path(outcome.context.model_path).exists()
    assert outcome.context.use_checkpoint().content


def test_the_step_says_what_it_would_do(params: Any) -> None:
    context = TrainContext(RuntimeContext(), params=params(epochs=1))
    assert TrainModelStep().preview(context) == "train sgd for 1 epoch at most"


def test_a_run_can_be_undone_where_the_kind_of_its_model_is_gone(
    here: Path, params: Any, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = world(here)
    journal = SqliteJournal(here.parent / "runs.db")
    DefaultTrainAction(params(), packs=()).run(journal=journal)
    assert world(here) != before

    def gone(name: str) -> Any:
        raise ModelError(f"no model is known as {name!r}")

    monkeypatch.setattr("handrail_train.models.kind_named", gone)
    rollback(DefaultTrainAction, 1, journal=journal, packs=())
    journal.close()
    assert world(here) == before
