"""Exports of one's own as their authors would write them; never run, only type-checked.

A line that must not pass carries an ignore for both checkers: they fail when it is not needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from handrail import RuntimeContext, StepRegistry, StepResult, step
from handrail_export import (
    Annotations,
    BaseExportAction,
    CatalogueAnnotations,
    CollectionFormat,
    Column,
    ConvertDataStep,
    DefaultExportAction,
    ExportContext,
    ExportParams,
    FetchResultsStep,
    FinalizeStep,
    InitializeStep,
    Picture,
    PrepareExportStep,
    RowFormat,
    Rows,
    SaveFilesStep,
    Shape,
    Unit,
)


class Mine(ExportParams):
    """Params with one more."""

    greeting: str = "hello"


class Whole:
    """A strategy for annotations."""

    def shapes(self, unit: Unit, size: tuple[int, int], read: Any) -> Iterator[Shape]:
        yield Shape(category=unit.name, box=(0, 0, *size), area=size[0] * size[1])


strategy: Annotations = Whole()
usual: Annotations = CatalogueAnnotations("mask_1", ["cat"])


@step(weight=0.1)
def count(context: ExportContext) -> StepResult:
    total: int = context.exported_count
    return StepResult(data={"total": total, "where": context.layout.folder})


class MyExport(BaseExportAction[Mine]):
    """An export of one's own."""

    def setup_steps(self, registry: StepRegistry[ExportContext]) -> None:
        registry.register(InitializeStep())
        registry.register(FetchResultsStep())
        registry.register(PrepareExportStep())
        registry.register(ConvertDataStep(Whole()))
        registry.register(count)
        registry.register(SaveFilesStep())
        registry.register(FinalizeStep())


class Lines(RowFormat):
    """A format for rows."""

    ending = ".lines"

    def check(self, columns: Sequence[Column]) -> None:
        names: list[str] = [each.name for each in columns]
        del names

    def write(self, rows: Rows, path: Path, partition_by: Sequence[str] = ()) -> int:
        total: int = 0
        for batch in rows.batches():
            values: list[dict[str, Any]] = batch.to_pylist()
            total += len(values)
        return total


class Names(CollectionFormat):
    """A format for pictures."""

    def write(self, pictures: Iterable[Picture], folder: Path, categories: Sequence[str]) -> None:
        for picture in pictures:
            path: str = picture.path
            del path


exported = MyExport({"source": "a.db", "target": "b.csv"}, RuntimeContext())
greeting: str = exported.params.greeting
limit: int | None = DefaultExportAction({"source": "a.db", "target": "b.csv"}).params.limit
limit = exported.params.nothing  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
ConvertDataStep(Names())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
