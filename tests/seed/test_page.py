"""Runs every Python block of the page that this API descends from, to the letter.

The page is no part of the repository: it is looked for beside the checkout. Names that the page
leaves to its reader, such as `InitializeStep`, are supplied here before each block that uses them;
top-level `return` lines, which it shows as fragments, are executed with what they return kept.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    RuntimeContext,
    StepFailedError,
    StepRegistry,
    StepResult,
)
from handrail.errors import InvalidStepError

ROOT = Path(__file__).parents[2]
NAME = Path("shared", "seed", "step-orchestration.md")
PAGE = next((path for path in (parent / NAME for parent in ROOT.parents) if path.exists()), None)

pytestmark = [
    pytest.mark.skipif(PAGE is None, reason=f"{NAME.as_posix()} is not beside the checkout"),
    pytest.mark.usefixtures("aliases"),
]

BLOCKS = [
    "Step",
    "StepResult",
    "Context",
    "Registry",
    "Orchestrator",
    "Progress Tracking",
    "Rollback Behavior",
    "LoggingStep",
    "TimingStep",
    "ValidationStep",
    "Upload Action",
    "Train Action",
    "Export Action",
    "Complete Example",
    "1. Keep Steps Focused",
    "2. Use Meaningful Progress Weights",
    "3. Implement Rollback for Destructive Steps",
    "4. Use can_skip() for Conditional Steps",
    "5. Log Important Events",
]


def blocks(text: str) -> Iterator[tuple[str, int, str]]:
    """Yield heading, line number and code of each Python block."""
    for match in re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        headings = re.findall(r"^#+ (.+)$", _prose(text[: match.start()]), re.MULTILINE)
        yield headings[-1], text.count("\n", 0, match.start(1)), match[1]


def _prose(text: str) -> str:
    """Remove code blocks: their comments look like headings."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def stand_in(name: str, weight: float = 0.2) -> type[BaseStep[Any]]:
    """A step class that notes in the context's runtime that it ran."""

    def execute(self: Any, context: Any) -> StepResult:
        context.log("ran", self.name)
        return StepResult()

    members = {"name": name, "progress_weight": weight, "execute": execute}
    return type(f"{name}_stand_in", (BaseStep,), members)


def stand_ins(**names: str) -> dict[str, Any]:
    return {cls: stand_in(name) for cls, name in names.items()}


class AnyParams(BaseModel):
    """Params of the page's actions, which do not look at them."""


def supplied(heading: str, known: dict[str, Any]) -> dict[str, Any]:
    """Return the names that the block under `heading` needs and that no block before it makes."""
    if heading == "Registry":
        return stand_ins(
            InitializeStep="initialize",
            ValidateStep="validate",
            UploadStep="upload",
            CleanupStep="cleanup",
            CompressionStep="compression",
            SanitizeStep="sanitize",
        )
    if heading == "Orchestrator":
        return {"context": known["UploadContext"](RuntimeContext(logger=Silent()))}
    if heading == "LoggingStep":
        return {"UploadFilesStep": completed(known["UploadFilesStep"])}
    if heading == "Upload Action":
        return {
            "UploadParams": AnyParams,
            **stand_ins(
                InitStorageStep="init_storage",
                OrganizeFilesStep="organize_files",
                UploadFilesStep="upload_files",
                GenerateMetadataStep="generate_metadata",
            ),
        }
    return OTHERS.get(heading, {})


RESOURCES: list[int] = []
OTHERS: dict[str, dict[str, Any]] = {
    "Progress Tracking": {"MyContext": BaseStepContext},
    "TimingStep": stand_ins(ProcessDataStep="process_data"),
    "Train Action": {
        "TrainParams": AnyParams,
        "LoadDatasetStep": stand_in("load_dataset", 0.2),
        "TrainModelStep": stand_in("train_model", 0.6),
        "UploadModelStep": stand_in("upload_model", 0.2),
    },
    "Export Action": {
        "ExportParams": AnyParams,
        **stand_ins(
            FetchResultsStep="fetch_results",
            ProcessBatchStep="process_batch",
            WriteOutputStep="write_output",
        ),
    },
    "3. Implement Rollback for Destructive Steps": {
        "create_resource": lambda: RESOURCES.append(len(RESOURCES) + 1) or RESOURCES[-1],
        "delete_resource": RESOURCES.remove,
    },
}


class Silent:
    def log(self, *_: Any) -> None: ...
    def set_progress(self, *_: Any) -> None: ...
    def set_metrics(self, *_: Any) -> None: ...


def completed(cls: type[Any], **members: Any) -> type[Any]:
    """The page's UploadFilesStep with what the page leaves out: name, weight, a backend."""
    sent: list[Any] = []

    def upload(self: Any, file: Any) -> int:
        sent.append(file)
        return len(sent)

    base = {
        "name": "upload_files",
        "progress_weight": 0.5,
        "_upload": upload,
        "_delete": lambda self, number: sent.__setitem__(number - 1, None),
        "sent": sent,
    }
    return type("UploadFilesStep", (cls,), {**base, **members})


class Executed:
    """What the blocks did; each was run in a copy of the namespace that the one before it left."""

    def __init__(self) -> None:
        self.names: dict[str, dict[str, Any]] = {}
        self.errors: dict[str, BaseException] = {}
        self.returned: dict[str, list[Any]] = {}
        self.printed: dict[str, str] = {}
        self.namespace: dict[str, Any] = {"__name__": "seed_page"}

    def run(self, heading: str, line: int, code: str) -> None:
        returned: list[Any] = []
        # A copy, so that what this block made does not see what a later one calls by the same name.
        self.namespace = {**self.namespace, **supplied(heading, self.namespace)}
        self.namespace["_returned"] = returned.append
        tree = KeepReturns().visit(ast.parse("\n" * line + code, str(PAGE)))
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                exec(compile(tree, str(PAGE), "exec", dont_inherit=True), self.namespace)
        except Exception as error:  # noqa: BLE001 - shown by the test of this block
            self.errors[heading] = error
        self.names[heading] = self.namespace
        self.returned[heading] = returned
        self.printed[heading] = out.getvalue()


class KeepReturns(ast.NodeTransformer):
    """Turns `return x` outside functions into `_returned(x)`."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        called = ast.Call(ast.Name("_returned", ast.Load()), [node.value], [])
        return ast.fix_missing_locations(ast.copy_location(ast.Expr(called), node))


@pytest.fixture(scope="module")
def page(aliases: None) -> Executed:
    assert PAGE is not None
    executed = Executed()
    for heading, line, code in blocks(PAGE.read_text(encoding="utf-8")):
        executed.run(heading, line, code)
    return executed


def run(registry: StepRegistry[Any], context: Any, callback: Any = None) -> Any:
    return Orchestrator(registry, context, callback).execute()


def registry_of(*steps: BaseStep[Any]) -> StepRegistry[Any]:
    registry: StepRegistry[Any] = StepRegistry()
    for each in steps:
        registry.register(each)
    return registry


def test_all_blocks_are_known(page: Executed) -> None:
    """The page has exactly the blocks that this file knows, all of them are Python and were run."""
    assert list(page.names) == BLOCKS
    text = PAGE.read_text(encoding="utf-8") if PAGE else ""
    assert len(list(blocks(text))) == text.count("```python") == len(BLOCKS)
    assert text.count("```") == 2 * len(BLOCKS)


@pytest.mark.parametrize("heading", BLOCKS)
def test_block_runs(page: Executed, heading: str) -> None:
    """The block runs without an error."""
    if heading in page.errors:
        raise page.errors[heading]


def test_step(page: Executed, runtime: RuntimeContext) -> None:
    """The first step of the page validates, fails with its own words, and skips when told to."""
    names = page.names["Step"]
    context_class, registry = names["UploadContext"], registry_of(names["ValidateFilesStep"]())
    good = context_class(runtime, files=[{"size": 1}])
    assert run(registry, good)["steps_executed"] == 1
    assert good.results["validate_files"].data == {"validated": 1}
    bad = context_class(runtime, files=[{"size": 0}])
    with pytest.raises(RuntimeError, match=r"^Step 'validate_files' failed: Invalid files: \["):
        run(registry, bad)
    skipping = context_class(runtime, params={"skip_validation": True}, files=[{}])
    assert run(registry, skipping)["steps_executed"] == 0


def test_step_result(page: Executed) -> None:
    """The three results of the page hold what they were given."""
    success, failure, with_undo = page.returned["StepResult"]
    assert (success.success, success.data) == (True, {"files_processed": 10})
    assert (failure.success, failure.error) == (False, "Connection timeout")
    assert with_undo.data == with_undo.rollback_data == {"uploaded_ids": [1, 2, 3]}


def test_context(page: Executed, runtime: RuntimeContext) -> None:
    """A context with fields and a client property of its own works, and shares nothing."""
    cls = page.names["Context"]["MyUploadContext"]
    one, other = cls(runtime), cls(runtime, total_bytes=5)
    one.uploaded_files.append({})
    assert (other.uploaded_files, other.total_bytes) == ([], 5)
    assert one.client is runtime.client


def test_registry(page: Executed) -> None:
    """Insertions land where the page says, `unregister` removes, and both figures are printed."""
    # Later blocks register more; the last one that uses this registry comes after this order.
    names = [each.name for each in page.names["Registry"]["registry"].get_steps()]
    assert names[:5] == ["initialize", "validate", "sanitize", "compression", "upload"]
    assert page.printed["Registry"] == "Steps: 5\nTotal weight: 1.0\n"


def test_orchestrator(page: Executed) -> None:
    """The result has the three keys of the page, and the callback printed up to 100."""
    result = page.names["Orchestrator"]["result"]
    assert result == {"success": True, "steps_executed": 5, "steps_total": 5}
    expected = [f"{percent}/100%" for percent in (20, 40, 60, 80, 100)]
    assert page.printed["Orchestrator"].split() == expected


def test_progress(page: Executed, runtime: RuntimeContext) -> None:
    """Weights 0.2, 0.6 and 0.2 give 20, 80 and 100, as the comments of the block say."""
    steps = []
    for number in (1, 2, 3):
        fragment = page.names["Progress Tracking"][f"Step{number}"]
        with pytest.raises(TypeError, match="abstract"):
            fragment()
        members = {"name": f"step_{number}", "execute": lambda self, context: StepResult()}
        steps.append(type("Whole", (fragment,), members)())
    seen: list[tuple[int, int]] = []
    run(registry_of(*steps), BaseStepContext(runtime), lambda *at: seen.append(at))
    assert seen == [(20, 100), (80, 100), (100, 100)]


def test_rollback(page: Executed, runtime: RuntimeContext) -> None:
    """The page's rollback deletes what was uploaded, and its own error lines reach the context."""
    names = page.names["Rollback Behavior"]
    with pytest.raises(InvalidStepError, match="has no name"):
        registry_of(names["UploadFilesStep"]())
    whole = completed(names["UploadFilesStep"])
    fail = type("Fail", (stand_in("fail"),), {"execute": lambda *_: 1 / 0})
    context = names["UploadContext"](runtime, files=["a", "b"])
    with pytest.raises(StepFailedError, match="Step 'fail' failed: division by zero"):
        run(registry_of(whole(), fail()), context)
    assert whole.sent == [None, None]
    stuck = completed(names["UploadFilesStep"], _delete=lambda self, number: 1 / 0)
    context = names["UploadContext"](runtime, files=["a"])
    with pytest.raises(StepFailedError):
        run(registry_of(stuck(), fail()), context)
    assert context.errors == ["Failed to rollback file 1"]


def test_logging_step(page: Executed, runtime: RuntimeContext, notes: Any) -> None:
    """The name and the events are those in the comments of the block."""
    logged = page.names["LoggingStep"]["logged_step"]
    assert logged.name == "logged_upload_files"
    context = page.names["LoggingStep"]["UploadContext"](runtime, files=["a"])
    run(registry_of(logged), context)
    (start, first), (end, last) = notes.logged
    assert (start, first, end) == ("step_start", {"step": "upload_files"}, "step_end")
    assert list(last) == ["step", "elapsed", "success", "skipped"]
    assert (last["step"], last["success"], last["skipped"]) == ("upload_files", True, False)


def test_timing_step(page: Executed, context: BaseStepContext) -> None:
    """The name and the duration are those in the comments of the block."""
    timed = page.names["TimingStep"]["timed_step"]
    assert timed.name == "timed_process_data"
    run(registry_of(timed), context)
    assert isinstance(context.results["timed_process_data"].data["duration_seconds"], float)


def test_validation_step(page: Executed, runtime: RuntimeContext) -> None:
    """The validator of the page stops a context without files and passes one with files."""
    names = page.names["ValidationStep"]
    check = names["registry"].get_steps()[-1]
    assert (check.name, check.progress_weight) == ("validate_files_exist", 0.05)
    with pytest.raises(
        RuntimeError, match="Step 'validate_files_exist' failed: No files to upload"
    ):
        run(registry_of(check), names["MyUploadContext"](runtime))
    run(registry_of(check), names["MyUploadContext"](runtime, files_to_upload=["a"]))


def test_registry_holds_all_of_them(page: Executed) -> None:
    """What the blocks about utility steps registered is in the one registry, in their order."""
    names = [each.name for each in page.namespace["registry"].get_steps()]
    assert names[5:] == ["logged_upload_files", "timed_process_data", "validate_files_exist"]


@pytest.mark.parametrize(
    ("heading", "action", "steps", "adds"),
    [
        (
            "Upload Action",
            "MyUploadAction",
            ["init_storage", "organize_files", "upload_files", "generate_metadata", "cleanup"],
            {"uploaded_files": 0, "data_units": 0},
        ),
        ("Train Action", "MyTrainAction", ["load_dataset", "train_model", "upload_model"], {}),
        (
            "Export Action",
            "MyExportAction",
            ["fetch_results", "process_batch", "write_output"],
            {"exported_count": 0},
        ),
    ],
)
def test_actions(
    page: Executed,
    runtime: RuntimeContext,
    notes: Any,
    heading: str,
    action: str,
    steps: list[str],
    adds: dict[str, int],
) -> None:
    """Each action of the page runs its steps in order and returns the result of its kind.

    The pack of that kind may count more than the page does.
    """
    cls = page.names[heading][action]
    assert cls.params_model is AnyParams
    result = cls(AnyParams(), runtime, packs=()).run()
    count = {"steps_executed": len(steps), "steps_total": len(steps)}
    assert {"success": True, **count, **adds}.items() <= result.items()
    assert [name for event, name in notes.logged if event == "ran"] == steps


def file_upload(page: Executed, source: Path, runtime: RuntimeContext) -> tuple[Any, list[Any]]:
    """The action of the complete example, and the contexts that it makes."""
    base = page.names["Complete Example"]["FileUploadAction"]
    made: list[Any] = []

    def create_context(self: Any) -> Any:
        made.append(base.create_context(self))
        return made[-1]

    cls = type("Watched", (base,), {"create_context": create_context})
    return cls({"source_path": str(source)}, runtime, packs=()), made


def test_complete_example(
    page: Executed, source: Path, runtime: RuntimeContext, client: Any, notes: Any
) -> None:
    """The complete example uploads a real folder, logging each step and its progress."""
    action, contexts = file_upload(page, source, runtime)
    percents: list[int] = []
    result = action.run(progress_callback=lambda current, total: percents.append(current))
    assert {**result, "uploaded_files": 0} == {
        "success": True,
        "steps_executed": 3,
        "steps_total": 3,
        "uploaded_files": 0,
    }
    assert client.stored == ["alpha", "beta"]
    assert contexts[0].uploaded_ids == [1, 2]
    assert contexts[0].results["discover_files"].data == {"file_count": 2}
    assert [event for event, _ in notes.logged] == [
        *("step_start", "step_end") * 2,
        *("step_start", "upload_complete", "step_end"),
    ]
    assert notes.progress == [(50, 100, "upload"), (100, 100, "upload")]
    assert percents == [10, 50, 90, 100]


def test_complete_example_fails(
    page: Executed, source: Path, runtime: RuntimeContext, client: Any, notes: Any
) -> None:
    """When its last step fails, the uploaded files are deleted from the backend."""
    action, contexts = file_upload(page, source, runtime)
    kept = runtime.log

    def log(event: str, data: Any, file: str | None = None) -> None:
        if event == "upload_complete":
            raise ConnectionError("the log is full")
        kept(event, data, file)

    runtime.log = log
    with pytest.raises(RuntimeError, match=r"^Step 'logged_finalize' failed: the log is full$"):
        action.run()
    assert client.count == 2
    assert client.stored == []
    assert contexts[0].errors == []
    undone = [data["step"] for event, data in notes.logged if event == "step_rollback"]
    assert undone == ["finalize", "upload_files", "discover_files"]


def test_complete_example_cannot_delete(
    page: Executed, source: Path, runtime: RuntimeContext, client: Any
) -> None:
    """A backend that refuses to delete leaves the example's own lines in `context.errors`."""
    action, contexts = file_upload(page, source, runtime)
    client.keeps_everything = True
    runtime.log = lambda event, data, file=None: 1 / 0 if event == "upload_complete" else None
    with pytest.raises(RuntimeError, match="logged_finalize"):
        action.run()
    assert contexts[0].errors == ["Failed to delete file 1", "Failed to delete file 2"]


def test_complete_example_finds_nothing(
    page: Executed, tmp_path: Path, runtime: RuntimeContext
) -> None:
    """A missing or an empty folder fails the first step with the example's own words."""
    for name, error in (("nowhere", "Source path not found"), ("empty", "No files found")):
        folder = tmp_path / name
        if name == "empty":
            folder.mkdir()
        action, _ = file_upload(page, folder, runtime)
        with pytest.raises(RuntimeError, match=f"^Step 'logged_discover_files' failed: {error}$"):
            action.run()


def test_best_practices(page: Executed, context: BaseStepContext, notes: Any) -> None:
    """The short blocks do what they say: names, weights, undo, skip and log."""
    focused = page.names["1. Keep Steps Focused"]
    for name in ("ValidateFilesStep", "CompressFilesStep", "UploadFilesStep"):
        assert issubclass(focused[name], BaseStep)
    weights = page.names["2. Use Meaningful Progress Weights"].get("__annotations__")
    if weights is not None:  # From Python 3.14 on it is not made before it is asked for.
        assert weights == {"LoadDataStep": 0.33, "TrainModelStep": 0.33, "SaveModelStep": 0.33}
    execute = page.names["5. Log Important Events"]["execute"]
    run(registry_of(type("Logs", (stand_in("logs"),), {"execute": execute})()), context)
    assert [data["phase"] for _, data in notes.logged] == ["starting", "complete"]


def test_destructive_step(page: Executed, context: BaseStepContext) -> None:
    """The resource that the step made is deleted when a later step fails."""
    cls = page.names["3. Implement Rollback for Destructive Steps"]["CreateResourcesStep"]
    whole = type("Whole", (cls,), {"name": "create", "progress_weight": 0.5})
    fail = type("Fail", (stand_in("fail"),), {"execute": lambda *_: 1 / 0})
    with pytest.raises(StepFailedError):
        run(registry_of(whole(), fail()), context)
    assert context.step_results[0].rollback_data == {"resource_id": 1}
    assert RESOURCES == []


def test_conditional_step(page: Executed, runtime: RuntimeContext) -> None:
    """The step is skipped when every file is compressed, and executed otherwise."""
    names = page.names["4. Use can_skip() for Conditional Steps"]
    members = {
        "name": "compress",
        "progress_weight": 0.5,
        "execute": lambda self, context: StepResult(),
    }
    registry = registry_of(type("Whole", (names["CompressionStep"],), members)())
    for file, executed in (("a.gz", 0), ("a.txt", 1)):
        context = names["FileUploadContext"](runtime, files=[Path(file)])
        assert run(registry, context)["steps_executed"] == executed
