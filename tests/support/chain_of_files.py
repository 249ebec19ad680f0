"""A chain of three actions whose effects are files, which say of which run they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from pydantic import BaseModel

from handrail import BaseAction, BaseStep, BaseStepContext, RuntimeContext, StepResult, chain


class Silent:
    """Says nothing."""

    def log(self, *given: object) -> None: ...
    def set_progress(self, *given: object) -> None: ...
    def set_metrics(self, *given: object) -> None: ...


QUIET = RuntimeContext(logger=Silent())


class Params(BaseModel):
    """The folder of the files, and the step that is told to fail."""

    world: Path
    fail: str = ""


class WithTable(Params):
    """Params with one that comes from another action."""

    table: str


@dataclass(kw_only=True)
class Context(BaseStepContext):
    """What the steps of one action share."""

    world: Path
    fail: str = ""
    made: list[str] = field(default_factory=list)
    client: Any = field(default=None, metadata={"transient": True})


@dataclass(kw_only=True)
class TableContext(Context):
    """The same with an input."""

    table: str


class Make(BaseStep[Context]):
    """Writes two files, each recorded before it is written."""

    progress_weight = 0.1

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, context: Context) -> StepResult:
        assert context.current_step == self.name
        assert self.name not in context.results
        for number in range(2):
            path = context.world / f"{context.run_id}.{self.name}.{number}"
            context.record_rollback("made", path.name)
            assert not path.exists(), f"{path} was made twice"
            path.write_text(str(context.idempotency_key))
            context.made.append(f"{self.name}{number}")
        if context.fail == self.name:
            raise ValueError("told to fail")
        return StepResult()

    def rollback(self, context: Context, result: StepResult) -> None:
        for name in result.rollback_data.get("made", ()):
            assert name.startswith(str(context.run_id))
            (context.world / name).unlink(missing_ok=True)


class Connects(Make):
    """Sets what another process has to restore."""

    def execute(self, context: Context) -> StepResult:
        context.client = "connected"
        return super().execute(context)

    def restore(self, context: Context, result: StepResult) -> None:
        context.client = "connected"


class Needs(Make):
    """Needs what `Connects` has set in the same action; it may be skipped, and is not."""

    def can_skip(self, context: Context) -> bool:
        assert context.client == "connected"
        return False


class Reads(Make):
    """Writes the input of its action to its file."""

    def execute(self, context: Any) -> StepResult:
        done = super().execute(context)
        path = context.world / f"{context.run_id}.{self.name}.1"
        path.write_text(context.table)
        return done


class Closes(BaseStep[Context]):
    """Notes how the run ended, as seen by its action."""

    name = "close"
    progress_weight = 0.0
    always_run = True

    def execute(self, context: Context) -> StepResult:
        with (context.world / "closed").open("a") as file:
            file.write(f"{context.run_id} {context.outcome}\n")
        return StepResult()


class Tables(TypedDict, total=False):
    """The outputs of an action."""

    table: str
    count: int


class Gather(BaseAction[Params]):
    """The first action; it hands on a table."""

    action_name = "gather"
    context_class = Context

    def setup_steps(self, registry: Any) -> None:
        registry.register(Connects("open"))
        registry.register(Needs("fetch"))
        registry.register(Closes())

    def result(self, context: Context) -> Tables:
        table = "" if context.client is None else f"table of {','.join(context.made)}"
        return {"table": table, "count": len(context.made)}


class Press(BaseAction[WithTable]):
    """The second action; it takes a table, and makes another."""

    action_name = "press"
    context_class = TableContext

    def setup_steps(self, registry: Any) -> None:
        registry.register(Reads("open"))
        registry.register(Make("press"))
        registry.register(Closes())

    def result(self, context: TableContext) -> Tables:
        return {"table": f"pressed {context.table}", "count": len(context.made)}


class Teach(BaseAction[WithTable]):
    """The last action; its first step asks whether to be skipped."""

    action_name = "teach"
    context_class = TableContext

    def setup_steps(self, registry: Any) -> None:
        registry.register(Reads("read"))
        registry.register(Make("teach"))
        registry.register(Closes())

    def result(self, context: TableContext) -> dict[str, Any]:
        return {"learnt": context.table}


INPUTS = {"press.table": "gather.table", "teach.table": "press.table"}
DATASET = chain("dataset", [Gather, Press, Teach], inputs=INPUTS)
STEPS = (
    *("gather.open", "gather.fetch", "press.open", "press.press", "teach.read", "teach.teach"),
    *("gather.close", "press.close", "teach.close"),
)
TABLE = "table of open0,open1,fetch0,fetch1"


def params(world: Path, **fail: str) -> dict[str, dict[str, Any]]:
    """Return the params of the chain; by action, the step that is told to fail."""
    names = ("gather", "press", "teach")
    return {name: {"world": world, "fail": fail.get(name, "")} for name in names}
