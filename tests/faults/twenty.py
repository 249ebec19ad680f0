"""A workflow of twenty steps whose effects are files, rows and objects: steps of all kinds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from killing.effects import Files, Objects, Place, Rows
from pydantic import BaseModel

from handrail import (
    BaseAction,
    BaseStep,
    BaseStepContext,
    Run,
    StepRegistry,
    StepResult,
    StepWrapper,
    Undo,
)


class Params(BaseModel):
    """Where the effects are, and which step is to fail."""

    rows: str
    bucket: str
    prefix: str
    fail: str = ""
    overwrite: bool = True


@dataclass(kw_only=True)
class Context(BaseStepContext):
    """What the steps share."""

    rows: str
    bucket: str
    prefix: str
    fail: str = ""
    made: list[str] = field(default_factory=list)
    objects: Objects | None = field(default=None, metadata={"transient": True})

    def place(self, kind: str) -> Place:
        if kind == "file":
            return Files(Path("world"))
        if kind == "row":
            return Rows(self.rows)
        assert self.objects is not None, "nobody has connected"
        return self.objects

    def mark(self, step: BaseStep[Any]) -> str:
        return f"{self.run_id}/{step.name}"


class Makes(BaseStep[Context]):
    """Makes so many things of one kind, each recorded before."""

    progress_weight = 0.05

    def __init__(self, name: str, kind: str, count: int = 2) -> None:
        self.name, self.kind = name, kind
        self.names = [f"{name}-{number}" for number in range(count)]

    def execute(self, context: Context) -> StepResult:
        for name in self.names:
            context.record_rollback("names", name)
            context.place(self.kind).make(name, context.mark(self))
        return self.end(context)

    def end(self, context: Context) -> StepResult:
        context.made += self.names
        if context.fail == self.name:
            raise ValueError("told to fail")
        return StepResult(data={"made": len(self.names)}, rollback_data={"names": self.names[:1]})

    def rollback(self, context: Context, result: StepResult) -> None:
        self.stick()
        for name in reversed(result.rollback_data.get("names", [])):
            context.place(self.kind).remove(name, context.mark(self))
        context.made = [name for name in context.made if name not in self.names]

    def stick(self) -> None:
        """Fail, where that is what the undo of this step is to do."""
        if os.environ.get("TWENTY_STUCK") == self.name:
            raise OSError("stuck")


class MakesMany(Makes):
    """Records all of them at once."""

    def execute(self, context: Context) -> StepResult:
        context.record_rollback_many("names", self.names)
        for name in self.names:
            context.place(self.kind).make(name, context.mark(self))
        return self.end(context)


class MakesAsync(Makes):
    """The same in a coroutine."""

    async def execute(self, context: Context) -> StepResult:
        for name in self.names:
            await context.arecord_rollback("names", name)
            context.place(self.kind).make(name, context.mark(self))
        return self.end(context)


class Asks(Makes):
    """Is asked whether there is anything to do."""

    def can_skip(self, context: Context) -> bool:
        return False


class Skips(Makes):
    """Has never anything to do."""

    def can_skip(self, context: Context) -> bool:
        return True


class GoesOn(Makes):
    """Goes on where it was interrupted."""

    def resume(self, context: Context, result: StepResult) -> StepResult:
        there = result.rollback_data.get("names", [])
        for name in self.names:
            if name not in there:
                context.record_rollback("names", name)
            place = context.place(self.kind)
            if not place.has(name, context.mark(self)):
                place.remove(name, context.mark(self))  # What is half made.
                place.make(name, context.mark(self))
        return self.end(context)


class Replaces(Makes):
    """Puts something in the place of somebody else's, which is kept aside."""

    def execute(self, context: Context) -> StepResult:
        place, mark = context.place(self.kind), context.mark(self)
        context.record_rollback("kept", ["theirs", place.look("theirs")])
        place.keep("theirs", mark)
        place.replace("theirs", mark)
        return StepResult()

    def rollback(self, context: Context, result: StepResult) -> None:
        place, mark = context.place(self.kind), context.mark(self)
        self.stick()
        for name, kept in result.rollback_data.get("kept", []):
            place.put_back(name, mark, kept)


class Connects(BaseStep[Context]):
    """Makes something that cannot be stored."""

    name = "connect"
    progress_weight = 0.05
    effects = False

    def execute(self, context: Context) -> StepResult:
        context.objects = Objects(context.bucket, context.prefix)
        return StepResult()

    def restore(self, context: Context, result: StepResult) -> None:
        context.objects = Objects(context.bucket, context.prefix)


class Sums(Makes):
    """Writes down what the context says was made."""

    def execute(self, context: Context) -> StepResult:
        context.record_rollback("names", "sum")
        files = Files(Path("world"))
        files.make("sum", context.mark(self))
        (files.folder / "sum").write_text(f"{context.mark(self)}{json.dumps(context.made)}")
        return self.end(context)

    def rollback(self, context: Context, result: StepResult) -> None:
        path = Path("world/sum")
        if path.exists() and path.read_text().startswith(context.mark(self)):
            path.unlink()
        Files(path.parent).remove("sum", context.mark(self))


class Twice(StepWrapper[Context]):
    """Undoes the first attempt, and tries again."""

    def around(self, context: Context) -> Iterator[Any]:
        yield Run()
        yield Undo()
        return (yield Run())


class Closes(BaseStep[Context]):
    """Discards what was kept aside, once nobody can want it back."""

    name = "close"
    progress_weight = 0.05
    always_run = True

    def __init__(self, kept: list[Replaces]) -> None:
        self.kept = kept

    def execute(self, context: Context) -> StepResult:
        if context.outcome == "completed" and self.kept:
            context.seal("what was replaced was discarded")
            for step in self.kept:
                context.place(step.kind).discard("theirs", context.mark(step))
        with Path("closed").open("a") as file:
            file.write(f"{context.outcome}\n")
        return StepResult()


class Twenty(BaseAction[Params]):
    """Steps of all kinds."""

    action_name = "twenty"
    context_class = Context

    def setup_steps(self, registry: StepRegistry) -> None:
        replacing = (Replaces, Replaces) if self.params.overwrite else (Makes, Makes)
        kept: list[Any] = [replacing[0](f"replace_{kind}", kind) for kind in KINDS]
        steps: list[Any] = [
            Makes("first", "file"),
            Connects(),
            Skips("never", "file"),
            Asks("asked", "file"),
            Makes("rows", "row"),
            Makes("objects", "object"),
            *kept,
            Twice(Makes("twice_file", "file", 1)),
            MakesAsync("async_file", "file"),
            MakesAsync("async_object", "object", 1),
            GoesOn("more_files", "file", 3),
            GoesOn("more_objects", "object"),
            MakesMany("many_rows", "row", 3),
            Twice(Makes("twice_object", "object", 1)),
            Asks("asked_rows", "row"),
            GoesOn("more_rows", "row"),
            Sums("sum", "file", 0),
            Closes(kept if self.params.overwrite else []),
        ]
        for step in steps:
            registry.register(step)


KINDS = ("file", "row", "object")
