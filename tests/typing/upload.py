"""Uploads of one's own as their authors would write them; never run, only type-checked.

A line that must not pass carries an ignore for both checkers: they fail when it is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ByteSize

from handrail import BaseStep, BaseStepContext, RuntimeContext, StepRegistry, StepResult, step
from handrail_upload import (
    BaseUploadAction,
    CleanupStep,
    DefaultUploadAction,
    DirectUploader,
    Discovery,
    FileValidation,
    FolderDiscovery,
    GenerateDataUnitsStep,
    InitializeStep,
    Manifest,
    Metadata,
    OrganizeFilesStep,
    ProcessMetadataStep,
    SheetMetadata,
    SourceFile,
    Specification,
    UploadContext,
    Uploader,
    UploadFilesStep,
    UploadParams,
    ValidateFilesStep,
    Validation,
)
from handrail_upload.discovery import Found, LeftAlone, Search
from handrail_upload.metadata import Row
from handrail_upload.storage import Listed, Sending, Storage, Stored


class MyParams(BaseModel):
    """Params that have nothing to do with those of the default upload."""

    source_path: Path
    times: int = 1


@dataclass(kw_only=True)
class MyContext(UploadContext):
    """A context with one more field."""

    source_path: Path
    seen: int = 0


@step(weight=0.1)
def look(context: MyContext) -> None:
    """Look at what was found."""
    found: Sequence[dict[str, Any]] = context.organized_files
    context.seen = len(found)


class Compress(BaseStep[UploadContext]):
    """Goes into any upload."""

    name = "compress"
    progress_weight = 0.1

    def execute(self, context: UploadContext) -> StepResult:
        """Use what a context of an upload has."""
        options: UploadParams = context.options
        part: ByteSize = options.part_size
        bandwidth: ByteSize | None = options.bandwidth
        folder: Path | None = options.source
        state: Path = options.folder
        manifest: Manifest = context.use_manifest()
        storage: Storage = context.use_storage()
        spec: Specification | None = context.specification
        files: Iterator[SourceFile] = manifest.files("new")
        first: dict[str, Any] = context.organized_files[0]
        some: Sequence[dict[str, Any]] = context.uploaded_files[1:]
        data = {"part": part, "bandwidth": bandwidth, "folder": folder, "state": state}
        seen = {"storage": storage.url, "spec": spec is None, "files": sum(1 for _ in files)}
        wrong: str = options.limit  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
        return StepResult(data={**data, **seen, **first, "some": len(some), "wrong": wrong})


class Budget(UploadParams):
    """Params with one more."""

    budget: int = 0


@step
def check_budget(context: UploadContext[Budget]) -> None:
    """Read it with its type; what needs fewer params takes this context, too."""
    budget: int = context.options.budget
    Compress().execute(context)
    print(budget)


@dataclass(kw_only=True)
class Unrelated(BaseStepContext):
    """A context that is none of an upload."""

    files: list[Path] = field(default_factory=list[Path])


class Plain(BaseUploadAction[MyParams]):
    """An upload without any of the default steps."""

    context_class = Unrelated

    def create_context(self) -> Unrelated:
        """Make a context by hand."""
        return Unrelated(runtime_ctx=self.ctx, files=[self.params.source_path])


class MyUpload(BaseUploadAction[MyParams]):
    """Any params, own context, some of the default steps."""

    action_name = "my-upload"
    context_class = MyContext

    def setup_steps(self, registry: StepRegistry[MyContext]) -> None:
        """Register steps, also such as take any upload."""
        registry.register(OrganizeFilesStep())
        registry.register(UploadFilesStep())
        registry.register(CleanupStep())
        registry.insert_before("upload_files", Compress())
        registry.insert_after("organize_files", look)
        registry.unregister("cleanup")

    def result(self, context: MyContext) -> Mapping[str, Any]:
        """Add to what every upload tells."""
        path: Path = self.params.source_path
        times: int = self.params.times
        there = context.uploaded_files[0]["name"]
        told = {"seen": context.seen, "of": str(path), "times": times, "first": there}
        return {**super().result(context), **told}


class Fixed:
    """Finds what it was given."""

    def find(self, search: Search) -> Iterator[Found | LeftAlone]:
        """Yield one file of each source."""
        for role in search.sources:
            yield Found(path="/a", name="a", source=role, size=1, mtime=0)


class Refuses:
    """Refuses everything."""

    def problems(self, file: SourceFile, specification: Specification | None) -> Iterator[str]:
        """Yield one problem."""
        yield f"{file.name} is refused"


class Known:
    """Knows everything already."""

    def rows(self, path: Path) -> Iterator[Row]:
        """Yield one row."""
        yield Row(name="a", values={"tags": ["x", {"y": None}], "n": 1.5}, line=1)


class Packs:
    """Stores something else than the file."""

    def send(
        self, storage: Storage, file: SourceFile, sending: Sending, replacing: Listed | None
    ) -> Stored:
        """Store it."""
        return storage.put(file, sending, replacing)


class FindsNames:
    """No discovery: it yields text."""

    def find(self, search: Search) -> Iterator[str]:
        """Yield text."""
        yield from search.sources


class Swapped(DefaultUploadAction):
    """The default upload with strategies, and with a step more."""

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        """Swap one strategy after the other."""
        super().setup_steps(registry)
        registry.replace("organize_files", OrganizeFilesStep(Fixed()))
        registry.replace("validate_files", ValidateFilesStep(validation=Refuses()))
        registry.replace("process_metadata", ProcessMetadataStep(Known()))
        registry.replace("upload_files", UploadFilesStep(upload=Packs()))
        registry.insert_before("upload_files", Compress())
        registry.unregister("process_metadata", missing_ok=True)
        OrganizeFilesStep(FindsNames())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        ValidateFilesStep(Fixed())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    def tell(self) -> str:
        """Use the params, which are known."""
        params: UploadParams = self.params
        return params.target


def strategies() -> tuple[Discovery, Validation, Metadata, Uploader]:
    """Return the defaults: they are what the protocols ask for."""
    return FolderDiscovery(), FileValidation(allow_empty=True), SheetMetadata(), DirectUploader()


def register(registry: StepRegistry[UploadContext]) -> None:
    """Register each step where an UploadContext is known."""
    registry.register(InitializeStep())
    registry.register(ProcessMetadataStep(None))
    registry.register(OrganizeFilesStep(None))
    registry.register(ValidateFilesStep(None))
    registry.register(UploadFilesStep(None))
    registry.register(GenerateDataUnitsStep())


def run() -> dict[str, Any]:
    """Make and run uploads."""
    made = MyUpload(MyParams(source_path=Path("src")), RuntimeContext())
    params = UploadParams(source=Path("src"), target="out", part_size=ByteSize(16 << 20))
    Swapped(params).run()
    Swapped({"source": "src", "target": "out"}).plan()
    MyUpload(params)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    answer: dict[str, Any] = made.run()
    return answer
