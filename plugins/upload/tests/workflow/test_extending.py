"""Uploads of one's own: any params, own contexts, own steps among the eight, and packs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
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
    step,
)
from handrail.errors import ContextError
from handrail_upload import (
    BaseUploadAction,
    CleanupStep,
    DefaultUploadAction,
    GenerateDataUnitsStep,
    InitializeStep,
    OrganizeFilesStep,
    UploadContext,
    UploadFilesStep,
    UploadParams,
)

EIGHT = [each.name for each in DefaultUploadAction.partial({}, packs=()).plan().steps]


class Client:
    """A backend that keeps names under numbers."""

    def __init__(self) -> None:
        self.kept: dict[int, str] = {}

    def upload_file(self, path: Path) -> int:
        self.kept[len(self.kept) + 1] = path.name
        return len(self.kept)


class SourceOnly(BaseModel):
    """Params that have nothing in common with those of the default upload."""

    source_path: str
    limit: int = 99


@dataclass
class FileContext(BaseStepContext):
    """A context of one's own, for a workflow without any default step."""

    source_path: Path | None = None
    files: list[Path] = field(default_factory=list)
    uploaded_files: list[int] = field(default_factory=list)

    @property
    def client(self) -> Client:
        return self.runtime_ctx.client


class Discover(BaseStep[FileContext]):
    """As in the guide to step orchestration."""

    @property
    def name(self) -> str:
        return "discover_files"

    @property
    def progress_weight(self) -> float:
        return 0.2

    def execute(self, context: FileContext) -> StepResult:
        if context.source_path is None or not context.source_path.exists():
            return StepResult(success=False, error="Source path not found")
        context.files = sorted(path for path in context.source_path.glob("**/*") if path.is_file())
        return StepResult(success=True, data={"file_count": len(context.files)})


class Send(BaseStep[FileContext]):
    name = "send"
    progress_weight = 0.8

    def execute(self, context: FileContext) -> StepResult:
        for number, path in enumerate(context.files, 1):
            context.uploaded_files.append(context.client.upload_file(path))
            context.set_progress(number, len(context.files), "upload")
        return StepResult(rollback_data={"ids": list(context.uploaded_files)})


class FileUploadAction(BaseUploadAction[SourceOnly]):
    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        registry.register(Discover())
        registry.register(Send())

    def create_context(self) -> FileContext:
        return FileContext(runtime_ctx=self.ctx, source_path=Path(self.params.source_path))


def test_any_params_and_an_own_context(write: Callable[..., Path]) -> None:
    """An upload needs none of the default steps, params or fields; its result counts its files."""
    write("a sub/b")
    client = Client()
    made = FileUploadAction({"source_path": "src"}, RuntimeContext(client=client), packs=())
    assert made.run() == {
        "success": True,
        "steps_executed": 2,
        "steps_total": 2,
        "uploaded_files": 2,
    }
    assert client.kept == {1: "a", 2: "b"}
    with pytest.raises(StepFailedError, match="Source path not found"):
        FileUploadAction({"source_path": "no"}, RuntimeContext(client=client), packs=()).run()


class OtherParams(BaseModel):
    """Enough for the default steps, without being derived from their params."""

    source: Path
    target: str
    colour: str = "red"


@dataclass
class ColourContext(UploadContext):
    """An UploadContext with a field that a param fills."""

    colour: str = ""


class EightSteps(BaseUploadAction[OtherParams]):
    context_class = ColourContext

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        for each in (
            InitializeStep(),
            OrganizeFilesStep(),
            UploadFilesStep(),
            GenerateDataUnitsStep(),
            CleanupStep(),
        ):
            registry.register(each)

    def result(self, context: ColourContext) -> Mapping[str, Any]:
        files = [each["name"] for each in context.uploaded_files]
        units = [each["name"] for each in context.data_units]
        return {**super().result(context), "colour": context.colour, "of": files, "units": units}


def test_default_steps_with_other_params(
    write: Callable[..., Path], upload: Callable[..., Any], stored: Callable[..., Any]
) -> None:
    """The steps work with any params that have what they need, and rows are readable to the end."""
    write("a b")
    result = upload(EightSteps, colour="blue")
    assert stored() == ["a", "b"]
    assert result == {
        "success": True,
        "steps_executed": 5,
        "steps_total": 5,
        "uploaded_files": 2,
        "data_units": 2,
        "colour": "blue",
        "of": ["a", "b"],
        "units": ["a", "b"],
    }


class SomeSteps(BaseUploadAction[SourceOnly]):
    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        registry.register(InitializeStep())


def test_params_that_lack_something(make: Callable[..., Any]) -> None:
    """Params that lack what the default steps need are an error that names it."""
    made = SomeSteps({"source_path": "src"}, packs=())
    with pytest.raises(
        StepFailedError, match=r"cannot work with .*: source: is required.*target: is required"
    ) as e:
        made.run()
    assert isinstance(e.value.__cause__, ContextError)
    way = "derive the params from handrail_upload.params.UploadParams"
    assert e.value.__cause__.ways_out == (way,)


class MyParams(UploadParams):
    """Params with one more."""

    stamp: str = "s"


@step(name="stamp", weight=0.1)
def stamp(context: UploadContext) -> None:
    """Write down what there is to send."""
    names = [each["name"] for each in context.organized_files]
    context.metadata["stamped"] = f"{context.params['stamp']}: {', '.join(names)}"


class AfterAll(BaseStep[UploadContext]):
    """Looks at the rows after everything was closed, and wherever the run has come to."""

    name = "after_all"
    progress_weight = 0.1
    always_run = True

    def execute(self, context: UploadContext) -> StepResult:
        sent, units = len(context.uploaded_files), len(context.data_units)
        return StepResult(data={"sent": sent, "units": units})


class MyUpload(DefaultUploadAction):
    params_model = MyParams
    action_name = "my-upload"

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        super().setup_steps(registry)
        registry.insert_after("organize_files", stamp)
        registry.unregister("validate_files")
        registry.unregister("process_metadata")
        registry.register(AfterAll())

    def result(self, context: UploadContext) -> Mapping[str, Any]:
        return {**super().result(context), "stamped": context.metadata["stamped"]}


def test_steps_among_the_eight(
    write: Callable[..., Path], upload: Callable[..., Any], make: Callable[..., Any], seen: Any
) -> None:
    """Steps are inserted and left out by name; an own step sees what was found, and own params."""
    write("a b")
    planned = [each.name for each in make(MyUpload).plan().steps]
    expected = [each for each in EIGHT if each not in ("validate_files", "process_metadata")]
    expected.insert(expected.index("organize_files") + 1, "stamp")
    assert planned == [*expected, "after_all"]
    result = upload(MyUpload, stamp="x")
    assert result["stamped"] == "x: a, b"
    assert result["summary"].startswith("uploaded 2 new to out")
    assert seen.data("after_all") == {"sent": 2, "units": 2}


class Failing(MyUpload):
    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        super().setup_steps(registry)

        @step(name="fail")
        def fail(context: UploadContext) -> None:
            raise OSError("no")

        registry.insert_before("cleanup", fail)


def test_rows_of_an_upload_that_was_undone(
    write: Callable[..., Path], upload: Callable[..., Any], seen: Any, world: Callable[[], Any]
) -> None:
    """After an undo there are no rows any more, and asking for them makes nothing."""
    write("a b")
    before = world()
    with pytest.raises(StepFailedError):
        upload(Failing)
    assert seen.data("after_all") == {"sent": 0, "units": 0}
    assert world() == before


def test_lineage(make: Callable[..., Any]) -> None:
    """Every upload descends from `upload`, whatever it is called, so packs reach it."""
    assert make().info.lineage == ("upload",)
    assert make(MyUpload).info.lineage == ("my-upload", "upload")
    made = FileUploadAction({"source_path": "x"}, packs=())
    assert made.info.lineage == ("file_upload", "upload")
    assert make().info.context_type is UploadContext


class Photos(DefaultUploadAction):
    """The default upload under another name."""


class Hooks:
    """A pack for uploads."""

    @hookimpl
    def insert_before(self, action: Any, step: BaseStep[Any]) -> BaseStep[Any] | None:
        return stamp if "upload" in action.lineage and step.name == "upload_files" else None


@pytest.mark.parametrize("action", [DefaultUploadAction, Photos, EightSteps])
def test_packs_shape_every_upload(action: Any) -> None:
    """A pack that puts a step into uploads puts it into those of one's own too."""
    made = action.partial({}, packs=[Hooks()])
    names = [each.name for each in made.plan().steps]
    assert names[names.index("upload_files") - 1] == "stamp"


class Redact(BaseStep[UploadContext]):
    """Writes each file shorter into a folder of the run, and has that one uploaded instead."""

    name = "redact"
    progress_weight = 0.1

    def execute(self, context: UploadContext) -> StepResult:
        folder = Path("redacted")
        folder.mkdir()
        changed = []
        for file in context.manifest.files():
            shorter = folder / file.name
            shorter.write_text(Path(file.path).read_text()[:1])
            state = shorter.stat()
            changed.append(
                replace(file, path=str(shorter), size=state.st_size, mtime=state.st_mtime_ns)
            )
        context.manifest.update(changed)
        return StepResult()


class RedactedUpload(DefaultUploadAction):
    def setup_steps(self, registry: StepRegistry[UploadContext]) -> None:
        super().setup_steps(registry)
        registry.insert_after("organize_files", Redact())


def test_a_file_of_the_manifest_can_be_replaced_by_another(
    write: Callable[..., Path], upload: Callable[..., dict[str, Any]], here: Path
) -> None:
    """By a path, with the size and the time of the file there; it is stored under the old key."""
    write({"a.txt": "secret", "b.txt": "public"})
    upload(RedactedUpload)
    stored = {path.name: path.read_text() for path in (here / "out").rglob("*.txt")}
    assert stored == {"a.txt": "s", "b.txt": "p"}
    upload(if_exists="overwrite")
    stored = {path.name: path.read_text() for path in (here / "out").rglob("*.txt")}
    assert stored == {"a.txt": "secret", "b.txt": "public"}
