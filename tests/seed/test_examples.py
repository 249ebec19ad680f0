"""The workflows that the seed's page shows, told anew: a garden show, put up and taken down."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from handrail import (
    BaseAction,
    BaseStep,
    BaseStepContext,
    Orchestrator,
    StepFailedError,
    StepRegistry,
    StepResult,
)
from handrail_synapse import (
    BaseExportAction,
    BaseTrainAction,
    BaseUploadAction,
    ExportContext,
    TrainContext,
    UploadContext,
)
from handrail_utils import LoggingStep, TimingStep, ValidationStep


@dataclass
class ShowContext(BaseStepContext):
    """Plants that are to be shown, and the numbers of their stands."""

    options: dict[str, Any] = field(default_factory=dict)
    plants: list[str] = field(default_factory=list)
    stands: list[int] = field(default_factory=list)

    @property
    def client(self) -> Any:
        return self.runtime_ctx.client


class CheckPlants(BaseStep[ShowContext]):
    """Name and weight as properties; a skip condition; failure by result."""

    @property
    def name(self) -> str:
        return "check_plants"

    @property
    def progress_weight(self) -> float:
        return 0.2

    def execute(self, context: ShowContext) -> StepResult:
        withered = [plant for plant in context.plants if plant.startswith("dry ")]
        if withered:
            return StepResult(success=False, error=f"withered: {', '.join(withered)}")
        return StepResult(data={"checked": len(context.plants)})

    def can_skip(self, context: ShowContext) -> bool:
        return context.options.get("trusting", False)


class PutUp(BaseStep[ShowContext]):
    """An effect for each plant; progress in between; undo from rollback_data."""

    name = "put_up"
    progress_weight = 0.6

    def execute(self, context: ShowContext) -> StepResult:
        for number, plant in enumerate(context.plants, 1):
            file = Path(context.options["folder"], plant)
            file.write_text(plant)
            context.stands.append(context.client.upload_file(file))
            context.set_progress(number, len(context.plants), "stands")
        return StepResult(rollback_data={"stands": list(context.stands)})

    def rollback(self, context: ShowContext, result: StepResult) -> None:
        for number in result.rollback_data.get("stands", []):
            try:
                context.client.delete_file(number)
            except OSError:
                context.errors.append(f"stand {number} is still there")


class Announce(BaseStep[ShowContext]):
    """The last step: logs, or fails when there is nobody to tell."""

    name = "announce"
    progress_weight = 0.2

    def execute(self, context: ShowContext) -> StepResult:
        if not context.options.get("guests", True):
            return StepResult(success=False, error="no guests")
        context.log("opened", {"stands": list(context.stands)})
        return StepResult()


class Named(BaseStep[Any]):
    """A step of any name; it logs that it ran."""

    progress_weight = 0.25

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, context: Any) -> StepResult:
        context.log("ran", {"step": self.name})
        return StepResult()


@pytest.fixture
def show(runtime: Any, tmp_path: Path) -> ShowContext:
    return ShowContext(runtime, options={"folder": tmp_path}, plants=["iris", "rose"])


def of(*steps: BaseStep[Any]) -> StepRegistry[Any]:
    registry: StepRegistry[Any] = StepRegistry()
    for each in steps:
        registry.register(each)
    return registry


def ran(notes: Any) -> list[str]:
    return [data["step"] for event, data in notes.logged if event == "ran"]


def test_a_step_with_everything(show: ShowContext) -> None:
    """A step succeeds with data, fails with its own words, and is skipped when it says so."""
    check = CheckPlants()
    assert check.execute(show).data == {"checked": 2}
    show.plants.append("dry fern")
    with pytest.raises(RuntimeError, match=r"^Step 'check_plants' failed: withered: dry fern$"):
        Orchestrator(of(check), show).execute()
    show.options["trusting"] = True
    assert Orchestrator(of(check), show).execute()["steps_executed"] == 0


def test_success(show: ShowContext, client: Any, notes: Any) -> None:
    """All steps run in order, the result counts them, and the callback ends at 100."""
    percents: list[tuple[int, int]] = []
    registry = of(CheckPlants(), PutUp(), Announce())
    orchestrator = Orchestrator(
        registry=registry,
        context=show,
        progress_callback=lambda current, total: percents.append((current, total)),
    )
    assert orchestrator.execute() == {"success": True, "steps_executed": 3, "steps_total": 3}
    assert client.stored == ["iris", "rose"]
    assert notes.logged == [("opened", {"stands": [1, 2]})]
    assert notes.progress == [(1, 2, "stands"), (2, 2, "stands")]
    assert percents == [(20, 100), (50, 100), (80, 100), (100, 100)]


def test_failure_takes_everything_down(show: ShowContext, client: Any) -> None:
    """When the last step fails, what the earlier ones put up is taken down again."""
    show.options["guests"] = False
    with pytest.raises(RuntimeError, match=r"^Step 'announce' failed: no guests$"):
        Orchestrator(of(CheckPlants(), PutUp(), Announce()), show).execute()
    assert client.count == 2
    assert client.stored == []
    assert show.errors == []


def test_undo_that_notes_what_is_left(show: ShowContext, client: Any) -> None:
    """A rollback may handle its own errors and leave a line for each in `context.errors`."""
    show.options["guests"] = False
    client.keeps_everything = True
    with pytest.raises(StepFailedError) as caught:
        Orchestrator(of(PutUp(), Announce()), show).execute()
    assert show.errors == ["stand 1 is still there", "stand 2 is still there"]
    assert caught.value.rollback_errors == ()


def test_editing_a_registry(context: BaseStepContext, notes: Any) -> None:
    """Steps are put before and after others and taken out by name, and run in the new order."""
    registry = of(*map(Named, ["dig", "sow", "water", "sweep"]))
    registry.insert_before("sow", Named("rake"))
    registry.insert_after("water", Named("fence"))
    registry.unregister("sweep")
    assert (len(registry), registry.total_weight) == (5, 1.25)
    assert Orchestrator(registry, context).execute()["steps_executed"] == 5
    assert ran(notes) == ["dig", "rake", "sow", "water", "fence"]


def test_utility_steps(show: ShowContext, client: Any, notes: Any) -> None:
    """Validation, logging and timing go around and before the steps of the show."""

    def has_plants(context: ShowContext) -> tuple[bool, str | None]:
        return bool(context.plants), "nothing to show"

    registry = of(
        ValidationStep(validator=has_plants, name="has_plants", progress_weight=0.05),
        LoggingStep(PutUp()),
        TimingStep(Announce()),
    )
    names = [each.name for each in registry.get_steps()]
    assert names == ["has_plants", "logged_put_up", "timed_announce"]
    Orchestrator(registry, show).execute()
    assert [event for event, _ in notes.logged] == ["step_start", "step_end", "opened"]
    assert show.results["announce"].data["duration_seconds"] >= 0
    show.plants.clear()
    with pytest.raises(RuntimeError, match="Step 'has_plants' failed: nothing to show"):
        Orchestrator(registry, show).execute()


class NoParams(BaseModel):
    """An empty model is fine."""


class GardenUpload(BaseUploadAction[NoParams]):
    """An upload as a plugin would write it."""

    def setup_steps(self, registry: StepRegistry[UploadContext]) -> None:
        for name in ("init", "organize", "upload"):
            registry.register(Named(name))


class GardenTraining(BaseTrainAction[NoParams]):
    """A training with steps."""

    def setup_steps(self, registry: StepRegistry[TrainContext]) -> None:
        registry.register(Named("load"))
        registry.register(Named("train"))


class SimpleTraining(BaseTrainAction[NoParams]):
    """A training that registers none: its simple mode."""

    def execute(self) -> dict[str, int]:
        return {"epochs": 3}


class GardenExport(BaseExportAction[NoParams]):
    """An export with steps."""

    def setup_steps(self, registry: StepRegistry[ExportContext]) -> None:
        registry.register(Named("fetch"))
        registry.register(Named("write"))


def test_actions(runtime: Any, notes: Any) -> None:
    """Upload, train and export actions run the steps of `setup_steps`, or their own `execute`."""
    assert GardenUpload(NoParams(), runtime, packs=()).run()["uploaded_files"] == 0
    assert GardenTraining(NoParams(), runtime, packs=()).run()["steps_executed"] == 2
    assert SimpleTraining(NoParams(), runtime, packs=()).run() == {"epochs": 3}
    assert GardenExport(NoParams(), runtime, packs=()).run()["exported_count"] == 0
    assert ran(notes) == ["init", "organize", "upload", "load", "train", "fetch", "write"]


class ShowParams(BaseModel):
    """Where the plants come from."""

    source: Path


class DescribeAction(BaseAction[ShowParams]):
    """The complete example: params become the context, and every step is logged."""

    def setup_steps(self, registry: StepRegistry[ShowContext]) -> None:
        for each in (CheckPlants(), PutUp(), Announce()):
            registry.register(LoggingStep(each))

    def create_context(self) -> ShowContext:
        plants = sorted(path.name for path in self.params.source.rglob("*.txt"))
        return ShowContext(self.ctx, options={"folder": self.ctx.client.inbox}, plants=plants)


def test_complete_action(source: Path, runtime: Any, client: Any, tmp_path: Path) -> None:
    """An action with params, a context of its own and wrapped steps does its work for real."""
    client.inbox = tmp_path / "inbox"
    client.inbox.mkdir()
    action = DescribeAction({"source": str(source)}, runtime, packs=())
    assert action.run() == {"success": True, "steps_executed": 3, "steps_total": 3}
    assert client.stored == ["a.txt", "b.txt"]
    with pytest.raises(ValueError, match="source: is required"):
        DescribeAction({}, runtime)
