"""A workflow with steps of all kinds, whose effects are files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from handrail import BaseAction, BaseStep, BaseStepContext, Run, StepResult, StepWrapper, Undo


class Params(BaseModel):
    """The folder of the files."""

    world: Path
    fail: str = ""
    stuck: str = ""


@dataclass(kw_only=True)
class Context(BaseStepContext):
    """What the steps share."""

    world: Path
    fail: str = ""
    stuck: str = ""
    made: list[str] = field(default_factory=list)
    client: Any = field(default=None, metadata={"transient": True})


def put(path: Path, context: Context) -> None:
    """Create a file that has the mark of its run from the start."""
    aside = path.parent.parent / f"{path.name}.new"
    aside.write_text(str(context.run_id))
    aside.rename(path)


class Make(BaseStep[Context]):
    """Writes files marked with the run, each recorded before it is written."""

    progress_weight = 0.1

    def __init__(self, name: str, count: int = 2) -> None:
        self.name = name
        self.count = count

    def execute(self, context: Context) -> StepResult:
        for number in range(self.count):
            self.write(context, f"{self.name}-{number}")
        if context.fail == self.name:
            raise ValueError("told to fail")
        return StepResult(data={"files": self.count}, rollback_data={"made": [f"{self.name}-0"]})

    def write(self, context: Context, file: str) -> None:
        context.record_rollback("made", file)
        path = context.world / file
        assert not path.exists(), f"{file} was made twice"
        put(path, context)
        context.made.append(file)

    def rollback(self, context: Context, result: StepResult) -> None:
        if context.stuck == self.name:
            raise OSError("stuck")
        for file in result.rollback_data.get("made", ()):
            path = context.world / file
            if path.exists() and path.read_text() == str(context.run_id):
                path.unlink()


class MakeAsync(Make):
    """Like `Make`, in a coroutine."""

    async def execute(self, context: Context) -> StepResult:
        for number in range(self.count):
            await context.arecord_rollback("made", f"{self.name}-{number}")
            put(context.world / f"{self.name}-{number}", context)
        if context.fail == self.name:
            raise ValueError("told to fail")
        return StepResult()


class Skips(Make):
    """Is always skipped."""

    def can_skip(self, context: Context) -> bool:
        return True


class Overwrites(Make):
    """Replaces a foreign file, which it saves first."""

    def execute(self, context: Context) -> StepResult:
        aside, file = context.world / "theirs.aside", context.world / "theirs"
        context.record_rollback("aside", "theirs")
        if not aside.exists():
            file.rename(aside)
        file.write_text(str(context.run_id))
        return StepResult()

    def rollback(self, context: Context, result: StepResult) -> None:
        aside = context.world / "theirs.aside"
        if result.rollback_data.get("aside") and aside.exists():
            aside.rename(context.world / "theirs")


class Continues(Make):
    """Resumes where it was interrupted."""

    def resume(self, context: Context, result: StepResult) -> StepResult:
        there = result.rollback_data.get("made", [])
        for number in range(self.count):
            file = f"{self.name}-{number}"
            if not (context.world / file).exists():
                if file not in there:
                    context.record_rollback("made", file)
                put(context.world / file, context)
        return StepResult()


class Connects(BaseStep[Context]):
    """Creates an object that cannot be stored."""

    name = "connect"
    progress_weight = 0.1

    def execute(self, context: Context) -> StepResult:
        context.client = "connected"
        return StepResult()

    def restore(self, context: Context, result: StepResult) -> None:
        context.client = "connected"


class Needs(Make):
    """Needs the object created by `Connects`."""

    def execute(self, context: Context) -> StepResult:
        assert context.client == "connected"
        return super().execute(context)


class Twice(StepWrapper[Context]):
    """Undoes the first attempt, and tries again."""

    def around(self, context: Context) -> Any:
        yield Run()
        yield Undo()
        return (yield Run())


class Closes(BaseStep[Context]):
    """Deletes saved files once they can no longer be needed."""

    name = "close"
    progress_weight = 0.1
    always_run = True

    def execute(self, context: Context) -> StepResult:
        aside = context.world / "theirs.aside"
        if context.outcome == "completed" and aside.exists():
            context.seal("what was replaced was discarded")
            aside.unlink()
        with (context.world / "closed").open("a") as file:
            file.write(f"{context.outcome}\n")
        return StepResult()


class Flow(BaseAction[Params]):
    """A workflow with all kinds of steps."""

    action_name = "flow"
    context_class = Context

    def setup_steps(self, registry: Any) -> None:
        registry.register(Make("first"))
        registry.register(Connects())
        registry.register(Skips("never"))
        registry.register(Twice(Make("twice")))
        registry.register(Needs("needs"))
        registry.register(Continues("goes_on", 3))
        registry.register(MakeAsync("async"))
        if "overwrite" not in str(self.params.fail):
            registry.register(Overwrites("overwrite"))
        registry.register(Make("last"))
        registry.register(Closes())


class Plain(Flow):
    """The workflow without a seal."""

    action_name = "plain"

    def setup_steps(self, registry: Any) -> None:
        registry.register(Make("first"))
        registry.register(MakeAsync("second"))
        registry.register(Make("third"))


FILES = {
    *(f"{name}-{n}" for name in ("first", "twice", "needs", "async", "last") for n in range(2)),
    *(f"goes_on-{n}" for n in range(3)),
}
