"""Whatever calls user code is marked as that, so that Ctrl-C reaches what it calls."""

from __future__ import annotations

import ast
import asyncio
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

import handrail
from handrail import (
    Around,
    BaseAction,
    BaseStep,
    BaseStepContext,
    Orchestrator,
    Run,
    RuntimeContext,
    Sleep,
    StepFailedError,
    StepRegistry,
    StepResult,
    StepWrapper,
    Undo,
    hookimpl,
    resume,
    step,
)
from handrail.builtin.cli.dry_run import preview_plan
from handrail.events import MessageLogged
from handrail.orchestrator.dispatch import Dispatcher
from handrail.plan.builder import plan_of_registry
from handrail.sqlite import SqliteJournal
from handrail.user_code import calls_user_code, is_user_code

CORE = Path(str(handrail.__file__)).parent
seen: dict[str, bool] = {}


def here(name: str) -> None:
    """Note whether a signal that came just now would reach the caller."""
    seen[name] = is_user_code(sys._getframe(1)) and seen.get(name, True)


class Plain(BaseStep):
    progress_weight = 0.1

    def __init__(self, name: str) -> None:
        self.name = name

    def can_skip(self, context: BaseStepContext) -> bool:
        here("can_skip")
        return False

    def execute(self, context: BaseStepContext) -> StepResult:
        here("execute")
        context.log("event", {})
        context.set_progress(1, 2)
        context.set_metrics({"size": 1})
        context.record_rollback_many("made", self.made())
        return StepResult()

    def made(self) -> Iterator[str]:
        here("an iterable to record")
        yield "one"

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        here("rollback")


class Coroutine(Plain):
    async def can_skip(self, context: BaseStepContext) -> bool:
        here("async can_skip")
        return False

    async def execute(self, context: BaseStepContext) -> StepResult:
        await asyncio.sleep(0)
        here("async execute")
        return StepResult()

    async def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        await asyncio.sleep(0)
        here("async rollback")


@step
def function(context: BaseStepContext) -> None:
    here("function")
    context.runtime_ctx = cast("RuntimeContext", Listens("runtime context"))


@function.skip_if
def skips(context: BaseStepContext) -> bool:
    here("skip_if")
    return False


@function.rollback
def undo(context: BaseStepContext, result: StepResult) -> None:
    here("rollback of a function")


@step
async def coroutine(context: BaseStepContext) -> None:
    await asyncio.sleep(0)
    here("async function")


class Again(StepWrapper):
    def around(self, context: BaseStepContext) -> Around:
        here("around")
        yield Run()
        yield Undo()
        yield Sleep(0)
        here("around, later")
        return (yield Run())


class Opaque(StepWrapper):
    """Uses a layer by itself."""

    def execute(self, context: BaseStepContext) -> Any:
        here("opaque")
        return self.wrapped.execute(context)


class Listens:
    def __init__(self, kind: str) -> None:
        self.kind = kind

    def log(self, *given: object) -> None:
        here(f"log of a {self.kind}")

    def set_progress(self, *given: object) -> None:
        here(f"progress of a {self.kind}")

    def set_metrics(self, *given: object) -> None:
        here(f"metrics of a {self.kind}")


class Nested(BaseAction[Any]):
    action_name = "nested"

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        here("setup_steps")
        registry.register(Plain("inner"))
        registry.wrap("inner", Layer)

    def create_context(self) -> BaseStepContext:
        here("create_context")
        return BaseStepContext(self.ctx)

    def result(self, context: Any) -> dict[str, Any]:
        here("result")
        return {}


class Pack:
    """Hooks of a pack."""

    @hookimpl
    def setup_steps(self, action: Any, registry: Any) -> None:
        here("hook setup_steps")

    @hookimpl
    def insert_after(self, action: Any, step: Any) -> None:
        here("hook insert_after")

    @hookimpl
    def insert_before(self, step: Any) -> None:
        here("hook insert_before")

    @hookimpl
    def check_plan(self, action: Any, plan: Any) -> None:
        here("hook check_plan")

    @hookimpl
    def observe(self, event: Any) -> None:
        here("hook observe")


class Layer(StepWrapper):
    def __init__(self, inner: Any) -> None:
        here("constructor of a wrapper")
        super().__init__(inner)


class Simple(BaseAction[Any]):
    action_name = "simple"

    async def execute(self) -> None:
        await asyncio.sleep(0)
        here("async simple mode")


@step
def nests(context: BaseStepContext) -> None:
    Nested(None, context.runtime_ctx, packs=[Pack()]).run()
    Simple(None, packs=()).run()


@step
def fails(context: BaseStepContext) -> None:
    raise ValueError("on purpose")


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


def orchestrator(**options: Any) -> Orchestrator:
    registry: StepRegistry[Any] = StepRegistry()
    wrapped = Opaque(Again(Plain("alone")))
    wrapped_async = Opaque(Again(Coroutine("async alone")))
    steps = [Plain("plain"), Coroutine("async"), function, coroutine, Again(Plain("layered"))]
    for each in [*steps, StepWrapper(Plain("forwards")), wrapped, wrapped_async, nests, fails]:
        registry.register(each)
    return Orchestrator(
        registry,
        BaseStepContext(RuntimeContext(logger=Listens("logger"))),
        lambda now, total: here("progress callback"),
        observers=[lambda event: here("observer")],
        **options,
    )


@pytest.mark.parametrize("driver", ["blocking", "asyncio"])
@pytest.mark.parametrize("durable", [False, True], ids=["in memory", "journaled"])
def test_a_signal_reaches_all_user_code_of_a_run(
    driver: str, durable: bool, tmp_path: Path
) -> None:
    """Steps of all kinds and their undo, layers, wrappers used alone, callbacks and observers."""
    with closing(SqliteJournal(tmp_path / "runs.db")) as journal:
        made = orchestrator(journal=journal if durable else None)
        with pytest.raises(StepFailedError, match="'fails' failed"):
            made.execute() if driver == "blocking" else asyncio.run(made.execute_async())
    assert [name for name, reached in seen.items() if not reached] == []
    assert len(seen) == 32


class Reads(Coroutine):
    effects = False

    def preview(self, context: BaseStepContext) -> Iterator[str]:
        here("preview")
        yield "nothing"


class Shows(Reads):
    effects = True


def test_a_signal_reaches_all_user_code_of_a_dry_run() -> None:
    """Steps that only read run, the others say what they would do."""
    registry: StepRegistry[Any] = StepRegistry()
    registry.register(Reads("reads"))
    registry.register(Shows("shows"))
    plan = preview_plan(plan_of_registry(registry))
    Orchestrator(plan, BaseStepContext(RuntimeContext())).execute()
    assert seen == {"async can_skip": True, "async execute": True, "preview": True}


class Doubtful(Plain):
    """Fails, and succeeds once it goes on."""

    def execute(self, context: BaseStepContext) -> StepResult:
        return StepResult(success=False, error="on purpose")

    def resume(self, context: BaseStepContext, result: StepResult) -> StepResult:
        here("resume")
        return StepResult()

    def restore(self, context: BaseStepContext, result: StepResult) -> None:
        here("restore")


class Restored(Plain):
    def restore(self, context: BaseStepContext, result: StepResult) -> None:
        here("restore")


class GoesOn(BaseAction[Any]):
    action_name = "goes-on"

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        registry.register(StepWrapper(Restored("restored")))
        registry.register(StepWrapper(Doubtful("doubtful")))


def test_a_signal_reaches_the_user_code_of_a_run_that_goes_on(tmp_path: Path) -> None:
    """`restore` and `resume`, behind wrappers."""
    with closing(SqliteJournal(tmp_path / "runs.db")) as journal:
        with suppress(StepFailedError):
            GoesOn(None, packs=()).run(journal=journal, on_failure="keep")
        resume(GoesOn, journal=journal, packs=(), folder=tmp_path)
    assert {name: seen[name] for name in ("resume", "restore")} == {"resume": True, "restore": True}


@pytest.mark.parametrize("name", ["handrail.engine.machine", "acme_places.here"])
def test_what_the_engine_does_for_itself_is_not_user_code(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a function without a mark, nor one that has it and calls nothing.

    The engine is ours, or of a package that marks its functions as ours are.
    """
    package = ModuleType("acme_places")
    vars(package)["MARKS_USER_CODE"] = True
    monkeypatch.setitem(sys.modules, "acme_places", package)
    found: list[bool] = []

    def ask(frame: Any) -> None:
        found.append(is_user_code(frame))

    ours: dict[str, Any] = {"__name__": name, "ask": ask, "sys": sys}
    exec("def engine(function):\n    ask(sys._getframe())\n    function()", ours)
    engine = ours["engine"]
    engine(lambda: ask(sys._getframe()))
    assert found == [False, False]
    calls_user_code(engine)
    engine(lambda: ask(sys._getframe()))
    assert found == [False, False, False, True]


def test_the_command_line_is_a_user_of_the_engine() -> None:
    """What it shows of a run may block, and is interrupted like any observer."""
    found: list[bool] = []

    def ask() -> None:
        found.append(is_user_code(sys._getframe(1)))

    shows: dict[str, Any] = {"__name__": "handrail.builtin.cli.view.progress", "ask": ask}
    exec("def observe(event): ask()", shows)
    Dispatcher([shows["observe"]], None)(MessageLogged(step=None, name="event", data={}, file=None))
    assert found == [True]


USERS = ("execute", "can_skip", "rollback", "resume", "restore", "around", "preview")
USERS += ("preview_rollback", "setup_steps", "create_context", "function")
OURS = ("orchestrator", "fields", "ContextFields")
OTHERS = ("builtin", "journal", "settings", "testing")


def parts_of(function: ast.AST) -> Iterator[ast.AST]:
    """Yield what is in the body of a function, but for the functions inside it."""
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def unmarked(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            marks = [ast.unparse(each) for each in node.decorator_list]
            called = [ast.unparse(each) for each in parts_of(node) if is_users(each)]
            if called and "calls_user_code" not in marks:
                yield f"{path.relative_to(CORE)}:{node.lineno} {node.name} calls {called[0]}"


def is_users(node: ast.AST) -> bool:
    """Return whether it calls a method of a step or an action, or awaits what somebody made."""
    if isinstance(node, ast.Await):
        return isinstance(node.value, ast.Name | ast.Attribute)
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    ours = ast.unparse(node.func.value).startswith(OURS)
    return node.func.attr in USERS and not ours


def test_a_mark_is_set_when_a_module_is_imported() -> None:
    """No function that is made in a call is marked, or each call would cost more; `packs` may."""
    inside = [
        f"{path.relative_to(CORE)}:{node.lineno}"
        for path in sorted(CORE.rglob("*.py"))
        for outer in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(outer)
        if node is not outer and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if "calls_user_code" in [ast.unparse(each) for each in node.decorator_list]
    ]
    assert [each for each in inside if not each.startswith("packs/")] == []


def test_what_calls_a_method_of_a_step_is_marked() -> None:
    """Found in the syntax: a call of `execute` and the like, an `await`, in a function of ours."""
    sources = [path for path in CORE.rglob("*.py") if path.relative_to(CORE).parts[0] not in OTHERS]
    assert [each for path in sorted(sources) for each in unmarked(path)] == []
