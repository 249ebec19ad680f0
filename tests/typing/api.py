"""The public API as a user's own code would use it; never run, only type-checked.

A line that must not pass carries an ignore for both checkers: they fail when it is not needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel

from handrail import (
    ActionContext,
    ActionInfo,
    Argument,
    Around,
    BaseAction,
    BaseStep,
    BaseStepContext,
    ExitCode,
    Option,
    Orchestrator,
    PackInfo,
    Plan,
    Problem,
    PrunedRun,
    RefusedError,
    Run,
    RunInfo,
    RuntimeContext,
    Sleep,
    StepFailedError,
    StepRegistry,
    StepResult,
    StepWrapper,
    Undo,
    action,
    hookimpl,
    step,
)


@dataclass(kw_only=True)
class PhotoContext(BaseStepContext):
    """A context with fields of its own."""

    folder: Path
    photos: list[Path] = field(default_factory=list[Path])


@dataclass
class OtherContext(BaseStepContext):
    """A context that has nothing to do with photos."""

    rows: int = 0


class FindPhotos(BaseStep[PhotoContext]):
    """Name and weight as class attributes."""

    name = "find_photos"
    progress_weight = 0.1
    effects = False

    def execute(self, context: PhotoContext) -> StepResult:
        context.photos = sorted(context.folder.glob("*.jpg"))
        return StepResult(data={"photos": len(context.photos)})

    def can_skip(self, context: PhotoContext) -> bool:
        return bool(context.photos)


class TidyParams(BaseModel):
    """Params that steps read with their types."""

    folder: Path
    keep: int = 3


class TidyMore(TidyParams):
    """Params with one more."""

    stamp: str = ""


@dataclass(kw_only=True)
class TidyContext(ActionContext[TidyParams]):
    """The plain view of the params, and a field."""

    params: dict[str, Any] = field(default_factory=dict[str, Any])
    found: list[Path] = field(default_factory=list[Path])


class FindOld(BaseStep[TidyContext]):
    """Reads params from a context of its own."""

    name = "find_old"
    progress_weight = 0.1

    def execute(self, context: TidyContext) -> StepResult:
        folder: Path = context.options.folder
        wrong: str = context.options.keep  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
        context.found = sorted(folder.glob("*.bak"))
        return StepResult(data={"wrong": wrong, "given": context.params.get("keep", 3)})


@step
def move_old(context: ActionContext[TidyParams]) -> dict[str, int]:
    """Read params from the context that core makes."""
    keep: int = context.options.keep
    return {"keep": keep}


@step
def stamp(context: ActionContext[TidyMore]) -> dict[str, str]:
    """Read what is more."""
    move_old.execute(context)  # What is enough for fewer params is enough for more.
    return {"stamp": context.options.stamp}


made_by_hand = ActionContext[TidyParams](runtime_ctx=RuntimeContext(), params={"folder": "x"})
kept: int = made_by_hand.options.keep
told: StepResult = FindOld().execute(TidyContext(runtime_ctx=RuntimeContext(), params={}))
tidy = action("tidy", [FindOld(), move_old], params=TidyParams, context=TidyContext)


class SendPhotos(BaseStep[PhotoContext]):
    """Name and weight as properties, and everything async."""

    @property
    def name(self) -> str:
        return "send_photos"

    @property
    def progress_weight(self) -> float:
        return 0.8

    async def execute(self, context: PhotoContext) -> StepResult:
        for photo in context.photos:
            await context.arecord_rollback("sent", str(photo))
        context.set_progress(1, 2)
        context.set_metrics({"sent": len(context.photos)})
        return StepResult(success=True, rollback_data={"sent": []})

    async def rollback(self, context: PhotoContext, result: StepResult) -> None:
        for photo in result.rollback_data["sent"]:
            context.log("deleted", {"photo": photo})


class Notify(BaseStep[BaseStepContext]):
    """A general step, with name and weight as instance attributes."""

    def __init__(self, receiver: str) -> None:
        self.name = f"notify_{receiver}"
        self.progress_weight = 0.1

    def execute(self, context: BaseStepContext) -> StepResult:
        earlier: StepResult = context.results["find_photos"]
        context.record_rollback("told", 1)
        context.record_rollback_many("told", [2, 3])
        run: RunInfo | None = context.run_info
        number: int | None = None if run is None else run.number
        context.log("told", {"run": number})
        context.relies_on(["another"])
        return StepResult(data=dict(earlier.data))


class InTheWayError(RefusedError):
    """A refusal with a code of its own."""

    code = "in-the-way"
    exit_code = ExitCode.ROLLBACK


def release(run: PrunedRun) -> None:
    """Release what a run keeps elsewhere."""
    if run.outcome == "completed" and "notify" in run.rollback_data:
        told: Any = run.rollback_data["notify"]["told"]
        raise InTheWayError(f"{told} cannot be told", ways_out=("try again later",))


class AnyContext(BaseStep):
    """A step without a type argument fits every workflow."""

    name = "any_context"
    progress_weight = 1

    def execute(self, context: BaseStepContext) -> StepResult:
        return StepResult()


class CountRows(BaseStep[OtherContext]):
    """A step for another context."""

    name = "count_rows"
    progress_weight = 0.1

    def execute(self, context: OtherContext) -> StepResult:
        return StepResult(data={"rows": context.rows})


class Twice(StepWrapper[PhotoContext]):
    """A wrapper written as one generator."""

    def around(self, context: PhotoContext) -> Around:
        result = yield Run()
        if not result.success:
            yield Undo()
            yield Sleep(0.5)
            result = yield Run()
        return result


registry = StepRegistry[PhotoContext]()
registry.register(FindPhotos())
registry.register(SendPhotos())
registry.register(Notify("team"))
registry.register(AnyContext())
registry.insert_before("send_photos", Twice(FindPhotos()))
registry.insert_after("send_photos", Notify("others"), if_missing="skip")
registry.replace("find_photos", FindPhotos())
registry.wrap("send_photos", Twice)
registry.wrap("send_photos", lambda inner: Twice(Twice(inner)))
registry.unregister("count_rows", missing_ok=True)
registry.register(CountRows())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

steps: list[BaseStep[PhotoContext]] = registry.get_steps()
weight: float = registry.total_weight
present: bool = "send_photos" in registry

context = PhotoContext(runtime_ctx=RuntimeContext(), folder=Path("photos"))
orchestrator = Orchestrator(registry, context, lambda current, total: print(current / total))
count: int = orchestrator.execute()["steps_executed"]
asyncio.run(orchestrator.execute_async())

try:
    Orchestrator(registry, context).execute()
except StepFailedError as error:
    failed: str = error.step
    who: str = error.origin.owner if error.origin else ""
    undo: list[str] = [problem.message for problem in error.rollback_errors]


@step
def find(context: PhotoContext) -> dict[str, Any]:
    """Return a dict, which becomes the data."""
    return {"photos": len(context.photos)}


@step(weight=0.5, name="send", effects=True)
async def send(context: PhotoContext) -> None:
    """Return nothing."""
    context.record_rollback("sent", "a.jpg")


@send.rollback
async def unsend(context: PhotoContext, result: StepResult) -> None:
    print(context.folder, result.rollback_data)


@send.skip_if
def nothing_to_send(context: PhotoContext) -> bool:
    return not context.photos


registry.register(find)
registry.register(send)


class PhotoParams(BaseModel):
    """Params with a positional argument and a short option."""

    source: Annotated[Path, Argument()]
    limit: Annotated[int, Option("-n", "--limit")] = 10


class PhotoAction(BaseAction[PhotoParams]):
    """An action with typed params."""

    action_name = "photos"

    def setup_steps(self, registry: StepRegistry[PhotoContext]) -> None:
        registry.register(FindPhotos())
        if self.params.limit:
            registry.register(SendPhotos())

    def create_context(self) -> PhotoContext:
        return PhotoContext(runtime_ctx=self.ctx, folder=self.params.source)

    def result(self, context: PhotoContext) -> Mapping[str, Any]:
        return {"photos": len(context.photos)}


PhotoAction(PhotoParams(source=Path("photos"))).run()
PhotoAction({"source": "photos"}, RuntimeContext(client=object()), packs=()).plan()

nightly = action("nightly", [find, send], params=PhotoParams, context=PhotoContext)
nightly.run({"source": "photos"})
plan: Plan = nightly.plan()
share: float = plan.steps[0].weight_share


@hookimpl
def pack_info() -> PackInfo:
    return PackInfo(after=["acme-scan"])


@hookimpl
def insert_before(action: ActionInfo, step: BaseStep[Any]) -> BaseStep[Any] | None:
    if "upload" in action.lineage and step.name == "upload_files":
        return Notify("before")
    return None


@hookimpl
def check_plan(plan: Plan) -> list[Problem]:
    return [] if plan.steps else [Problem(code="empty", message="the plan is empty")]
